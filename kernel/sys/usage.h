/*
 * What processes have used, as ring 3 is told.
 */
#pragma once

#include "kernel/proc/process.h"

/* A struct rusage at @address. -EFAULT. */
MUST_CHECK int usage_to_user(uint64_t address, const struct process_usage *usage);
