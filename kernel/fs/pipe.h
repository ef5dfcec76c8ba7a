/*
 * Pipes: a channel with a file at each end.
 */
#pragma once

#include "kernel/fs/file.h"

/* @flags: O_NONBLOCK. -ENOMEM. One reference each. */
MUST_CHECK int pipe_create(uint32_t flags, struct file **reader, struct file **writer);
