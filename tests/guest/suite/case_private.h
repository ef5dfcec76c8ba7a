/* What trap.c needs of case.c. */
#pragma once

#include <stdint.h>

/* The case is not ok, for this reason: @text0 value0 @text1 ... */
void case_note(const char *text0, uint64_t value0, const char *text1, uint64_t value1,
	       const char *text2, uint64_t value2, const char *text3, uint64_t value3);
