/*
 * ABI tests of everything but KVM: see abi.h.
 */
#include "lib/compiler.h"
#include "tests/abi/abi.h"

// clang-format off
const struct group groups[] = {
	{ "memory", group_memory },
	{ "threads", group_threads },
	{ "files", group_files },
	{ "fpu", group_fpu },
	{ "events", group_events },
	{ "streams", group_streams },
	{ "signals", group_signals },
	{ "processes", group_processes },
	{ "seccomp", group_seccomp },
	{ "tree", group_tree },
	{ "usage", group_usage },
	{ "shared", group_shared },
	{ "storms", group_storms },
	{ "tap", group_tap },
};
// clang-format on
const size_t nr_groups = ARRAY_SIZE(groups);

int (*const started_anew)(int argc, char *argv[], char *environment[]) = exec_said;
