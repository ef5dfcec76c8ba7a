/*
 * Memory that can be mapped by several address spaces, or read and written as a file: shared anonymous memory, memfd, the
 * files of the root and /tmp.
 *
 * Pages come into being, zeroed, when first touched, and go with the object or a truncation. They are users' frames.
 * Context: threads.
 */
#pragma once

#include "kernel/arch/paging.h"
#include "kernel/sched/mutex.h"

/* A radix tree over page numbers; each level is a page of 512 pointers. */
struct memobj {
	uint32_t refs; /* [a] */
	struct mutex lock;
	uint64_t size_bytes; /* [L] */
	uint64_t *root;	     /* [L] */
	uint32_t height;     /* [L] levels below the root: 0 means that root is a leaf */
	uint64_t nr_pages;   /* [L] that exist */
};

/* NULL for want of memory. Comes with one reference. */
struct memobj *memobj_create(uint64_t size_bytes);
struct memobj *memobj_get(struct memobj *object);
void memobj_put(struct memobj *object);

/* The frame of page @index, with a reference for the caller. -EINVAL beyond the end; -ENOMEM. */
MUST_CHECK int memobj_page(struct memobj *object, uint64_t index, hpa_t *out);

/* Drops pages beyond the new end. */
void memobj_resize(struct memobj *object, uint64_t size_bytes);

/* Between the object and a buffer of the kernel's. -ENOMEM, -EINVAL beyond the end. */
MUST_CHECK int memobj_read(struct memobj *object, uint64_t offset, void *buffer, uint64_t size);
MUST_CHECK int memobj_write(struct memobj *object, uint64_t offset, const void *buffer,
			    uint64_t size);
