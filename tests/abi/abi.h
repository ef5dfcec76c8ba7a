/*
 * ABI tests: what a program sees of the kernel, printed. The same program runs on Linux and on the Bulkhead kernel, and
 * what it prints must be the same on both; there are no expectations to keep.
 *
 *   - A group is one file with one function, named in the table of groups.c. It leaves nothing behind: descriptors, mappings,
 *     handlers.
 *   - It prints no addresses, numbers of processes, times: nothing that may differ between two runs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A line of the group's. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * What a call came to: "NAME: 0" or "NAME: -EINVAL". The C library's way is expected: -1 and errno. Returns @value.
 * worked() is for values that differ between runs (addresses, descriptors): it says "ok".
 */
long result(const char *name, long value);
long worked(const char *name, long value);
#define RESULT(call) result(#call, (long)(call))
#define WORKED(call) worked(#call, (long)(call))

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

/* An address that is no program's. */
#define BAD_POINTER ((void *)0x10)

/* What a program is made of: groups.c, kvm/groups.c. */
struct group {
	const char *name;
	void (*run)(void);
};
extern const struct group groups[];
extern const size_t nr_groups;

/* What it does when it is started by itself with --say; NULL: nothing. */
extern int (*const started_anew)(int argc, char *argv[], char *environment[]);

void group_memory(void);
void group_threads(void);
void group_files(void);
void group_fpu(void);
void group_events(void);
void group_streams(void);
void group_signals(void);
void group_processes(void);
void group_tap(void);
void group_seccomp(void);
void group_tree(void);
void group_usage(void);
void group_shared(void);
void group_storms(void);
int exec_said(int argc, char *argv[], char *environment[]);

/* Where this program is, to be started anew: then it says what it was given, and ends with this status. */
const char *abi_program(void);
