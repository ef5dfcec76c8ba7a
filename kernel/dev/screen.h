/*
 * The screen: VGA's text mode, or the pixels that the loader left us. For people at the machine; nothing is read from it.
 *
 * What is written before there is a screen, or while its memory isn't mapped, appears with screen_map(). The caller locks
 * (dev/print.h); any context.
 */
#pragma once

#include "lib/compiler.h"

/* Finds out what screen there is; by the provisional page tables. Once, after bootinfo_read(). */
void screen_init(void);

/* Goes on by the kernel's own page tables, which have just been loaded. Once, when memory can be mapped. */
void screen_map(void);

/* Text: newlines scroll, other control characters and escape sequences are left out, what isn't ASCII is shown as '?'. */
void screen_write(const char *bytes, size_t size);
