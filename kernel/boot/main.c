/*
 * The order in which everything starts.
 */
#include <stddef.h>

#include "kernel/arch/regs.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"
#include "kernel/mem/init.h"
#include "kernel/mem/window.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

_Noreturn void boot_main(uint32_t magic, uint32_t information);

static _Noreturn void first_thread(void *argument)
{
	(void)argument;
	panic("expected a program to start (/sbin/init of the boot module), found no loader for it yet");
}

void boot_main(uint32_t magic, uint32_t information)
{
	struct thread *first;

	serial_init();
	print("Bulkhead");
	trap_init();
	trap_load();
	bootinfo_read(magic, information);
	mem_init();
	cpu_init(0, 0);
	nr_cpus = 1;
	window_init_cpu();
	clock_init();
	timers_init();
	apic_init();
	timers_init_cpu();
	sched_init();
	sched_init_cpu();
	print("processor: %s", cpu_features.brand);
	irq_enable();

	first = thread_create(first_thread, NULL, "init");
	if (!first)
		panic("no memory for the first thread");
	thread_wake(first);
	sched_idle();
}
