/*
 * Exceptions and interrupts: what the processor pushes, and who handles which vector.
 */
#pragma once

#include "lib/compiler.h"

enum trap_vector {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_INVALID_OPCODE = 6,
	TRAP_DEVICE_NOT_AVAILABLE = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_INVALID_TSS = 10,
	TRAP_SEGMENT = 11,
	TRAP_STACK = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE_FAULT = 14,
	TRAP_X87 = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
	TRAP_EXCEPTIONS = 32,

	/* Interrupts: devices from 32, then the kernel's own from the top. */
	VECTOR_DEVICE_FIRST = 32,
	VECTOR_DEVICE_END = 0xf0,
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_CALL = 0xf2,
	VECTOR_STOP = 0xf3,
	VECTOR_SPURIOUS = 0xff,
};

/* Frames that no trap made: a system call's, whose RCX and R11 are lost; and one whose registers all count. */
#define TRAP_FRAME_SYSCALL UINT64_C(0x100)
#define TRAP_FRAME_WHOLE   UINT64_C(0x101)

#define PAGE_FAULT_WRITE (1u << 1)
#define PAGE_FAULT_FETCH (1u << 4)

/* All registers at a trap or system call, as entry.S pushes them. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

static inline bool trap_is_from_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

/* What an exception is called; for all other vectors, that it is unexpected. */
const char *trap_name(uint64_t vector);

/* Goes on behind a fault of ring 0's that was to be expected where it happened (cpu/fixup.h); another one is the end. */
void trap_fix_up(struct trap_frame *frame);

/* Fills the IDT that all CPUs share. Once. */
void trap_init(void);
/* Loads it on this CPU. */
void trap_load(void);

/*
 * @before is called on the way back to ring 3, system calls' own excepted, with interrupts off, and returns with them off: for
 * signals and preemption. It may sleep, and change the frame. Once, before ring 3 runs.
 */
void trap_set_user_return(void (*before)(struct trap_frame *frame));

/* @handler runs with interrupts off and must acknowledge at the local APIC by irq_end() (cpu/apic.h). */
void trap_set_handler(uint32_t vector, void (*handler)(struct trap_frame *frame));
