/*
 * Filters of system calls, any bytes: a call's data, then a program. What must hold of one that passes the check: it ends and stays inside
 * itself; what it says from the number alone it says whatever the rest is.
 */
#include <string.h>

#include "kernel/proc/bpf.h"
#include "tests/support/fuzz_script.h"

static void run(const struct sock_filter *program, const struct seccomp_data *data)
{
	struct seccomp_data other = *data;
	bool has_seen_more = false;
	uint32_t answer = bpf_run(program, data, &has_seen_more);

	if (has_seen_more)
		return;
	for (int i = 0; i < 6; i++)
		other.args[i] = ~other.args[i];
	other.instruction_pointer = ~other.instruction_pointer;
	fuzz_claim(bpf_run(program, &other, &has_seen_more) == answer && !has_seen_more);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct bpf_scratch scratch;
	struct sock_filter *program;
	struct seccomp_data data;
	size_t count;

	if (size < sizeof(data) + sizeof(*program))
		return 0;
	memcpy(&data, bytes, sizeof(data));
	count = (size - sizeof(data)) / sizeof(*program);
	if (count > BPF_MAXINSNS)
		return 0;
	program = malloc(count *
			 sizeof(*program)); /* just as large: what is read behind it is found */
	if (!program)
		return 0;
	memcpy(program, bytes + sizeof(data), count * sizeof(*program));
	if (!bpf_check(program, (uint32_t)count, &scratch))
		run(program, &data);
	free(program);
	return 0;
}
