/*
 * Kernel virtual addresses beside the direct map: devices' registers, stacks with guard pages, whatever is to be
 * mapped page by page.
 *
 * Context: any thread; not from interrupts.
 */
#pragma once

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

/**
 * kspace_map() - map physical memory
 * @start: need not be aligned; the result is offset alike
 * @flags: PTE_WRITE, PTE_PCD | PTE_PWT (uncached), PTE_NX is always added
 *
 * Returns NULL for want of memory or addresses.
 */
void *kspace_map(hpa_t start, uint64_t size_bytes, pte_t flags);
void kspace_unmap(const void *address, uint64_t size_bytes);

enum { STACK_BYTES = 16384 };

/* A kernel stack by its top (where it is empty); below it lies a page that faults. NULL for want of memory. */
void *stack_alloc(void);
void stack_free(void *top);
