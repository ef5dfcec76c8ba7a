/*
 * Nested page tables: a guest's physical memory, as its owner's memory is mapped.
 *
 * Filled on nested faults from the owner's address space, and emptied when that changes (mm_mirror). The tables hold no
 * references to frames: an entry lives at most as long as the owner's own.
 *
 * The race between filling and emptying: npt_map() is told which state of the owner's memory its frame is from
 * (npt_sequence() before it was pinned) and refuses if that has changed since; the caller tries again.
 *
 * Fields: [L] lock  [I] immutable  [a] atomic
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/paging.h"
#include "kernel/arch/spinlock.h"
#include "lib/compiler.h"

struct npt {
	struct spinlock lock;
	pte_t *top;	   /* [I] */
	uint64_t sequence; /* [L, a] changes with every emptying */
};

MUST_CHECK int npt_init(struct npt *npt);
void npt_destroy(struct npt *npt);

uint64_t npt_sequence(struct npt *npt);

/**
 * npt_map() - make [@at, + 4 KiB or 2 MiB) lead to @frame
 *
 * Returns 0; -EAGAIN the owner's memory has changed since @sequence; -EEXIST small pages are there already: map them one
 * by one; -ENOMEM.
 */
MUST_CHECK int npt_map(struct npt *npt, gpa_t at, hpa_t frame, bool is_huge, bool is_writable,
		       uint64_t sequence);

/* Takes [start, end) out. True: something was there, and processors may remember it. */
bool npt_unmap(struct npt *npt, gpa_t start, gpa_t end);

/*
 * npt_unmap(), and the tables of small pages that lie whole in [start, end) go too, so that huge ones may come. Returns them for
 * npt_free_tables(), once no processor can be walking them: after the flush that @has_changed asks for.
 */
pte_t *npt_unmap_tables(struct npt *npt, gpa_t start, gpa_t end, bool *has_changed);
void npt_free_tables(pte_t *tables);

/* The right to write goes from [start, end): for the dirty log. True as above. */
bool npt_protect(struct npt *npt, gpa_t start, gpa_t end);
