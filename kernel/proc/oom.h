/*
 * Memory has run out: somebody has to go, and it isn't the first process.
 */
#pragma once

#include "lib/compiler.h"

/*
 * Ends the process with the most memory, unless one is ending already, and gives it time to let go. False: there is nobody to end.
 * Context: thread, interrupts on. It waits for no lock that its caller might have.
 */
bool oom_make_room(void);
