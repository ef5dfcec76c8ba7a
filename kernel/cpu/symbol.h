/*
 * Names of functions for backtraces: a table that the link makes (tools/link-kernel).
 */
#pragma once

#include "lib/compiler.h"

struct symbol {
	uint64_t address;
	const char *name;
};

extern const struct symbol symbols[]; /* ascending */
extern const uint32_t nr_symbols;

/* The function that @address is in, or NULL. */
const struct symbol *symbol_find(uint64_t address);
