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

/* --- what was carried out by the hypervisor must be fresh too, however often it was met --- */

#define APIC_AT UINT32_C(0xfee00000)

enum { APIC_VERSION = 0x30, APIC_SVR = 0xf0, APIC_LVT_ERROR = 0x370 };

/* mov OFFSET(%rdi), %eax; nop; nop; ret. For one of the registers: mov OFFSET(%rdi), %ecx; mov %ecx, %eax; ret. */
static void write_load(volatile uint8_t *code, uint32_t offset)
{
	bool is_by_ecx = offset == APIC_SVR;

	code[0] = 0x8b;
	code[1] = is_by_ecx ? 0x8f : 0x87;
	for (uint32_t i = 0; i < 4; i++)
		code[2 + i] = (uint8_t)(offset >> (8 * i));
	code[6] = is_by_ecx ? 0x89 : 0x90;
	code[7] = is_by_ecx ? 0xc8 : 0x90;
	code[8] = 0xc3;
	BARRIER();
}

static uint32_t call_with_apic(uint64_t code)
{
	return ((uint32_t(*)(uint64_t))code)(APIC_AT);
}

/* Thrice: met, and remembered twice. */
static void expect_load(uint64_t code, uint32_t offset)
{
	uint32_t expected = mmio32(APIC_AT + offset);

	for (uint32_t i = 0; i < 3; i++)
		EXPECT(call_with_apic(code), expected);
}

static void emulated_instructions_are_read_anew(void)
{
	uint8_t *code = page_take();

	paging_map(PAGING_FREE_AT, (uintptr_t)code | PTE_PRESENT, 1);
	EXPECT(mmio32(APIC_AT + APIC_VERSION) != mmio32(APIC_AT + APIC_SVR), true);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t offset = i & 1 ? APIC_SVR : APIC_VERSION;

		write_load(code, offset);
		expect_load(i & 2 ? PAGING_FREE_AT : (uintptr_t)code, offset);
	}
}

static void emulated_stores_have_their_latest_immediate(void)
{
	/* movl $IMMEDIATE, LVT_ERROR(%rdi); ret */
	static const uint8_t bytes[] = { 0xc7, 0x87, 0x70, 0x03, 0, 0, 0, 0, 0x01, 0, 0xc3 };
	volatile uint8_t *code = page_take();

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		code[i] = bytes[i];
	for (uint32_t i = 0; i < ROUNDS; i++) {
		code[6] = (uint8_t)(0x20 + i);
		BARRIER();
		(void)call_with_apic((uintptr_t)code);
		EXPECT(mmio32(APIC_AT + APIC_LVT_ERROR), 0x10020 + i);
	}
}

static void emulated_instructions_move_with_their_mapping(void)
{
	uint8_t *a = page_take(), *b = page_take();
	uint64_t *tables[] = { page_take(), page_take() }, *entry;

	write_load(a, APIC_VERSION);
	write_load(b, APIC_SVR);
	for (uint32_t i = 0; i < 10; i++) {
		paging_map(PAGING_FREE_AT, (uintptr_t)a | PTE_PRESENT, 1);
		expect_load(PAGING_FREE_AT, APIC_VERSION);
		paging_map(PAGING_FREE_AT, (uintptr_t)b | PTE_PRESENT, 1);
		expect_load(PAGING_FREE_AT, APIC_SVR);
	}
	/* And with a table above. */
	tables[0][0] = (uintptr_t)a | PTE_PRESENT;
	tables[1][0] = (uintptr_t)b | PTE_PRESENT;
	entry = paging_entry(PAGING_FREE_AT, 2);
	for (uint32_t i = 0; i < 10; i++) {
		*entry = (uintptr_t)tables[i & 1] | PTE_RW;
		invlpg(PAGING_FREE_AT);
		expect_load(PAGING_FREE_AT, i & 1 ? APIC_SVR : APIC_VERSION);
	}
}

static void emulated_instructions_may_cross_a_page(void)
{
	uint8_t *pages[] = { page_take(), page_take() };
	uint8_t bytes[9];

	for (uint32_t i = 0; i < 2; i++)
		paging_map(PAGING_FREE_AT + i * PAGE_BYTES, (uintptr_t)pages[i] | PTE_PRESENT, 1);
	for (uint32_t before = 1; before < 20; before++)
		for (uint32_t round = 0; round < 4; round++) {
			uint32_t offset = round & 1 ? APIC_SVR : APIC_VERSION;

			write_load(bytes, offset);
			for (uint32_t i = 0, at = PAGE_BYTES - before; i < sizeof(bytes); i++, at++)
				((volatile uint8_t *)pages[at / PAGE_BYTES])[at % PAGE_BYTES] =
					bytes[i];
			BARRIER();
			expect_load(PAGING_FREE_AT + PAGE_BYTES - before, offset);
		}
}

const struct test_case test_cases[] = {
	CASE(code_follows_what_is_written),
	CASE(code_follows_over_an_exit),
	CASE(code_follows_through_another_mapping),
	CASE(code_moves_with_its_mapping),
	CASE(the_next_instruction_may_be_changed),
	CASE(another_processor_sees_new_code),
	CASE(emulated_instructions_are_read_anew),
	CASE(emulated_stores_have_their_latest_immediate),
	CASE(emulated_instructions_move_with_their_mapping),
	CASE(emulated_instructions_may_cross_a_page),
	{ 0 },
};
