/*
 * The processor's own local APIC: see apic.h. (AMD APM vol. 2, 16 "Advanced Programmable Interrupt Controller".)
 */
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/trap.h"
#include "kernel/mem/kspace.h"

/* Offsets of the memory-mapped registers; the x2APIC's MSRs are at MSR_X2APIC + offset / 16. */
enum apic_register {
	APIC_ID = 0x20,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

enum {
	BASE_ENABLE = 1 << 11,
	BASE_X2APIC = 1 << 10,
	SPURIOUS_ENABLE = 1 << 8,
	LVT_MASKED = 1 << 16,
	LVT_TSC_DEADLINE = 2 << 17,
	LVT_NMI = 4 << 8,
	DIVIDE_BY_1 = 0xb,
	ICR_ASSERT = 1 << 14,
	ICR_PENDING = 1 << 12,
	CALIBRATION_NS = 1000000,

	PIC_MASTER_DATA = 0x21,
	PIC_SLAVE_DATA = 0xa1,
	PIC_ALL_MASKED = 0xff,
};

static volatile uint32_t *registers; /* NULL: x2APIC */
static uint64_t timer_factor;	     /* ticks per ns, for clock_scale() */

static uint32_t apic_read(enum apic_register reg)
{
	return registers ? registers[reg / 4] : (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
}

static void apic_write(enum apic_register reg, uint32_t value)
{
	if (registers)
		registers[reg / 4] = value;
	else
		wrmsr(MSR_X2APIC + reg / 16, value);
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return registers ? id >> 24 : id;
}

void irq_end(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t target, uint32_t what)
{
	uint32_t command = what | ICR_ASSERT;
	uint64_t flags;

	if (!registers) {
		/* Stores before this one are to be seen by whoever is interrupted: WRMSR here doesn't wait for them. */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC + APIC_ICR_LOW / 16, (uint64_t)target << 32 | command);
		return;
	}
	flags = irq_save();
	while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, target << 24);
	apic_write(APIC_ICR_LOW, command);
	irq_restore(flags);
}

static void calibrate_timer(void)
{
	uint64_t start, timer_hz;

	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	start = clock_ns();
	while (clock_ns() - start < CALIBRATION_NS)
		cpu_relax();
	timer_hz = (uint64_t)(UINT32_MAX - apic_read(APIC_TIMER_CURRENT)) *
		   (1000000000 / CALIBRATION_NS);
	apic_write(APIC_TIMER_INITIAL, 0);
	if (!timer_hz)
		panic("the local APIC's timer stands still");
	timer_factor = clock_factor(timer_hz);
}

/* The old controllers stay silent: what firmware left pending in them must not come up as somebody's vector. */
static void silence_pics(void)
{
	out8(PIC_MASTER_DATA, PIC_ALL_MASKED);
	out8(PIC_SLAVE_DATA, PIC_ALL_MASKED);
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	silence_pics();
	if (!cpu_features.has_x2apic) {
		registers = kspace_map(hpa(base & PTE_ADDRESS), PAGE_BYTES,
				       PTE_WRITE | PTE_PCD | PTE_PWT);
		if (!registers)
			panic("the local APIC cannot be mapped");
	}
	apic_init_cpu();
	if (!cpu_features.has_tsc_deadline) {
		calibrate_timer();
		apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
	}
}

static void ignore(struct trap_frame *frame UNUSED)
{
}

void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;

	wrmsr(MSR_APIC_BASE, base);
	if (!registers)
		wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
	trap_set_handler(VECTOR_SPURIOUS, ignore);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER,
		   cpu_features.has_tsc_deadline ? LVT_TSC_DEADLINE | VECTOR_TIMER : VECTOR_TIMER);
}

void apic_timer_set(uint64_t when_ns)
{
	uint64_t now, ticks;

	if (cpu_features.has_tsc_deadline) {
		wrmsr(MSR_TSC_DEADLINE, when_ns == UINT64_MAX ? 0 : clock_to_tsc(when_ns));
		return;
	}
	if (when_ns == UINT64_MAX) {
		apic_write(APIC_TIMER_INITIAL, 0);
		return;
	}
	/* Far away is a stop on the way: whoever set it looks again then. */
	now = clock_ns();
	ticks = when_ns > now ? clock_scale(when_ns - now, timer_factor) : 0;
	if (!ticks)
		ticks = 1;
	apic_write(APIC_TIMER_INITIAL, ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}
