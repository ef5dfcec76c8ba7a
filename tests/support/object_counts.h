/*
 * What the Bulkhead kernel has given out, as a line "KIND NUMBER" for each kind of object in /dev/objects. Linux has no such file.
 */
#pragma once

#include <stdbool.h>

struct object_counts {
	char lines[8192];
};

/* False: this kernel doesn't tell, and there are none. */
bool object_counts_read(struct object_counts *counts);

/*
 * How many kinds there is more of than before. Of each that has grown @tell is called, unless it is NULL.
 * @nr_spare_frames more frames are no growth: stacks of ended threads are kept for the next ones.
 */
unsigned int object_counts_grown(const struct object_counts *before,
				 const struct object_counts *after, long nr_spare_frames,
				 void (*tell)(const char *kind, long was, long is));
