/*
 * What an address space's page tables hold. Context: mm->lock held; ranges inside one process's half, page-aligned.
 *
 * Before anything goes or loses rights the mirrors are told, and after it the CPUs that may remember.
 */
#pragma once

#include "kernel/mem/mm.h"

/* Before a change that isn't made here. */
void pages_tell_mirrors(struct mm *mm, uint64_t start, uint64_t end);

void pages_unmap(struct mm *mm, uint64_t start, uint64_t end);
void pages_reprotect(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags);

/* Gives @to what @from has of @area; both lose the right to write private pages. False: no memory. */
bool pages_share(struct mm *from, struct mm *to, const struct area *area);
