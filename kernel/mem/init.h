/*
 * The kernel's own address space, and the way there from the loader's description of memory.
 */
#pragma once

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

/* Takes stock of RAM, builds and loads the kernel's page tables, and gives the rest to the frame allocator. */
void mem_init(void);

/* The upper half that every address space shares: the top-level table's entries from 256. */
extern pte_t *kernel_top;

/* The boot module, mapped read-only until mem_free_module(). Size 0: there is none. */
const void *mem_module(uint64_t *size_bytes);
void mem_free_module(void);
