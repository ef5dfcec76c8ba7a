/*
 * Classic BPF for filters of system calls. (That it does what Linux's does is tests/abi/seccomp.c's to show.)
 */
#include <errno.h>
#include <string.h>

#include "kernel/proc/bpf.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static struct bpf_scratch scratch;

static const struct seccomp_data call = {
	.nr = 39,
	.arch = 0xc000003e,
	.instruction_pointer = 0x1122334455667788,
	.args = { 0xaaaaaaaa00000001, 2, 3, 4, 5, 0x600000000 },
};

#define CHECK(...)                                                      \
	bpf_check((const struct sock_filter[]){ __VA_ARGS__ },          \
		  sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / \
			  sizeof(struct sock_filter),                   \
		  &scratch)

#define RETURN_K(k) BPF_STMT(BPF_RET | BPF_K, k)
#define RETURN_A    BPF_STMT(BPF_RET | BPF_A, 0)
#define LOAD(at)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IMM(k)	    BPF_STMT(BPF_LD | BPF_IMM, k)
#define X_IMM(k)    BPF_STMT(BPF_LDX | BPF_IMM, k)
#define ALU(op, k)  BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define ALU_X(op)   BPF_STMT(BPF_ALU | (op) | BPF_X, 0)

static uint32_t run(const struct sock_filter *program, uint32_t count)
{
	bool has_seen_more = false;

	assert_int_equal(bpf_check(program, count, &scratch), 0);
	return bpf_run(program, &call, &has_seen_more);
}

#define RUN(...)                                         \
	run((const struct sock_filter[]){ __VA_ARGS__ }, \
	    sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter))

static void loads_see_the_call(void **state)
{
	(void)state;
	assert_int_equal(RUN(LOAD(0), RETURN_A), 39);
	assert_int_equal(RUN(LOAD(4), RETURN_A), 0xc000003e);
	assert_int_equal(RUN(LOAD(8), RETURN_A), 0x55667788);
	assert_int_equal(RUN(LOAD(12), RETURN_A), 0x11223344);
	assert_int_equal(RUN(LOAD(16), RETURN_A), 1);
	assert_int_equal(RUN(LOAD(60), RETURN_A), 6);
	assert_int_equal(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RETURN_A), sizeof(call));
	assert_int_equal(RUN(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
			     BPF_STMT(BPF_MISC | BPF_TXA, 0), RETURN_A),
			 sizeof(call));
}

static void arithmetic_is_of_32_bits(void **state)
{
	(void)state;
	assert_int_equal(RUN(IMM(0xffffffff), ALU(BPF_ADD, 2), RETURN_A), 1);
	assert_int_equal(RUN(IMM(1), ALU(BPF_SUB, 2), RETURN_A), 0xffffffff);
	assert_int_equal(RUN(IMM(0x10001), ALU(BPF_MUL, 0x10001), RETURN_A), 0x20001);
	assert_int_equal(RUN(IMM(0xffffffff), ALU(BPF_DIV, 2), RETURN_A), 0x7fffffff);
	assert_int_equal(RUN(IMM(1), ALU(BPF_NEG, 0), RETURN_A), 0xffffffff);
	assert_int_equal(RUN(IMM(1), ALU(BPF_LSH, 31), RETURN_A), 0x80000000);
	assert_int_equal(RUN(IMM(1), X_IMM(33), ALU_X(BPF_LSH), RETURN_A), 2);
}

static void dividing_by_zero_returns_zero(void **state)
{
	(void)state;
	assert_int_equal(RUN(IMM(7), X_IMM(0), ALU_X(BPF_DIV), RETURN_K(9)), 0);
	assert_int_equal(CHECK(ALU(BPF_DIV, 0), RETURN_K(0)), -EINVAL);
}

static void jumps_compare_without_sign(void **state)
{
	(void)state;
	assert_int_equal(RUN(IMM(0x80000000), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 0, 1),
			     RETURN_K(1), RETURN_K(2)),
			 1);
	assert_int_equal(RUN(IMM(4), X_IMM(6), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1),
			     RETURN_K(1), RETURN_K(2)),
			 1);
	assert_int_equal(RUN(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN_K(1), RETURN_K(2)), 2);
}

static void memory_is_read_only_where_it_was_written_on_every_way(void **state)
{
	(void)state;
	assert_int_equal(RUN(IMM(5), BPF_STMT(BPF_ST, 15), IMM(0), BPF_STMT(BPF_LD | BPF_MEM, 15),
			     RETURN_A),
			 5);
	assert_int_equal(CHECK(BPF_STMT(BPF_LDX | BPF_MEM, 3), RETURN_K(0)), -EINVAL);
	/* Written on one of two ways. */
	assert_int_equal(CHECK(LOAD(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
			       BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN_A),
			 -EINVAL);
	/* On both. */
	assert_int_equal(CHECK(LOAD(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 2),
			       BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_JMP | BPF_JA, 1),
			       BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN_A),
			 0);
}

static void nothing_leads_out_of_a_program(void **state)
{
	(void)state;
	assert_int_equal(CHECK(LOAD(0)), -EINVAL);
	assert_int_equal(CHECK(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN_K(0)), -EINVAL);
	assert_int_equal(CHECK(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN_K(0)), -EINVAL);
	assert_int_equal(CHECK(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN_K(0)), -EINVAL);
	assert_int_equal(CHECK(LOAD(64), RETURN_K(0)), -EINVAL);
	assert_int_equal(CHECK(LOAD(61), RETURN_K(0)), -EINVAL);
	assert_int_equal(CHECK(BPF_STMT(BPF_ST, BPF_MEMWORDS), RETURN_K(0)), -EINVAL);
}

static void every_code_that_isnt_known_is_refused(void **state)
{
	uint32_t nr_valid = 0;

	(void)state;
	for (uint32_t code = 0; code <= UINT16_MAX; code++) {
		const struct sock_filter program[] = { BPF_STMT(BPF_ST, 0),
						       { (uint16_t)code, 0, 0, 0 },
						       RETURN_K(0) };

		nr_valid += !bpf_check(program, ARRAY_SIZE(program), &scratch);
	}
	/*
	 * Loads 4 + 3, stores 2, jumps 1 + 2 * 4, returns 2, moves 2; arithmetic: 8 with a constant and X each, but no division by
	 * the constant 0, and negation. That of the load of memory counts: word 0 is written.
	 */
	assert_int_equal(nr_valid, 4 + 3 + 2 + 9 + 2 + 2 + 2 * 9 - 1 + 1);
}

static void a_look_at_more_than_number_and_architecture_is_told(void **state)
{
	const struct sock_filter number[] = { LOAD(0), ALU(BPF_ADD, 1), LOAD(4), RETURN_K(6) };
	const struct sock_filter pointer[] = { LOAD(8), RETURN_K(7) };
	const struct sock_filter argument[] = { LOAD(0),
						BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 39, 0, 1),
						LOAD(16), RETURN_K(8) };
	struct seccomp_data other = call;
	bool has_seen_more = false;

	(void)state;
	other.nr = 40;
	assert_int_equal(bpf_run(number, &call, &has_seen_more), 6);
	assert_false(has_seen_more);
	/* It counts what was done on the way, not what might have been. */
	assert_int_equal(bpf_run(argument, &other, &has_seen_more), 8);
	assert_false(has_seen_more);
	assert_int_equal(bpf_run(argument, &call, &has_seen_more), 8);
	assert_true(has_seen_more);
	/* Once said it stays: a chain has one answer. */
	assert_int_equal(bpf_run(number, &call, &has_seen_more), 6);
	assert_true(has_seen_more);
	has_seen_more = false;
	assert_int_equal(bpf_run(pointer, &call, &has_seen_more), 7);
	assert_true(has_seen_more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_see_the_call),
		cmocka_unit_test(arithmetic_is_of_32_bits),
		cmocka_unit_test(dividing_by_zero_returns_zero),
		cmocka_unit_test(jumps_compare_without_sign),
		cmocka_unit_test(memory_is_read_only_where_it_was_written_on_every_way),
		cmocka_unit_test(nothing_leads_out_of_a_program),
		cmocka_unit_test(every_code_that_isnt_known_is_refused),
		cmocka_unit_test(a_look_at_more_than_number_and_architecture_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
