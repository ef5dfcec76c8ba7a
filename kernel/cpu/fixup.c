/*
 * Instructions that may fault: see fixup.h.
 */
#include "kernel/cpu/fixup.h"

struct fixup {
	uint64_t from, to;
};

extern const struct fixup fixups_start[], fixups_end[];

uint64_t fixup_find(uint64_t address)
{
	for (const struct fixup *fixup = fixups_start; fixup < fixups_end; fixup++)
		if (fixup->from == address)
			return fixup->to;
	return 0;
}
