/*
 * Figures on their way to the launcher on the server: lines `bench: NAME VALUE` on the console.
 *
 * Time is in ticks of the TSC, which the emulated server in counting mode advances by one an
 * instruction.
 */
#pragma once

#include <stdint.h>

struct figures {
	uint64_t min, sum, times; /* all 0: none yet */
};

uint64_t now(void);

void figures_add(struct figures *figures, uint64_t value);

/* The smallest as NAME, the mean as NAME.average. */
void figures_say(const struct figures *figures, const char *name);

void figure_say(const char *name, uint64_t value);

/* @bytes in @ticks of a nanosecond, as MiB/s. */
void rate_say(const char *name, uint64_t bytes, uint64_t ticks);

/* Says what failed, and errno. Returns -errno. */
int complain(const char *what);
