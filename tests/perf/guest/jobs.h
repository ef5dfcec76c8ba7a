/*
 * What the benchmark's guest can be asked to measure: one job per file, all in one program, which
 * is the guest's first process. A job says its figures on the console (figures.h) and returns 0 or
 * -errno; what went wrong it has said by then.
 */
#pragma once

int job_touch(void); /* the first touch of pages */
int job_exec(void);  /* a process: fork, exec, wait */
int job_blk(void);   /* /dev/vda, which is written to */
int job_tcp(void);   /* eth0, to the server's tcp-peer or to another guest's job_peer() */
int job_peer(void);  /* is that other guest, and doesn't end */

/* The program that job_exec() executes is this one with this argument. */
#define EXEC_ARGUMENT "do-nothing"
