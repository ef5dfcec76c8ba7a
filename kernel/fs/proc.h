/*
 * /proc: as much of it as programs ask for, in Linux's formats (proc(5)).
 *
 *	/proc/meminfo
 *	/proc/PID/stat, exe; /proc/self/ is the calling process's
 *
 * Processes' directories exist for those who know their names: they aren't listed.
 */
#pragma once

/* After node_init(). */
void proc_init(void);
