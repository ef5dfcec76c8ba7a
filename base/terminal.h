/*
 * The terminal that this process was started on, borrowed: made raw, and given back as it was.
 *
 *   - There is one at a time, since a signal that kills the process has to find it.
 *   - Raw: every key goes to the reader, Ctrl-C too. Output keeps its line discipline, so that this
 *     program's own messages stay readable between the guest's.
 *   - Output doesn't block meanwhile. That is a property of the open file, which the shell shares: one
 *     more thing to give back. It holds for pipes as well.
 */
#pragma once

#include <stdbool.h>

/*
 * Makes @in_fd raw if it is a terminal, and @out_fd non-blocking. From here on the signals that would kill
 * the process restore both first; a signal that has a handler keeps it. Returns: is @in_fd a terminal?
 */
bool terminal_borrow(int in_fd, int out_fd);

/* Once more does no harm. Async-signal-safe. */
void terminal_restore(void);
