/*
 * Figures on their way to the launcher: see figures.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/perf/guest/figures.h"

uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

void figures_add(struct figures *figures, uint64_t value)
{
	if (!figures->times++ || value < figures->min)
		figures->min = value;
	figures->sum += value;
}

void figure_say(const char *name, uint64_t value)
{
	printf("bench: %s %" PRIu64 "\n", name, value);
}

void figures_say(const struct figures *figures, const char *name)
{
	char average[64];

	if (!figures->times)
		return;
	snprintf(average, sizeof(average), "%s.average", name);
	figure_say(name, figures->min);
	figure_say(average, figures->sum / figures->times);
}

void rate_say(const char *name, uint64_t bytes, uint64_t ticks)
{
	printf("bench: %s %.2f\n", name, (double)bytes / (1 << 20) / ((double)ticks / 1e9));
}

int complain(const char *what)
{
	int err = -errno;

	printf("bench-guest: %s: %s\n", what, strerror(-err));
	return err;
}
