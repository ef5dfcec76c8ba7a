/*
 * New threads and processes.
 */
#pragma once

#include <linux/sched.h>

#include "lib/compiler.h"

struct trap_frame;

/* As clone3(2), for the calling thread, which is in the system call of @frame. The new one's number, or -errno. */
int64_t clone_start(const struct clone_args *args, const struct trap_frame *frame);
