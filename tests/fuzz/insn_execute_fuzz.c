/*
 * Any instruction with any registers, in every mode. What must hold: it ends after a few steps; each step asks
 * for something possible; and the registers stay as they were until the end.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/virt/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { STEPS_MAX = 8, ITERATIONS_MAX = 4 };

static void claim(bool is_true)
{
	if (!is_true)
		abort();
}

struct script {
	const uint8_t *at;
	size_t left;
};

static void take(struct script *script, void *to, size_t n)
{
	size_t there = n < script->left ? n : script->left;

	memset(to, 0xa5, n);
	if (there)
		memcpy(to, script->at, there);
	script->at += there;
	script->left -= there;
}

static void check_step(const struct insn_exec *exec, const struct insn *insn, enum insn_step step)
{
	uint64_t address_max = UINT64_MAX;

	if (step == INSN_STEP_READ_VECTOR || step == INSN_STEP_WRITE_VECTOR)
		address_max = 15;
	else if (step == INSN_STEP_READ_PORT || step == INSN_STEP_WRITE_PORT)
		address_max = UINT16_MAX;
	else if (insn->code_bytes != 8)
		address_max = UINT32_MAX;
	claim(exec->address <= address_max);
	claim(exec->bytes && exec->bytes <= INSN_VALUE_BYTES);
	claim(exec->value == &exec->src || exec->value == &exec->dst);
}

static void run_once(const struct insn *insn, struct insn_regs *regs, struct script *script)
{
	struct insn_regs before = *regs;
	struct insn_exec exec;
	unsigned steps = 0;
	enum insn_step step = insn_begin(&exec, insn, regs);

	while (step != INSN_STEP_DONE) {
		claim(!memcmp(&before, regs, sizeof(before)));
		if (step == INSN_STEP_DIVIDE_ERROR || step == INSN_STEP_UNSUPPORTED)
			return;
		claim(++steps <= STEPS_MAX);
		check_step(&exec, insn, step);
		if (step <= INSN_STEP_READ_VECTOR)
			take(script, exec.value, exec.bytes);
		step = insn_resume(&exec);
	}
	claim(exec.nr_writes <= ARRAY_SIZE(exec.writes));
	claim(!((before.rflags ^ regs->rflags) & ~0x108d5ull));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct insn_mode modes[] = {
		{ 8, 8, false }, { 4, 4, false }, { 4, 2, false },
		{ 2, 4, false }, { 2, 2, false }, { 2, 2, true },
	};
	struct script script = { bytes, n };
	uint8_t text[INSN_BYTES_MAX];
	struct insn_regs regs;
	struct insn insn;
	uint8_t mode;

	take(&script, &mode, sizeof(mode));
	take(&script, text, sizeof(text));
	take(&script, &regs, sizeof(regs));
	if (insn_decode(text, sizeof(text), &modes[mode % ARRAY_SIZE(modes)], &insn))
		return 0;
	for (unsigned i = 0; i < ITERATIONS_MAX; i++)
		run_once(&insn, &regs, &script);
	return 0;
}
