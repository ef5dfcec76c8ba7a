/*
 * What each processor has for itself. GS points to it while the kernel runs.
 */
#pragma once

#include "kernel/arch/segment.h"
#include "kernel/cpu/trace.h"

enum { CPUS_MAX = 256 };

struct thread;
struct runq;

/* The first four are known to entry.S by their offsets. */
struct cpu {
	struct cpu *self;	/* 0 */
	uint64_t kernel_stack;	/* 8: the current thread's, empty: where system calls start */
	uint64_t user_rsp;	/* 16: for a moment during entry */
	struct thread *current; /* 24 */
	uint32_t id;		/* 0 is the one that booted */
	uint32_t apic_id;
	bool needs_resched; /* [a] look at the run queue before going back to ring 3 or a guest */
	struct runq *runq;
	struct thread *idle;
	struct tss tss;
	uint64_t gdt[SELECTOR_END / 8];
	struct trace_ring trace;
};
static_assert(offsetof(struct cpu, kernel_stack) == 8, "entry.S");
static_assert(offsetof(struct cpu, user_rsp) == 16, "entry.S");
static_assert(offsetof(struct cpu, current) == 24, "entry.S");

extern struct cpu *cpus[CPUS_MAX];
extern uint32_t nr_cpus; /* online */

/* Valid while the caller can't be moved to another CPU: with interrupts off, or in kernel code that doesn't sleep. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	/* Volatile: a thread that has slept may be on another one. */
	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline struct thread *current_thread(void)
{
	struct thread *thread;

	__asm__ volatile("mov %%gs:24, %0" : "=r"(thread));
	return thread;
}

/* Looks what the first processor can do. Ends the boot if the processor lacks what nothing works without; warns of what is only missed. Before page tables with NX. */
void cpu_check(void);

/* Makes the calling processor CPU @id: its struct, descriptor tables, control registers. */
void cpu_init(uint32_t id, uint32_t apic_id);

/* What this processor can do, as found by cpu_check() on the first; all must be alike. */
struct cpu_features {
	bool has_smep, has_smap, has_umip, has_xsave, has_pge, has_nx, has_invariant_tsc,
		has_x2apic, has_tsc_deadline, has_svm, has_vmx;
	uint32_t physical_bits;
	char vendor[13];
	char brand[49];
};

extern struct cpu_features cpu_features;
