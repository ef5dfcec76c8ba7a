/*
 * All CPUs at once: see smp.h.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/regs.h"
#include "kernel/arch/spinlock.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/trap.h"

/* Fields: [L] lock, held with interrupts on: whoever waits for it can still be called himself  [a] atomic */
static struct {
	uint32_t lock;
	void (*function)(void); /* [L] */
	uint32_t nr_left;	/* [a] CPUs that have yet to carry it out */
} call;

static void on_call(struct trap_frame *frame UNUSED)
{
	irq_end();
	call.function();
	__atomic_sub_fetch(&call.nr_left, 1, __ATOMIC_RELEASE);
}

static void send_to_others(uint32_t vector)
{
	uint32_t self = this_cpu()->id;

	for (uint32_t id = 0; id < nr_cpus; id++)
		if (id != self)
			apic_send(cpus[id]->apic_id, vector);
}

void smp_call_others(void (*function)(void))
{
	if (nr_cpus < 2)
		return;
	while (__atomic_exchange_n(&call.lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	call.function = function;
	__atomic_store_n(&call.nr_left, nr_cpus - 1, __ATOMIC_RELEASE);
	send_to_others(VECTOR_CALL);
	while (__atomic_load_n(&call.nr_left, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_store_n(&call.lock, 0, __ATOMIC_RELEASE);
}

static void on_stop(struct trap_frame *frame UNUSED)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void smp_init(void)
{
	trap_set_handler(VECTOR_CALL, on_call);
	trap_set_handler(VECTOR_STOP, on_stop);
}

void smp_stop_others(void)
{
	if (nr_cpus > 1)
		send_to_others(VECTOR_STOP);
}

/* Emulated servers may offer a port that ends them with a status; elsewhere nobody answers there. */
enum { DEBUG_EXIT_PORT = 0xf4, DEBUG_EXIT_BASE = 16, NOBODY = 0xff };

void smp_end_machine(uint8_t status)
{
	if (in8(DEBUG_EXIT_PORT) != NOBODY)
		out8(DEBUG_EXIT_PORT, DEBUG_EXIT_BASE + status);
	for (;;)
		__asm__ volatile("cli; hlt");
}
