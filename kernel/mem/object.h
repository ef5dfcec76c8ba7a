/*
 * Kernel objects: caches of one size each ("slab"), and kmalloc() for sizes that are not known beforehand.
 *
 * What is given out is zeroed. Every cache counts what it has out; tests compare the counts before and after.
 * Context: any; never sleeps.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "lib/compiler.h"

struct object_cache {
	const char *name;
	uint32_t size_bytes;
	struct spinlock lock;
	void *free;		   /* [L] the first word of each leads to the next */
	uint64_t used;		   /* [L] given out */
	uint64_t pages;		   /* [L] in all */
	struct object_cache *next; /* all caches, for the count */
	uint8_t is_known;
};

#define OBJECT_CACHE(label, type)                         \
	{                                                 \
		.name = label, .size_bytes = sizeof(type) \
	}

void *object_alloc(struct object_cache *cache);
void object_free(struct object_cache *cache, void *object);

/* Calls @visit for every cache that has been used. */
void object_caches(void (*visit)(const struct object_cache *cache, void *context), void *context);

/* Up to 2 MiB. NULL for want of memory. kfree(NULL) is fine. */
void *kmalloc(size_t size);
void kfree(void *memory);
