/*
 * The kernel's allocator, for its parts that are tested as ordinary programs: include it in one file of the program.
 */
#pragma once

#include <stdlib.h>

#include "kernel/mem/object.h"

/* How many calls succeed before one fails; negative: all do. */
extern int kmalloc_left;
int kmalloc_left = -1;

void *kmalloc(size_t size)
{
	if (!kmalloc_left)
		return NULL;
	if (kmalloc_left > 0)
		kmalloc_left--;
	return calloc(1, size);
}

void kfree(void *memory)
{
	free(memory);
}
