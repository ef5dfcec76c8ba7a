/*
 * flock(): advisory locks on what open files stand for. Shared by several open files, or held by one.
 *
 * A lock belongs to the open file (however many descriptors it has), and goes with it.
 * Context: threads.
 */
#pragma once

#include "kernel/fs/file.h"

/* Replaces what @file holds; while it waits it holds nothing. -EWOULDBLOCK where not @waits; -EINTR; -ENOMEM. */
MUST_CHECK int flock_take(struct file *file, bool is_exclusive, bool waits);
void flock_drop(struct file *file);
