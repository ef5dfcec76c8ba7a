/*
 * The other processors: see cpus.h.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum { STACK_BYTES = 16384 };

extern const char startup_begin[], startup_end[]; /* startup.S */
extern uint32_t startup_cr3;
extern uint64_t startup_stack;
void cpu_main(void);

static uint8_t stacks[CPUS_MAX][STACK_BYTES] __attribute__((aligned(16)));
static uint32_t starting;
static bool is_up[CPUS_MAX];
static bool is_any_up;
static void (*works[CPUS_MAX])(void);

uint32_t cpus_count(void)
{
	uint32_t count = cpuid(1, 0).ebx >> 16 & 0xff;

	if (!count)
		return 1;
	return count < CPUS_MAX ? count : CPUS_MAX;
}

uint32_t cpu_index(void)
{
	uint64_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return (uint32_t)(selector - SEL_TSS) / 16;
}

static void woken(struct frame *frame __attribute__((unused)))
{
	apic_eoi();
}

static void serve(uint32_t cpu)
{
	for (;;) {
		void (*work)(void) = __atomic_load_n(&works[cpu], __ATOMIC_ACQUIRE);

		if (work) {
			work();
			cli();
			__atomic_store_n(&works[cpu], NULL, __ATOMIC_RELEASE);
		} else {
			halt();
		}
	}
}

/* From startup.S, in 64-bit mode. */
void cpu_main(void)
{
	uint32_t cpu = starting;

	trap_init(cpu);
	write_cr4(CR4_PAE | CR4_OSFXSR);
	apic_write(APIC_SVR, 0xff | SVR_ENABLED);
	__atomic_store_n(&is_up[cpu], true, __ATOMIC_RELEASE);
	serve(cpu);
}

void cpu_start_at(uint32_t cpu, const void *code, size_t bytes)
{
	if (bytes > STARTUP_BYTES)
		fail("the code has no room at STARTUP_AT");
	is_any_up = true;
	apic_send(cpu, ICR_INIT | ICR_ASSERT);
	__builtin_memcpy((void *)STARTUP_AT, code, bytes);
	apic_send(cpu, ICR_STARTUP | ICR_ASSERT | STARTUP_AT >> 12);
}

void cpus_start(void)
{
	if (cpus_count() < 2)
		skip("one processor");
	trap_handle(VECTOR_WAKE, woken);
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++) {
		starting = cpu;
		is_up[cpu] = false;
		works[cpu] = NULL;
		startup_cr3 = (uint32_t)read_cr3();
		startup_stack = (uintptr_t)stacks[cpu] + STACK_BYTES;
		cpu_start_at(cpu, startup_begin, (uintptr_t)startup_end - (uintptr_t)startup_begin);
		if (!WAIT(__atomic_load_n(&is_up[cpu], __ATOMIC_ACQUIRE)))
			fail("a processor doesn't start");
	}
}

void cpus_stop(void)
{
	if (is_any_up)
		apic_send(0, ICR_INIT | ICR_ASSERT | ICR_OTHERS);
	is_any_up = false;
}

void cpu_begin(uint32_t cpu, void (*work)(void))
{
	__atomic_store_n(&works[cpu], work, __ATOMIC_SEQ_CST);
	apic_send(cpu, ICR_FIXED | ICR_ASSERT | VECTOR_WAKE);
}

void cpu_wait(uint32_t cpu)
{
	if (!WAIT(!__atomic_load_n(&works[cpu], __ATOMIC_ACQUIRE)))
		fail("a processor doesn't come to the end of its work");
}

void cpu_run(uint32_t cpu, void (*work)(void))
{
	cpu_begin(cpu, work);
	cpu_wait(cpu);
}
