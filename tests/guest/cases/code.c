/*
 * Code that changes: under the processor's own hands, under another's, through another mapping.
 */
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum { ROUNDS = 100 };

/* mov $imm32, %eax; ret */
static void write_function(volatile uint8_t *code, uint32_t result)
{
	code[0] = 0xb8;
	for (uint32_t i = 0; i < 4; i++)
		code[1 + i] = (uint8_t)(result >> (8 * i));
	code[5] = 0xc3;
}

static uint32_t call(uint64_t code)
{
	return ((uint32_t(*)(void))code)();
}

static void code_follows_what_is_written(void)
{
	uint8_t *code = page_take();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		write_function(code, 0x1000 + i);
		EXPECT(call((uintptr_t)code), 0x1000 + i);
	}
}

static void code_follows_over_an_exit(void)
{
	uint8_t *code = page_take();

	for (uint32_t i = 0; i < ROUNDS; i++) {
		write_function(code, 0x2000 + i);
		(void)inb(0x80);
		EXPECT(call((uintptr_t)code), 0x2000 + i);
	}
}

static void code_follows_through_another_mapping(void)
{
	uint8_t *code = page_take();

	paging_map(PAGING_FREE_AT, (uintptr_t)code | PTE_PRESENT, 1);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		write_function(code, 0x3000 + i);
		__asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
		EXPECT(call(PAGING_FREE_AT), 0x3000 + i);
	}
}

static void code_moves_with_its_mapping(void)
{
	uint8_t *a = page_take(), *b = page_take();

	write_function(a, 0xaaaa);
	write_function(b, 0xbbbb);
	for (uint32_t i = 0; i < 10; i++) {
		paging_map(PAGING_FREE_AT, (uintptr_t)a | PTE_PRESENT, 1);
		EXPECT(call(PAGING_FREE_AT), 0xaaaa);
		paging_map(PAGING_FREE_AT, (uintptr_t)b | PTE_PRESENT, 1);
		EXPECT(call(PAGING_FREE_AT), 0xbbbb);
	}
}

/* The instruction behind a store is the one that was stored. */
static void the_next_instruction_may_be_changed(void)
{
	uint8_t *code = page_take();
	/* movb $0x22, 1f(%rip) [the immediate below]; jmp .+2; mov $0x11, %eax; ret */
	static const uint8_t bytes[] = { 0xc6, 0x05, 0x03, 0x00, 0x00, 0x00, 0x22, 0xeb,
					 0x00, 0xb8, 0x11, 0x00, 0x00, 0x00, 0xc3 };

	__builtin_memcpy(code, bytes, sizeof(bytes));
	EXPECT(call((uintptr_t)code), 0x22);
}

static uint8_t *shared;
static volatile uint32_t results[ROUNDS];

static void call_shared(void)
{
	results[0] = call((uintptr_t)shared);
}

static void another_processor_sees_new_code(void)
{
	cpus_start();
	shared = page_take();
	for (uint32_t i = 0; i < 20; i++) {
		write_function(shared, 0x4000 + i);
		cpu_run(1 + i % (cpus_count() - 1), call_shared);
		EXPECT(results[0], 0x4000 + i);
	}
}

/* What a device's memory instruction was decoded from must be fresh too. */
static void emulated_instructions_are_read_anew(void)
{
	/* mov OFFSET(%rdi), %eax; ret */
	uint8_t *code = page_take();
	uint32_t version, id;

	code[0] = 0x8b;
	code[1] = 0x87;
	code[2] = 0x30;
	code[6] = 0xc3;
	BARRIER();
	version = ((uint32_t(*)(uint64_t))code)(0xfee00000);
	code[2] = 0x80;
	BARRIER();
	id = ((uint32_t(*)(uint64_t))code)(0xfee00000);
	EXPECT(version & 0xff, 0x14);
	EXPECT(id, 0);
}

const struct test_case test_cases[] = {
	CASE(code_follows_what_is_written),	    CASE(code_follows_over_an_exit),
	CASE(code_follows_through_another_mapping), CASE(code_moves_with_its_mapping),
	CASE(the_next_instruction_may_be_changed),  CASE(another_processor_sees_new_code),
	CASE(emulated_instructions_are_read_anew),  { 0 },
};
