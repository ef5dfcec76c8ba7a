/*
 * String instructions on ports: INS and OUTS, repeated, in both directions, over the edges of pages, through segments.
 *
 * The serial port in loop-back mode, with its FIFO on, gives back the 16 bytes that were last written to it. The PCI address
 * register keeps 32 bits.
 */
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum {
	DATA = 0x3f8,
	FIFO = 0x3fa,
	MODEM = 0x3fc,
	LOOP = 0x10,
	PCI_ADDRESS = 0xcf8,
	PCI_DATA = 0xcfc
};

static uint8_t from[64] __attribute__((aligned(16))), to[64] __attribute__((aligned(16)));

/* Everything between this and speak() is lost on the way to us, and nothing must be printed. */
static void loop_back(void)
{
	outb(MODEM, LOOP);
	outb(FIFO, 7);
	for (uint32_t i = 0; i < sizeof(from); i++) {
		from[i] = (uint8_t)(0x40 + i);
		to[i] = 0;
	}
}

static void speak(void)
{
	outb(FIFO, 0);
	outb(MODEM, 0);
}

static void expect_bytes(uint32_t first, uint32_t n, uint32_t value)
{
	for (uint32_t i = 0; i < n; i++)
		EXPECT(to[first + i], value + i);
}

static void single_bytes(void)
{
	uint64_t rsi = (uintptr_t)from, rdi = (uintptr_t)to;

	loop_back();
	__asm__ volatile("outsb" : "+S"(rsi) : "d"(DATA) : "memory");
	__asm__ volatile("insb" : "+D"(rdi) : "d"(DATA) : "memory");
	speak();
	EXPECT(rsi, (uintptr_t)from + 1);
	EXPECT(rdi, (uintptr_t)to + 1);
	expect_bytes(0, 1, 0x40);
	EXPECT(to[1], 0);
}

static void repeated_bytes(void)
{
	uint64_t rsi = (uintptr_t)from, rdi = (uintptr_t)to, n = 16, m = 16;

	loop_back();
	__asm__ volatile("rep outsb" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	EXPECT(n, 0);
	EXPECT(m, 0);
	EXPECT(rsi, (uintptr_t)from + 16);
	EXPECT(rdi, (uintptr_t)to + 16);
	expect_bytes(0, 16, 0x40);
	EXPECT(to[16], 0);
}

static void none_at_all(void)
{
	uint64_t rsi = (uintptr_t)from, rdi = (uintptr_t)to, n = 0;

	loop_back();
	__asm__ volatile("rep outsb; rep insb"
			 : "+S"(rsi), "+D"(rdi), "+c"(n)
			 : "d"(DATA)
			 : "memory");
	speak();
	EXPECT(n, 0);
	EXPECT(rsi, (uintptr_t)from);
	EXPECT(rdi, (uintptr_t)to);
	EXPECT(to[0], 0);
}

static void backwards(void)
{
	uint64_t rsi = (uintptr_t)from + 7, rdi = (uintptr_t)to + 7, n = 8, m = 8;

	loop_back();
	__asm__ volatile("std; rep outsb; cld" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	__asm__ volatile("std; rep insb; cld" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	EXPECT(rsi, (uintptr_t)from - 1);
	EXPECT(rdi, (uintptr_t)to - 1);
	expect_bytes(0, 8, 0x40);
	EXPECT(to[8], 0);
}

static void backwards_out_forwards_in(void)
{
	uint64_t rsi = (uintptr_t)from + 3, rdi = (uintptr_t)to, n = 4, m = 4;

	loop_back();
	__asm__ volatile("std; rep outsb; cld" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	for (uint32_t i = 0; i < 4; i++)
		EXPECT(to[i], 0x43 - i);
}

static void the_count_has_32_bits_with_short_addresses(void)
{
	uint64_t rsi = 0xffffffff00000000u | (uintptr_t)from, n = 0xffffffff00000004u, m = 4;
	uint64_t rdi = (uintptr_t)to;

	loop_back();
	__asm__ volatile("rep addr32 outsb" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	EXPECT(n, 0);
	EXPECT(rsi, (uintptr_t)from + 4);
	expect_bytes(0, 4, 0x40);
}

static void over_the_edge_of_a_page(void)
{
	uint8_t *first = page_take(), *spare = page_take(), *second = page_take();
	const uint64_t edge = PAGING_FREE_AT + PAGE_BYTES;
	uint64_t rsi = edge - 5, rdi = edge - 3, n = 12, m = 12;

	(void)spare; /* the two are not neighbours */
	paging_map(PAGING_FREE_AT, (uintptr_t)first | PTE_RW, 1);
	paging_map(edge, (uintptr_t)second | PTE_RW, 1);
	for (uint32_t i = 0; i < 12; i++)
		mmio8(edge - 5 + i) = (uint8_t)(0x60 + i);
	loop_back();
	__asm__ volatile("rep outsb" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	for (uint32_t i = 0; i < 12; i++)
		EXPECT(mmio8(edge - 3 + i), 0x60 + i);
	EXPECT(rdi, edge + 9);
}

static void up_to_a_page_that_is_not_there(void)
{
	const uint64_t edge = PAGING_FREE_AT + PAGE_BYTES;
	uint64_t rsi = (uintptr_t)from, n = 16, rdi = edge - 5, m = 16, vector;

	paging_map(PAGING_FREE_AT, (uintptr_t)page_take() | PTE_RW, 1);
	paging_map(edge, 0, 1);
	loop_back();
	__asm__ volatile("rep outsb" : "+S"(rsi), "+c"(n) : "d"(DATA) : "memory");
	vector = TRY("rep insb", : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	EXPECT(vector, VECTOR_PF);
	EXPECT(fault.cr2, edge);
	EXPECT(fault.error, ERROR_WRITE);
	EXPECT(m, 11);
	EXPECT(rdi, edge);
	for (uint32_t i = 0; i < 5; i++)
		EXPECT(mmio8(edge - 5 + i), 0x40 + i);
}

static void reading_where_no_page_is(void)
{
	uint64_t rsi = PAGING_FREE_AT, n = 4;

	paging_map(PAGING_FREE_AT, 0, 1);
	EXPECT(TRY("rep outsb", : "+S"(rsi), "+c"(n) : "d"(0x80) : "memory"), VECTOR_PF);
	EXPECT(fault.cr2, PAGING_FREE_AT);
	EXPECT(fault.error, 0);
	EXPECT(n, 4);
	EXPECT(rsi, PAGING_FREE_AT);
}

static void into_a_read_only_page(void)
{
	uint64_t rdi = PAGING_FREE_AT, n = 4;

	paging_map(PAGING_FREE_AT, (uintptr_t)page_take() | PTE_PRESENT, 1);
	write_cr0(read_cr0() | CR0_WP);
	EXPECT(TRY("rep insb", : "+D"(rdi), "+c"(n) : "d"(0x80) : "memory"), VECTOR_PF);
	EXPECT(fault.error, ERROR_PRESENT | ERROR_WRITE);
	EXPECT(n, 4);
}

static void through_a_segment(void)
{
	uint64_t rsi = 8, n = 4, rdi = (uintptr_t)to, m = 4;

	loop_back();
	wrmsr(MSR_FS_BASE, (uintptr_t)from);
	__asm__ volatile("rep outsb %%fs:(%%rsi), %%dx"
			 : "+S"(rsi), "+c"(n)
			 : "d"(DATA)
			 : "memory");
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(m) : "d"(DATA) : "memory");
	speak();
	wrmsr(MSR_FS_BASE, 0);
	expect_bytes(0, 4, 0x48);
	EXPECT(rsi, 12);
}

static void double_words(void)
{
	uint32_t words[4] = { 0x80001000u, 0x80001004u, 0x80002008u, 0x8000300cu }, read[4] = { 0 };
	uint64_t rsi = (uintptr_t)words, rdi = (uintptr_t)read, n = 4, m = 3;

	__asm__ volatile("rep outsl" : "+S"(rsi), "+c"(n) : "d"(PCI_ADDRESS) : "memory");
	__asm__ volatile("rep insl" : "+D"(rdi), "+c"(m) : "d"(PCI_ADDRESS) : "memory");
	EXPECT(rsi, (uintptr_t)words + 16);
	EXPECT(rdi, (uintptr_t)read + 12);
	EXPECT(read[0], 0x8000300cu);
	EXPECT(read[2], 0x8000300cu);
	EXPECT(read[3], 0);
}

static void words(void)
{
	uint16_t read[4] = { 0 };
	uint64_t rdi = (uintptr_t)read, n = 3;

	outl(PCI_ADDRESS, 0x80000000u);
	__asm__ volatile("rep insw" : "+D"(rdi), "+c"(n) : "d"(PCI_DATA) : "memory");
	EXPECT(rdi, (uintptr_t)read + 6);
	EXPECT(read[0], inl(PCI_DATA) & 0xffff);
	EXPECT(read[2], read[0]);
	EXPECT(read[3], 0);
}

/* More than fits into one exchange with the monitor. */
static void a_thousand_bytes(void)
{
	uint64_t rdi = (uintptr_t)page_take(), n = 1000, start = rdi;

	loop_back();
	outb(0x3ff, 0x77); /* the scratch register */
	__asm__ volatile("rep insb" : "+D"(rdi), "+c"(n) : "d"(0x3ff) : "memory");
	speak();
	EXPECT(n, 0);
	EXPECT(rdi, start + 1000);
	for (uint32_t i = 0; i < 1000; i++)
		EXPECT(mmio8(start + i), 0x77);
	EXPECT(mmio8(start + 1000), 0);
}

static void a_thousand_bytes_out(void)
{
	volatile uint8_t *page = page_take();
	uint64_t rsi = (uintptr_t)page, n = 1000;

	page[999] = 0x5c;
	__asm__ volatile("rep outsb" : "+S"(rsi), "+c"(n) : "d"(0x3ff) : "memory");
	EXPECT(n, 0);
	EXPECT(inb(0x3ff), 0x5c);
}

static void plain_ports_in_all_sizes(void)
{
	uint64_t rax = ~0ull;

	outl(PCI_ADDRESS, 0x80001234u);
	/* 8 and 16 bits leave the rest of the register, 32 bits clear it. */
	__asm__ volatile("inb %w1, %b0" : "+a"(rax) : "d"(0x3ff));
	EXPECT(rax >> 8, UINT64_MAX >> 8);
	rax = ~0ull;
	outl(PCI_ADDRESS, 0x80000000u);
	__asm__ volatile("inw %w1, %w0" : "+a"(rax) : "d"(PCI_DATA));
	EXPECT(rax >> 16, UINT64_MAX >> 16);
	rax = ~0ull;
	__asm__ volatile("inl %w1, %k0" : "+a"(rax) : "d"(PCI_ADDRESS));
	EXPECT(rax, 0x80000000u);
	rax = ~0ull;
	outb(0x92 - 0x12, 0); /* the port as an immediate */
	__asm__ volatile("inb $0x80, %%al" : "+a"(rax));
	EXPECT(rax >> 8, UINT64_MAX >> 8);
}

static void ports_without_a_device_read_ones(void)
{
	EXPECT(inb(0x1234), 0xff);
	EXPECT(inw(0x1234), 0xffff);
	EXPECT(inl(0x1234), UINT32_MAX);
}

const struct test_case test_cases[] = {
	CASE(single_bytes),
	CASE(repeated_bytes),
	CASE(none_at_all),
	CASE(backwards),
	CASE(backwards_out_forwards_in),
	CASE(the_count_has_32_bits_with_short_addresses),
	CASE(over_the_edge_of_a_page),
	CASE(up_to_a_page_that_is_not_there),
	CASE(reading_where_no_page_is),
	CASE(into_a_read_only_page),
	CASE(through_a_segment),
	CASE(double_words),
	CASE(words),
	CASE(a_thousand_bytes),
	CASE(a_thousand_bytes_out),
	CASE(plain_ports_in_all_sizes),
	CASE(ports_without_a_device_read_ones),
	{ 0 },
};
