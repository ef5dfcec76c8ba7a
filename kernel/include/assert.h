/*
 * assert() in ring 0: a broken invariant of the kernel itself stops the machine.
 */
#pragma once

#define static_assert _Static_assert

_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define assert(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
