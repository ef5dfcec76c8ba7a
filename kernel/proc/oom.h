/*
 * Memory has run out: somebody has to go, and it isn't the first process.
 */
#pragma once

#include "lib/compiler.h"

/*
 * Ends the process with the most memory, unless one is ending already, and gives it time to let go. False: there is nobody to end, the
 * caller has been here too often (@tries is 0 at first), or has a signal to look at; it may be the one to end.
 * Context: thread, interrupts on. It waits for no lock that its caller might have, but not for good.
 */
bool oom_make_room(uint32_t *tries);
