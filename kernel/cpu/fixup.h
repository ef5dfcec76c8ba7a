/*
 * Instructions that may fault, and where to go on if they do.
 *
 * FIXUP(from, to) inside an asm statement puts a row into the table: a fault at label @from goes on at label @to.
 */
#pragma once

#include "lib/compiler.h"

#define FIXUP(from, to)                   \
	".pushsection .fixups, \"a\"\n\t" \
	".quad " #from ", " #to "\n\t"    \
	".popsection\n\t"

/* Where to go on after a fault at @address; 0: nobody expected it. */
uint64_t fixup_find(uint64_t address);
