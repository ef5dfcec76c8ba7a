/*
 * The payload suite: what each topic's file in tests/guest/cases/ is made of.
 *
 *	static void it_adds(void)
 *	{
 *		EXPECT(1 + 1, 2);
 *	}
 *
 *	const struct test_case test_cases[] = { CASE(it_adds), { 0 } };
 *
 *   - A topic is one payload. Its table is all that it has to say about itself: the first line of a run is
 *     `cases N`, then comes one line per case: `NAME: ok`, `NAME: not ok: ...` or `NAME: skip: ...`.
 *   - A case starts on the first processor, in 64-bit mode at CPL 0, interrupts closed, with the first 4 GiB mapped to
 *     themselves, the local APIC in xAPIC mode and enabled with all of its interrupts masked, the PIC masked, no
 *     other processor running: suite_restore() sees to that, whatever the one before has done.
 *   - An exception that a case didn't expect ends that case. So does fail().
 *   - With the word `from=N` on the command line the first N cases are left out: the driver goes on behind
 *     a case that has brought the machine down.
 */
#pragma once

#include "tests/guest/suite/x86.h"

struct test_case {
	const char *name;
	void (*run)(void);
};

#define CASE(function)                             \
	{                                          \
		.name = #function, .run = function \
	}

extern const struct test_case test_cases[]; /* each topic's own; the last has no name */

/* Says what was expected and found, once per case, and goes on. */
#define EXPECT(found, expected) expect(#found, __LINE__, (uint64_t)(found), (uint64_t)(expected))
#define EXPECT_TRUE(claim)	expect(#claim, __LINE__, !!(claim), true)

void expect(const char *what, int line, uint64_t found, uint64_t expected);

/* These end the case. */
__attribute__((noreturn)) void fail(const char *why);
__attribute__((noreturn)) void skip(const char *why);

/* ---- time ---- */

uint64_t tsc_per_ms(void);

/* Waits for @claim, and says whether it came within a time that is far too long. */
#define WAIT(claim) WAIT_FOR(claim, WAIT_MS)

#define WAIT_FOR(claim, ms)                                  \
	({                                                   \
		uint64_t end_ = rdtsc() + (ms)*tsc_per_ms(); \
                                                             \
		while (!(claim) && rdtsc() < end_)           \
			pause();                             \
		!!(claim);                                   \
	})

enum { WAIT_MS = 8000 };

/* Lets @ms pass, with interrupts as they are. */
void spin_ms(uint32_t ms);

/* ---- over a reset of the machine ---- */

/*
 * expect_reset() says that what the case does next resets the machine, and that this is right; the run then goes
 * on with the next case.
 */
void expect_reset(void);
