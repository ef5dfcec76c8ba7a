/*
 * Names of functions: see symbol.h.
 */
#include "kernel/cpu/symbol.h"

const struct symbol *symbol_find(uint64_t address)
{
	uint32_t low = 0, high = nr_symbols;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}
