/*
 * /dev/objects: what the kernel has given out, a line "NAME COUNT" for each kind of object and for frames outside their caches. For tests,
 * which read it before and after.
 */
#pragma once

void objects_init(void);
