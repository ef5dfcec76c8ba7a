/*
 * An address space's areas: finding, cutting, joining. Context: mm->lock held.
 */
#pragma once

#include "kernel/mem/mm.h"

/* The one that holds @address, or NULL. */
struct area *area_find(const struct mm *mm, uint64_t address);
struct area *area_first_ending_after(const struct mm *mm, uint64_t address);
struct area *area_next(const struct area *area);

/* A copy of @template in the tree, with references of its own; NULL for want of memory. */
struct area *area_add(struct mm *mm, const struct area *template);
void area_remove(struct mm *mm, struct area *area);

/* Makes @address a border: cuts the area that it lies inside, if any. */
MUST_CHECK int area_cut(struct mm *mm, uint64_t address);

/* A gap of @size as high as it goes below USER_END, aligned to @alignment; 0: there is none. */
uint64_t area_find_gap(const struct mm *mm, uint64_t size, uint64_t alignment);
bool area_is_free(const struct mm *mm, uint64_t start, uint64_t end);
