/*
 * Amounts, short: see size_text.h.
 */
#include <stdio.h>

#include "host/size_text.h"

const char *size_text(uint64_t bytes, char out[SIZE_TEXT_BYTES])
{
	static const char units[] = { 'K', 'M', 'G', 'T', 'P' };
	double amount = (double)bytes;
	int unit = -1;

	while (amount >= 999.5 && unit < (int)sizeof(units) - 1) {
		amount /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, SIZE_TEXT_BYTES, "%u", (unsigned)bytes);
	else if (amount < 9.95)
		snprintf(out, SIZE_TEXT_BYTES, "%.1f%c", amount, units[unit]);
	else
		snprintf(out, SIZE_TEXT_BYTES, "%.0f%c", amount, units[unit]);
	return out;
}

const char *duration_text(uint64_t seconds, char out[SIZE_TEXT_BYTES])
{
	unsigned minute = (unsigned)(seconds / 60 % 60), hour = (unsigned)(seconds / 3600 % 24);
	unsigned day = (unsigned)(seconds / 86400 % 100000);

	if (day)
		snprintf(out, SIZE_TEXT_BYTES, "%ud %02u:%02u", day, hour, minute);
	else
		snprintf(out, SIZE_TEXT_BYTES, "%02u:%02u:%02u", hour, minute,
			 (unsigned)(seconds % 60));
	return out;
}
