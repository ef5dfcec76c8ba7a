/*
 * FPU, SSE and AVX state over exits and between processors; XSAVE and what XSETBV refuses.
 *
 * Which exits: CPUID (the kernel's), a port and a device's memory (the monitor's), HLT (the thread sleeps).
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { VECTOR_A = 0x51, ECX_XSAVE = 1 << 26, ROUNDS = 50 };

struct image {
	uint8_t bytes[2048];
} __attribute__((aligned(64)));

static struct image before, after;

static void leave_the_guest(void)
{
	(void)cpuid(0, 0);
	(void)inb(0x80);
	(void)mmio32(0xd0000000);
	(void)mmio32(APIC_AT + APIC_VERSION);
}

static void fill(uint8_t seed)
{
	static uint8_t pattern[256] __attribute__((aligned(16)));

	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(seed + 3 * i);
	__asm__ volatile("fninit; fldpi; fld1; fldl2t\n"
			 "movaps 0x00(%0), %%xmm0; movaps 0x10(%0), %%xmm1\n"
			 "movaps 0x20(%0), %%xmm2; movaps 0x30(%0), %%xmm3\n"
			 "movaps 0x40(%0), %%xmm4; movaps 0x50(%0), %%xmm5\n"
			 "movaps 0x60(%0), %%xmm6; movaps 0x70(%0), %%xmm7\n"
			 "movaps 0x80(%0), %%xmm8; movaps 0x90(%0), %%xmm9\n"
			 "movaps 0xa0(%0), %%xmm10; movaps 0xb0(%0), %%xmm11\n"
			 "movaps 0xc0(%0), %%xmm12; movaps 0xd0(%0), %%xmm13\n"
			 "movaps 0xe0(%0), %%xmm14; movaps 0xf0(%0), %%xmm15\n"
			 :
			 : "r"(pattern)
			 : "memory");
}

static void save(struct image *image)
{
	__asm__ volatile("fxsave64 %0" : "=m"(*image) : : "memory");
}

static uint32_t first_difference(void)
{
	for (uint32_t i = 0; i < 416; i++)
		if (before.bytes[i] != after.bytes[i])
			return i;
	return UINT32_MAX;
}

static void registers_survive_exits(void)
{
	for (uint32_t i = 0; i < 10; i++) {
		fill((uint8_t)i);
		save(&before);
		leave_the_guest();
		save(&after);
		EXPECT(first_difference(), UINT32_MAX);
	}
}

static void wake(struct frame *frame __attribute__((unused)))
{
	apic_eoi();
}

static void registers_survive_sleep(void)
{
	trap_handle(VECTOR_A, wake);
	apic_write(APIC_LVT_TIMER, LVT_ONE_SHOT | VECTOR_A);
	for (uint32_t i = 0; i < 5; i++) {
		fill((uint8_t)(0x80 + i));
		save(&before);
		apic_write(APIC_TIMER_INITIAL, 1000000);
		halt();
		save(&after);
		EXPECT(first_difference(), UINT32_MAX);
	}
}

static void control_words_survive(void)
{
	const uint16_t control = 0x27f;
	const uint32_t mxcsr = 0x3f80;
	uint16_t control_after;
	uint32_t mxcsr_after;

	__asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
	leave_the_guest();
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control_after), "=m"(mxcsr_after));
	EXPECT(control_after, control);
	EXPECT(mxcsr_after, mxcsr);
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"((uint32_t){ 0x1f80 }));
}

static volatile uint32_t wrong[CPUS_MAX];

/* Each with its own values, and all at once. */
static void keep_own(void)
{
	uint64_t mine = 0x1111111111111111u * (cpu_index() + 1), read = 0;

	wrong[cpu_index()] = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		__asm__ volatile("movq %0, %%xmm5; movq %0, %%xmm13" : : "r"(mine + i));
		leave_the_guest();
		__asm__ volatile("movq %%xmm5, %0" : "=r"(read));
		wrong[cpu_index()] += read != mine + i;
		__asm__ volatile("movq %%xmm13, %0" : "=r"(read));
		wrong[cpu_index()] += read != mine + i;
	}
}

static void each_processor_has_its_own(void)
{
	cpus_start();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_begin(cpu, keep_own);
	keep_own();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_wait(cpu);
	for (uint32_t cpu = 0; cpu < cpus_count(); cpu++)
		EXPECT(wrong[cpu], 0);
}

static void need_xsave(void)
{
	if (!(cpuid(1, 0).ecx & ECX_XSAVE))
		skip("no XSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
}

static uint64_t try_xsetbv(uint32_t index, uint64_t value)
{
	return TRY("xsetbv",
		   :
		   : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		   : "memory");
}

static uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static void xcr0_starts_with_the_fpu(void)
{
	need_xsave();
	EXPECT(xgetbv(0), 1);
}

static void xsetbv_refuses_what_is_not_there(void)
{
	need_xsave();
	EXPECT(try_xsetbv(0, 0), VECTOR_GP); /* the FPU can't be left out */
	EXPECT(try_xsetbv(0, 5), VECTOR_GP); /* AVX without SSE */
	EXPECT(try_xsetbv(0, BIT(62) | 1), VECTOR_GP);
	EXPECT(try_xsetbv(1, 1), VECTOR_GP);
	EXPECT(xgetbv(0), 1);
}

static void xsetbv_needs_its_bit(void)
{
	need_xsave();
	write_cr4(read_cr4() & ~(uint64_t)CR4_OSXSAVE);
	EXPECT(try_xsetbv(0, 1), VECTOR_UD);
}

static void xcr0_is_kept(void)
{
	need_xsave();
	EXPECT(try_xsetbv(0, 3), NO_FAULT);
	EXPECT(xgetbv(0), 3);
	leave_the_guest();
	EXPECT(xgetbv(0), 3);
	EXPECT(try_xsetbv(0, 1), NO_FAULT);
}

static void upper_halves_of_ymm_survive(void)
{
	static uint8_t in[32] __attribute__((aligned(32))), out[32] __attribute__((aligned(32)));

	need_xsave();
	if (!(cpuid(1, 0).ecx & BIT(28)))
		skip("no AVX");
	for (uint32_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(0x30 + i);
	EXPECT(try_xsetbv(0, 7), NO_FAULT);
	__asm__ volatile("vmovdqa %0, %%ymm9" : : "m"(in));
	leave_the_guest();
	EXPECT(TRY("vmovdqa %%ymm9, %0", : "=m"(out)), NO_FAULT);
	for (uint32_t i = 0; i < sizeof(in); i++)
		EXPECT(out[i], in[i]);
	EXPECT(try_xsetbv(0, 1), NO_FAULT);
}

static void xsave_and_xrstor_work(void)
{
	need_xsave();
	EXPECT(try_xsetbv(0, 3), NO_FAULT);
	fill(0x11);
	save(&before);
	for (uint32_t i = 0; i < sizeof(after.bytes); i++)
		after.bytes[i] = 0;
	__asm__ volatile("xsave64 %0" : "+m"(after) : "a"(3), "d"(0) : "memory");
	EXPECT(after.bytes[512] & 3, 3);
	fill(0x77);
	__asm__ volatile("xrstor64 %0" : : "m"(after), "a"(3), "d"(0) : "memory");
	save(&after);
	EXPECT(first_difference(), UINT32_MAX);
	EXPECT(try_xsetbv(0, 1), NO_FAULT);
}

static void the_task_switched_bit_survives(void)
{
	write_cr0(read_cr0() | CR0_TS);
	leave_the_guest();
	EXPECT_TRUE(read_cr0() & CR0_TS);
	EXPECT(TRY("movq %%xmm0, %%rax", : : : "rax"), VECTOR_NM);
	leave_the_guest();
	__asm__ volatile("clts");
	EXPECT(read_cr0() & CR0_TS, 0);
}

const struct test_case test_cases[] = {
	CASE(registers_survive_exits),	      CASE(registers_survive_sleep),
	CASE(control_words_survive),	      CASE(each_processor_has_its_own),
	CASE(xcr0_starts_with_the_fpu),	      CASE(xsetbv_refuses_what_is_not_there),
	CASE(xsetbv_needs_its_bit),	      CASE(xcr0_is_kept),
	CASE(upper_halves_of_ymm_survive),    CASE(xsave_and_xrstor_work),
	CASE(the_task_switched_bit_survives), { 0 },
};
