/*
 * Starting the other processors: see smp_start.h. (Intel SDM vol. 3, "Multiple-Processor (MP) Initialization".)
 */
#include <string.h>

#include "kernel/acpi/acpi.h"
#include "kernel/arch/regs.h"
#include "kernel/boot/smp_start.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/dev/print.h"
#include "kernel/mem/init.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/window.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "kernel/virt/ops.h"

enum { TRAMPOLINE_PAGE = 8 };

#define INIT_WAIT_NS	UINT64_C(200000)
#define STARTUP_WAIT_NS UINT64_C(100000000) /* each of the two attempts */

extern const uint8_t trampoline_start[], trampoline_end[];

/* What the trampoline reads, and the one that it starts. One CPU is started at a time. */
uint64_t smp_start_top, smp_start_stack;
static uint32_t starting_id;
static bool has_arrived; /* [a] */

_Noreturn void secondary_main(void);

void secondary_main(void)
{
	cpu_init(starting_id, cpuid(1, 0).ebx >> 24);
	apic_init_cpu();
	this_cpu()->apic_id = apic_id();
	window_init_cpu();
	timers_init_cpu();
	sched_init_cpu();
	if (virt)
		virt->init_cpu();
	__atomic_store_n(&has_arrived, true, __ATOMIC_RELEASE);
	/* Until the first says that all is counted. */
	while (__atomic_load_n(&nr_cpus, __ATOMIC_ACQUIRE) <= this_cpu()->id)
		cpu_relax();
	irq_enable();
	sched_idle();
}

static bool wait_for_arrival(void)
{
	uint64_t end = clock_ns() + STARTUP_WAIT_NS;

	while (clock_ns() < end) {
		if (__atomic_load_n(&has_arrived, __ATOMIC_ACQUIRE))
			return true;
		cpu_relax();
	}
	return false;
}

/* INIT, then the startup message; once more if nobody comes. */
static bool start_one(uint32_t target)
{
	apic_send(target, SEND_INIT);
	clock_wait(INIT_WAIT_NS);
	for (int attempt = 0; attempt < 2; attempt++) {
		apic_send(target, SEND_STARTUP | TRAMPOLINE_PAGE);
		if (wait_for_arrival())
			return true;
	}
	return false;
}

static void place_trampoline(void)
{
	memcpy(window_open(WINDOW_A, hpa(TRAMPOLINE_PAGE * PAGE_BYTES)), trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	window_close(WINDOW_A);
}

static void start_cpu(uint32_t target)
{
	void *stack = stack_alloc();

	if (!stack || nr_cpus == CPUS_MAX) {
		print_warn("the CPU with APIC id %u stays off: no room for it", target);
		return;
	}
	starting_id = nr_cpus;
	smp_start_stack = (uint64_t)stack;
	__atomic_store_n(&has_arrived, false, __ATOMIC_RELEASE);
	if (!start_one(target)) {
		print_warn("the CPU with APIC id %u doesn't start", target);
		return;
	}
	__atomic_store_n(&nr_cpus, nr_cpus + 1, __ATOMIC_RELEASE);
}

void smp_start(void)
{
	smp_start_top = direct_hpa(kernel_top).v;
	place_trampoline();
	for (uint32_t i = 0; i < acpi.madt.nr_cpus; i++)
		if (acpi.madt.apic_ids[i] != this_cpu()->apic_id)
			start_cpu(acpi.madt.apic_ids[i]);
	if (nr_cpus > 1)
		print("processors: %u", nr_cpus);
}
