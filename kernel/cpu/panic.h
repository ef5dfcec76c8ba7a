/*
 * The end: a broken invariant of the kernel itself. Never for what ring 3, a guest or a device did.
 */
#pragma once

#include "lib/compiler.h"

struct trap_frame;

/* Says why, the build, a backtrace, what happened last; stops all CPUs. Any context. */
_Noreturn void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same from a trap, with its registers. */
_Noreturn void panic_at(const struct trap_frame *frame, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * The end, too, but for want of something: of the machine, its firmware, the loader, or the first program. The message says what
 * was expected, what was found and what to do. For people, so without a backtrace; an emulated server ends with status 2.
 */
_Noreturn void cannot_go_on(const char *format, ...) PRINTF_LIKE(1, 2);
