/*
 * Descriptors for new files.
 */
#pragma once

#include "lib/compiler.h"

struct file;

/* A descriptor for @file, whose reference it takes in any case; NULL is -ENOMEM. Of @flags it looks at O_CLOEXEC. */
int64_t install_new(struct file *file, uint64_t flags);

/* Two of them, as two ints at ring 3's @address. */
int64_t install_pair(struct file *a, struct file *b, uint64_t flags, uint64_t address);
