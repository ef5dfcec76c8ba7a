/*
 * The signal mask that a waiting call is given for its own duration.
 */
#pragma once

#include "lib/compiler.h"

/* Puts the mask at ring 3's @address (0: none) in force until the call returns. -EINVAL, -EFAULT. */
MUST_CHECK int mask_for_call(uint64_t address, uint64_t size_bytes);
