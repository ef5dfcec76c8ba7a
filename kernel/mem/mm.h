/*
 * The address space of a process: what is mapped where, and its page tables.
 *
 *   - Areas don't overlap. A fault inside one maps a page: 2 MiB where the area is private anonymous memory and covers all
 *     of the aligned 2 MiB, else 4 KiB. Private memory is shared after a fork until somebody writes.
 *   - Who mirrors the address space (nested page tables) adds an mm_mirror: it is told before a mapping goes or loses rights,
 *     and must have forgotten it when it returns. It asks for pages by mm_pin_page().
 *   - Protection: W^X isn't forced on ring 3; the kernel's own mappings have it.
 *
 * Fields: [L] lock  [I] immutable  [a] atomic
 * Context: threads, interrupts on; takes mm->lock.
 */
#pragma once

#include "kernel/arch/paging.h"
#include "kernel/mem/memobj.h"
#include "kernel/sched/mutex.h"

enum {
	AREA_READ = 1 << 0, /* as PROT_* */
	AREA_WRITE = 1 << 1,
	AREA_EXEC = 1 << 2,
	AREA_SHARED = 1 << 3,
	AREA_DEVICE = 1 << 4, /* @frames gives the pages; they aren't counted */
	AREA_NO_HUGE = 1 << 5,
	AREA_STACK = 1 << 6,
};

/* For mappings of what isn't a memobj: a vCPU's run structure. */
struct area_ops {
	int (*page)(void *owner, uint64_t index, hpa_t *out); /* counted for the caller */
	void (*get)(void *owner);
	void (*put)(void *owner);
};

struct area {
	struct rb_node node;
	uint64_t start, end; /* pages; half-open */
	uint32_t flags;
	struct memobj *object;	    /* NULL: private anonymous memory; counted */
	uint64_t offset;	    /* of start in the object, bytes */
	const struct area_ops *ops; /* NULL: none */
	void *owner;
};

struct mm_mirror {
	struct list node;
	void (*invalidate)(struct mm_mirror *mirror, uint64_t start, uint64_t end);
};

struct mm {
	uint32_t users; /* [a] */
	struct mutex lock;
	struct rb_tree areas;	 /* [L] by address */
	pte_t *top;		 /* [I] */
	struct list mirrors;	 /* [L] */
	uint64_t brk_start, brk; /* [L] */
	uint64_t nr_pages;	 /* [L] mapped, in 4 KiB */
	uint64_t nr_pages_max;	 /* [L] so far */
};

struct mm *mm_create(void);
struct mm *mm_get(struct mm *mm);
void mm_put(struct mm *mm); /* the last one unmaps everything */

/* A copy for a child: private memory is shared until written. NULL for want of memory. */
struct mm *mm_fork(struct mm *mm);

struct mm_request {
	uint64_t address; /* 0: anywhere */
	uint64_t size_bytes;
	uint32_t flags;
	bool is_fixed;	       /* replaces what is there */
	bool is_exclusive;     /* with is_fixed: -EEXIST instead */
	struct memobj *object; /* the mapping takes its own reference */
	uint64_t offset;
	const struct area_ops *ops;
	void *owner;
};

/* -EINVAL, -ENOMEM, -EEXIST. @out: where it is. */
MUST_CHECK int mm_map(struct mm *mm, const struct mm_request *request, uint64_t *out);
MUST_CHECK int mm_unmap(struct mm *mm, uint64_t start, uint64_t size_bytes);
MUST_CHECK int mm_protect(struct mm *mm, uint64_t start, uint64_t size_bytes, uint32_t flags);
/* Whether faults may map 2 MiB there from now on. -ENOMEM: not all of it is mapped; -EINVAL. */
MUST_CHECK int mm_allow_huge(struct mm *mm, uint64_t start, uint64_t size_bytes, bool is_allowed);
/* Is all of it mapped? -ENOMEM if not; -EINVAL. */
MUST_CHECK int mm_check_mapped(struct mm *mm, uint64_t start, uint64_t size_bytes);
/* The object at @address, counted, if it is shared with whoever maps it; NULL: it isn't. */
struct memobj *mm_shared_object(struct mm *mm, uint64_t address, uint64_t *offset);
/* Forgets private pages: they read as zero again. */
MUST_CHECK int mm_discard(struct mm *mm, uint64_t start, uint64_t size_bytes);
/* Returns the brk then: the old one if it cannot be. */
uint64_t mm_set_brk(struct mm *mm, uint64_t brk);

/* 0: mapped; -EFAULT: nothing there, or not allowed; -ENOMEM. */
MUST_CHECK int mm_fault(struct mm *mm, uint64_t address, bool is_write, bool is_fetch);

struct mm_page {
	hpa_t frame;	  /* of the 4 KiB page, counted for the caller (not for device areas) */
	bool is_huge;	  /* inside a 2 MiB mapping whose frames are in one piece */
	bool is_writable; /* without another fault */
};

/* Makes the page at @address present, and gives it. For @is_write it is private to the caller's mm, or shared on purpose. */
MUST_CHECK int mm_pin_page(struct mm *mm, uint64_t address, bool is_write, struct mm_page *out);
/* Gives it back, whatever became of the mapping. Any context. */
void mm_unpin_page(const struct mm_page *page);

void mm_add_mirror(struct mm *mm, struct mm_mirror *mirror);
void mm_remove_mirror(struct mm *mm, struct mm_mirror *mirror);

/* Loads it on this CPU; interrupts off. NULL: the kernel's own. */
void mm_activate(struct mm *mm);
