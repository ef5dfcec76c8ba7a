/*
 * Descriptors for new files.
 */
#pragma once

#include <stdint.h>

struct file;

/* A descriptor for @file, whose reference it takes in any case; NULL is -ENOMEM. Of @flags it looks at O_CLOEXEC. */
int64_t install_new(struct file *file, uint64_t flags);
