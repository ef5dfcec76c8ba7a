/*
 * Paging: sizes, rights, accessed and dirty bits, flushes, what page faults say. Nested paging must leave all of it alone.
 */
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

#define VA  PAGING_FREE_AT
#define VA2 (PAGING_FREE_AT + BIT(30))

enum { LARGE_BYTES = 2 << 20 };

static volatile uint8_t large[LARGE_BYTES] __attribute__((aligned(LARGE_BYTES)));

static uint64_t try_read(uint64_t va)
{
	uint64_t value;

	return TRY("movq (%1), %0", : "=r"(value) : "r"(va) : "memory");
}

static uint64_t try_write(uint64_t va)
{
	return TRY("movq $1, (%0)", : : "r"(va) : "memory");
}

static uint64_t try_call(uint64_t va)
{
	return TRY("call *%0", : : "r"(va) : "memory");
}

static void expect_page_fault(uint64_t vector, uint64_t va, uint64_t error)
{
	EXPECT(vector, VECTOR_PF);
	EXPECT(fault.cr2, va);
	EXPECT(fault.error, error);
}

static void an_absent_page_faults(void)
{
	paging_map(VA, 0, 1);
	expect_page_fault(try_read(VA + 8), VA + 8, 0);
	expect_page_fault(try_write(VA + 16), VA + 16, ERROR_WRITE);
}

static void an_absent_table_faults(void)
{
	expect_page_fault(try_read(VA), VA, 0);
}

static void a_page_of_4_kib_is_mapped(void)
{
	volatile uint64_t *page = page_take();

	page[3] = 0x1234;
	paging_map(VA, (uintptr_t)page | PTE_RW, 1);
	EXPECT(mmio64(VA + 24), 0x1234);
	mmio64(VA + 32) = 0x5678;
	EXPECT(page[4], 0x5678);
}

static void a_page_of_2_mib_is_mapped(void)
{
	paging_map(VA, (uintptr_t)large | PTE_RW, 2);
	large[LARGE_BYTES - 1] = 0x5a;
	EXPECT(mmio8(VA + LARGE_BYTES - 1), 0x5a);
	mmio8(VA + 12345) = 0xa5;
	EXPECT(large[12345], 0xa5);
}

static void a_page_of_1_gib_is_mapped(void)
{
	uint64_t at_address = (uintptr_t)large;

	if (!(cpuid(0x80000001u, 0).edx & BIT(26)))
		skip("no pages of 1 GiB");
	paging_map(VA, PTE_RW, 3);
	large[777] = 0x77;
	EXPECT(mmio8(VA + at_address + 777), 0x77);
}

static void a_large_page_with_reserved_bits_faults(void)
{
	paging_map(VA, (uintptr_t)large | PTE_RW | BIT(13), 2);
	expect_page_fault(try_read(VA), VA, ERROR_PRESENT | ERROR_RESERVED);
}

static void an_address_beyond_the_physical_width_faults(void)
{
	uint32_t width = cpuid(0x80000008u, 0).eax & 0xff;

	if (width >= 52)
		skip("all bits are used");
	paging_map(VA, (uintptr_t)page_take() | PTE_RW | BIT(51), 1);
	expect_page_fault(try_read(VA), VA, ERROR_PRESENT | ERROR_RESERVED);
}

static void no_execute_is_reserved_unless_enabled(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_RW | PTE_NX, 1);
	expect_page_fault(try_read(VA), VA, ERROR_PRESENT | ERROR_RESERVED);
}

static void no_execute_stops_a_fetch(void)
{
	uint8_t *page = page_take();

	page[0] = 0xc3;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	paging_map(VA, (uintptr_t)page | PTE_RW | PTE_NX, 1);
	EXPECT(try_read(VA), NO_FAULT);
	EXPECT(TRY("call *%0", : : "r"(VA) : "memory"), VECTOR_PF);
	EXPECT(fault.cr2, VA);
	EXPECT(fault.rip, VA);
	EXPECT(fault.error, ERROR_PRESENT | ERROR_FETCH);
}

static void code_in_a_new_page_runs(void)
{
	uint8_t *page = page_take();

	page[0] = 0xc3;
	paging_map(VA, (uintptr_t)page | PTE_PRESENT, 1);
	EXPECT(try_call(VA), NO_FAULT);
}

static void a_read_only_page_is_writable_without_wp(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_PRESENT, 1);
	EXPECT(try_write(VA), NO_FAULT);
	write_cr0(read_cr0() | CR0_WP);
	expect_page_fault(try_write(VA), VA, ERROR_PRESENT | ERROR_WRITE);
	write_cr0(read_cr0() & ~(uint64_t)CR0_WP);
	EXPECT(try_write(VA), NO_FAULT);
}

static void an_upper_level_can_take_the_right_to_write(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_RW, 1);
	*paging_entry(VA, 2) &= ~PTE_WRITE;
	invlpg(VA);
	write_cr0(read_cr0() | CR0_WP);
	expect_page_fault(try_write(VA), VA, ERROR_PRESENT | ERROR_WRITE);
}

static void reading_sets_accessed(void)
{
	uint64_t *entry = paging_map(VA, (uintptr_t)page_take() | PTE_RW, 1);

	EXPECT(try_read(VA), NO_FAULT);
	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED);
	EXPECT_TRUE(*paging_entry(VA, 2) & PTE_ACCESSED);
	EXPECT_TRUE(*paging_entry(VA, 3) & PTE_ACCESSED);
}

static void writing_sets_dirty(void)
{
	uint64_t *entry = paging_map(VA, (uintptr_t)page_take() | PTE_RW, 1);

	EXPECT(try_write(VA), NO_FAULT);
	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
}

static void writing_after_reading_sets_dirty(void)
{
	uint64_t *entry = paging_map(VA, (uintptr_t)page_take() | PTE_RW, 1);

	EXPECT(try_read(VA), NO_FAULT);
	EXPECT(try_write(VA), NO_FAULT);
	EXPECT_TRUE(*entry & PTE_DIRTY);
}

static void a_large_page_gets_dirty(void)
{
	uint64_t *entry = paging_map(VA, (uintptr_t)large | PTE_RW, 2);

	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), 0);
	EXPECT(try_write(VA + 4096), NO_FAULT);
	EXPECT(*entry & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
}

static void a_fault_leaves_the_bits_alone(void)
{
	uint64_t *entry = paging_map(VA, (uintptr_t)page_take() | PTE_PRESENT, 1);

	write_cr0(read_cr0() | CR0_WP);
	EXPECT(try_write(VA), VECTOR_PF);
	EXPECT(*entry & PTE_DIRTY, 0);
}

/* Two pages with different contents; @flush after the change of the entry. */
static void expect_flushed(void (*flush)(void))
{
	uint64_t *a = page_take(), *b = page_take(), *entry;

	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	entry = paging_map(VA, (uintptr_t)a | PTE_RW, 1);
	EXPECT(mmio64(VA), 0xaaaa);
	*entry = (uintptr_t)b | PTE_RW;
	flush();
	EXPECT(mmio64(VA), 0xbbbb);
	*entry = 0;
	flush();
	EXPECT(try_read(VA), VECTOR_PF);
}

static void flush_page(void)
{
	invlpg(VA + 123);
}

static void flush_by_cr3(void)
{
	write_cr3(read_cr3());
}

static void flush_by_cr4(void)
{
	write_cr4(read_cr4() ^ CR4_PGE);
}

static void flush_by_cr0(void)
{
	/* Out of and into protection of pages: WP is cached with the translation. */
	write_cr0(read_cr0() ^ CR0_WP);
	write_cr3(read_cr3());
}

static void invlpg_flushes(void)
{
	expect_flushed(flush_page);
}

static void a_load_of_cr3_flushes(void)
{
	expect_flushed(flush_by_cr3);
}

static void a_change_of_cr4_pge_flushes(void)
{
	expect_flushed(flush_by_cr4);
}

static void a_change_of_cr0_and_cr3_flushes(void)
{
	expect_flushed(flush_by_cr0);
}

static void invlpg_flushes_global_pages(void)
{
	uint64_t *a = page_take(), *b = page_take(), *entry;

	write_cr4(read_cr4() | CR4_PGE);
	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	entry = paging_map(VA, (uintptr_t)a | PTE_RW | PTE_GLOBAL, 1);
	EXPECT(mmio64(VA), 0xaaaa);
	*entry = (uintptr_t)b | PTE_RW | PTE_GLOBAL;
	invlpg(VA);
	EXPECT(mmio64(VA), 0xbbbb);
	*entry = (uintptr_t)a | PTE_RW | PTE_GLOBAL;
	write_cr4(read_cr4() & ~(uint64_t)CR4_PGE);
	EXPECT(mmio64(VA), 0xaaaa);
}

static void another_table_is_another_space(void)
{
	uint64_t *top = page_take(), *old = (uint64_t *)(uintptr_t)read_cr3();
	uint64_t *a = page_take(), *b = page_take(), cr3 = read_cr3();

	a[0] = 0xaaaa;
	b[0] = 0xbbbb;
	paging_map(VA, (uintptr_t)a | PTE_RW, 1);
	__builtin_memcpy(top, old, PAGE_BYTES);
	paging_map(VA2 + BIT(39), (uintptr_t)b | PTE_RW, 1);
	top[VA >> 39 & 511] = old[(VA + BIT(39)) >> 39 & 511];
	EXPECT(mmio64(VA), 0xaaaa);
	write_cr3((uintptr_t)top);
	EXPECT(read_cr3(), (uintptr_t)top);
	EXPECT(try_read(VA), VECTOR_PF);
	EXPECT(mmio64(VA2), 0xbbbb);
	write_cr3(cr3);
	EXPECT(mmio64(VA), 0xaaaa);
}

static void reserved_bits_of_cr3_fault(void)
{
	EXPECT(TRY("mov %0, %%cr3", : : "r"(read_cr3() | BIT(60)) : "memory"), VECTOR_GP);
}

static void reserved_bits_of_cr4_fault(void)
{
	EXPECT(TRY("mov %0, %%cr4", : : "r"(read_cr4() | BIT(31)) : "memory"), VECTOR_GP);
	EXPECT(TRY("mov %0, %%cr4",
		   :
		   : "r"(read_cr4() & ~(uint64_t)CR4_PAE)
		   : "memory"),
	       VECTOR_GP);
}

static void wrong_combinations_in_cr0_fault(void)
{
	EXPECT(TRY("mov %0, %%cr0", : : "r"(read_cr0() & ~(uint64_t)CR0_PE) : "memory"), VECTOR_GP);
	EXPECT(TRY("mov %0, %%cr0", : : "r"(read_cr0() | CR0_NW) : "memory"), VECTOR_GP);
}

static void upper_halves_of_control_registers_are_reserved(void)
{
	EXPECT(TRY("mov %0, %%cr0", : : "r"(read_cr0() | BIT(40)) : "memory"), VECTOR_GP);
	EXPECT(TRY("mov %0, %%cr4", : : "r"(read_cr4() | BIT(40)) : "memory"), VECTOR_GP);
}

static void an_address_that_is_not_canonical_is_no_page_fault(void)
{
	EXPECT(try_read(UINT64_C(0x0000800000000000)), VECTOR_GP);
	EXPECT(fault.error, 0);
}

static uint64_t user_rsp, user_rip;

/* Code that reads, writes or calls the address in %rdi. */
static uint64_t user_access(char what, uint64_t va)
{
	static const uint8_t read[] = { 0x48, 0x8b, 0x07, 0xcd, 0x81 };
	static const uint8_t write[] = { 0x48, 0x89, 0x07, 0xcd, 0x81 };
	static const uint8_t call[] = { 0xff, 0xd7, 0xcd, 0x81 };

	if (what == 'r')
		user_rip = paging_map_user_code(read, sizeof(read), &user_rsp);
	else if (what == 'w')
		user_rip = paging_map_user_code(write, sizeof(write), &user_rsp);
	else
		user_rip = paging_map_user_code(call, sizeof(call), &user_rsp);
	return ring3_run(user_rip, user_rsp, va, NULL);
}

static void users_reach_their_pages_only(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_RW | PTE_USER, 1);
	paging_map(VA + PAGE_BYTES, (uintptr_t)page_take() | PTE_RW, 1);
	EXPECT(user_access('r', VA), VECTOR_RING3_DONE);
	EXPECT(user_access('w', VA), VECTOR_RING3_DONE);
	expect_page_fault(user_access('r', VA + PAGE_BYTES), VA + PAGE_BYTES,
			  ERROR_PRESENT | ERROR_USER);
	expect_page_fault(user_access('w', VA + PAGE_BYTES), VA + PAGE_BYTES,
			  ERROR_PRESENT | ERROR_USER | ERROR_WRITE);
	expect_page_fault(user_access('r', VA + 2 * PAGE_BYTES), VA + 2 * PAGE_BYTES, ERROR_USER);
}

static void users_cannot_write_read_only_pages(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_PRESENT | PTE_USER, 1);
	EXPECT(user_access('r', VA), VECTOR_RING3_DONE);
	expect_page_fault(user_access('w', VA), VA, ERROR_PRESENT | ERROR_USER | ERROR_WRITE);
}

static void users_cannot_fetch_where_execution_is_off(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	paging_map(VA, (uintptr_t)page_take() | PTE_RW | PTE_USER | PTE_NX, 1);
	expect_page_fault(user_access('x', VA), VA, ERROR_PRESENT | ERROR_USER | ERROR_FETCH);
}

static void smep_stops_the_kernel_in_user_pages(void)
{
	uint8_t *page = page_take();

	if (!(cpuid(7, 0).ebx & BIT(7)))
		skip("no SMEP");
	page[0] = 0xc3;
	paging_map(VA, (uintptr_t)page | PTE_RW | PTE_USER, 1);
	EXPECT(try_call(VA), NO_FAULT);
	write_cr4(read_cr4() | CR4_SMEP);
	expect_page_fault(try_call(VA), VA, ERROR_PRESENT | ERROR_FETCH);
	EXPECT(try_read(VA), NO_FAULT);
	write_cr4(read_cr4() & ~(uint64_t)CR4_SMEP);
	EXPECT(try_call(VA), NO_FAULT);
}

static void smap_keeps_the_kernel_from_user_pages(void)
{
	if (!(cpuid(7, 0).ebx & BIT(20)))
		skip("no SMAP");
	paging_map(VA, (uintptr_t)page_take() | PTE_RW | PTE_USER, 1);
	EXPECT(try_read(VA), NO_FAULT);
	write_cr4(read_cr4() | CR4_SMAP);
	expect_page_fault(try_read(VA), VA, ERROR_PRESENT);
	expect_page_fault(try_write(VA), VA, ERROR_PRESENT | ERROR_WRITE);
	__asm__ volatile("stac");
	EXPECT(try_read(VA), NO_FAULT);
	__asm__ volatile("clac");
	EXPECT(try_read(VA), VECTOR_PF);
	write_cr4(read_cr4() & ~(uint64_t)CR4_SMAP);
	EXPECT(try_read(VA), NO_FAULT);
}

static void contexts_are_kept_apart_by_their_number(void)
{
	uint64_t cr3 = read_cr3();
	uint64_t *a = page_take();

	if (!(cpuid(1, 0).ecx & BIT(17)))
		skip("no PCID");
	write_cr4(read_cr4() | CR4_PCIDE);
	a[0] = 0xaaaa;
	paging_map(VA, (uintptr_t)a | PTE_RW, 1);
	write_cr3(cr3 | 1);
	EXPECT(mmio64(VA), 0xaaaa);
	write_cr3(cr3 | 2 | BIT(63));
	EXPECT(read_cr3(), cr3 | 2);
	EXPECT(mmio64(VA), 0xaaaa);
	write_cr3(cr3);
}

static void an_access_over_two_pages_faults_in_the_second(void)
{
	paging_map(VA, (uintptr_t)page_take() | PTE_RW, 1);
	paging_map(VA + PAGE_BYTES, 0, 1);
	expect_page_fault(try_write(VA + PAGE_BYTES - 3), VA + PAGE_BYTES, ERROR_WRITE);
	paging_map(VA + PAGE_BYTES, (uintptr_t)page_take() | PTE_RW, 1);
	EXPECT(try_write(VA + PAGE_BYTES - 3), NO_FAULT);
	EXPECT(mmio64(VA + PAGE_BYTES - 3), 1);
}

static void an_instruction_over_two_pages_is_fetched(void)
{
	uint8_t *first = page_take(), *second = page_take();

	/* mov $imm32, %eax; ret */
	first[PAGE_BYTES - 2] = 0xb8;
	first[PAGE_BYTES - 1] = 0x11;
	second[0] = 0x22;
	second[1] = 0x33;
	second[2] = 0x44;
	second[3] = 0xc3;
	paging_map(VA, (uintptr_t)first | PTE_PRESENT, 1);
	paging_map(VA + PAGE_BYTES, 0, 1);
	EXPECT(try_call(VA + PAGE_BYTES - 2), VECTOR_PF);
	EXPECT(fault.cr2, VA + PAGE_BYTES);
	EXPECT(fault.rip, VA + PAGE_BYTES - 2);
	paging_map(VA + PAGE_BYTES, (uintptr_t)second | PTE_PRESENT, 1);
	EXPECT(((uint32_t(*)(void))(VA + PAGE_BYTES - 2))(), 0x44332211);
}

/* The machine has 64 MiB: touches every page that the image doesn't use, once and again. */
static void every_page_of_memory_keeps_its_own(void)
{
	enum { START = 16 << 20, END = 64 << 20 };

	for (uint64_t page = START; page < END; page += PAGE_BYTES)
		mmio64(page) = page ^ 0x5555;
	for (uint64_t page = START; page < END; page += PAGE_BYTES)
		EXPECT(mmio64(page), page ^ 0x5555);
}

const struct test_case test_cases[] = {
	CASE(an_absent_page_faults),
	CASE(an_absent_table_faults),
	CASE(a_page_of_4_kib_is_mapped),
	CASE(a_page_of_2_mib_is_mapped),
	CASE(a_page_of_1_gib_is_mapped),
	CASE(a_large_page_with_reserved_bits_faults),
	CASE(an_address_beyond_the_physical_width_faults),
	CASE(no_execute_is_reserved_unless_enabled),
	CASE(no_execute_stops_a_fetch),
	CASE(code_in_a_new_page_runs),
	CASE(a_read_only_page_is_writable_without_wp),
	CASE(an_upper_level_can_take_the_right_to_write),
	CASE(reading_sets_accessed),
	CASE(writing_sets_dirty),
	CASE(writing_after_reading_sets_dirty),
	CASE(a_large_page_gets_dirty),
	CASE(a_fault_leaves_the_bits_alone),
	CASE(invlpg_flushes),
	CASE(a_load_of_cr3_flushes),
	CASE(a_change_of_cr4_pge_flushes),
	CASE(a_change_of_cr0_and_cr3_flushes),
	CASE(invlpg_flushes_global_pages),
	CASE(another_table_is_another_space),
	CASE(reserved_bits_of_cr3_fault),
	CASE(reserved_bits_of_cr4_fault),
	CASE(wrong_combinations_in_cr0_fault),
	CASE(upper_halves_of_control_registers_are_reserved),
	CASE(an_address_that_is_not_canonical_is_no_page_fault),
	CASE(users_reach_their_pages_only),
	CASE(users_cannot_write_read_only_pages),
	CASE(users_cannot_fetch_where_execution_is_off),
	CASE(smep_stops_the_kernel_in_user_pages),
	CASE(smap_keeps_the_kernel_from_user_pages),
	CASE(contexts_are_kept_apart_by_their_number),
	CASE(an_access_over_two_pages_faults_in_the_second),
	CASE(an_instruction_over_two_pages_is_fetched),
	CASE(every_page_of_memory_keeps_its_own),
	{ 0 },
};
