/*
 * Classic BPF as seccomp has it: small programs that look at one system call and return a number. Pure.
 *
 * A program has been checked before it runs: it ends, by a return, after at most as many steps as it has instructions, since all jumps
 * lead forward.
 *
 * Source: Linux, Documentation/networking/filter.rst and Documentation/userspace-api/seccomp_filter.rst.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "lib/compiler.h"

/* What a check needs, and no stack has room for: which words of memory are written on every way to an instruction, a bit each. */
struct bpf_scratch {
	uint16_t words[BPF_MAXINSNS];
};

/* 0; -EINVAL: no program that may run. @count: 1 to BPF_MAXINSNS. */
MUST_CHECK int bpf_check(const struct sock_filter *program, uint32_t count,
			 struct bpf_scratch *scratch);

/* What a checked program says of a call. @has_seen_more is set if it looked at more of it than its number and architecture. */
MUST_CHECK uint32_t bpf_run(const struct sock_filter *program, const struct seccomp_data *data,
			    bool *has_seen_more);
