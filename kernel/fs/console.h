/*
 * The machine's console as a file: the serial port and the screen.
 */
#pragma once

#include "kernel/fs/file.h"

/* One reference; NULL for want of memory. */
struct file *console_open_file(void);
