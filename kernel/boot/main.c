/*
 * The order in which everything starts.
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/regs.h"
#include "kernel/arch/random.h"
#include "kernel/block/disk.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/boot/smp_start.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/ioapic.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/print.h"
#include "kernel/dev/screen.h"
#include "kernel/dev/serial.h"
#include "kernel/fs/console.h"
#include "kernel/fs/node.h"
#include "kernel/fs/objects.h"
#include "kernel/fs/proc.h"
#include "kernel/kvm/device.h"
#include "kernel/mem/init.h"
#include "kernel/mem/window.h"
#include "kernel/net/net.h"
#include "kernel/proc/fault.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "kernel/sched/load.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "kernel/svm/svm.h"
#include "kernel/virt/ops.h"

_Noreturn void boot_main(uint32_t magic, uint32_t information);

static const struct virt_ops *const virtualizations[] = { &svm_ops, NULL };

static _Noreturn void first_thread(void *argument UNUSED)
{
	node_init();
	console_init();
	objects_init();
	proc_init();
	futex_init();
	load_init();
	kvm_device_init();
	disks_init();
	net_init();
	pci_init();
	process_start_first();
}

void boot_main(uint32_t magic, uint32_t information)
{
	struct thread *first;

	serial_init();
	print("Bulkhead");
	trap_init();
	trap_load();
	bootinfo_read(magic, information);
	screen_init();
	print_again();
	cpu_check();
	mem_init();
	cpu_init(0, cpuid(1, 0).ebx >> 24);
	nr_cpus = 1;
	window_init_cpu();
	acpi_init();
	clock_init();
	timers_init();
	apic_init();
	timers_init_cpu();
	sched_init();
	sched_init_cpu();
	irq_init();
	ioapic_init();
	fault_init();
	random_init();
	print("processor: %s", cpu_features.brand);
	smp_init();
	virt_choose(virtualizations);
	irq_enable();
	smp_start();

	first = thread_create(first_thread, NULL, "init");
	if (!first)
		panic("no memory for the first thread");
	thread_wake(first);
	sched_idle();
}
