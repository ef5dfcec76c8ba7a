/*
 * The machine's console as a file, a terminal: the serial port and the screen.
 *
 * Input comes by interrupt and goes through a kernel thread, which edits lines (canonical mode), echoes, and sends the signals of
 * the control characters to the foreground group. Output is always translated (ONLCR), raw mode or not.
 */
#pragma once

#define CONSOLE_PATH "/dev/console"

/* Once: starts input, makes CONSOLE_PATH, /dev/tty, /dev/ttyS0 and /dev/null. After node_init(). */
void console_init(void);
