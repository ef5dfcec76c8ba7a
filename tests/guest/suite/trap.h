/*
 * Exceptions and interrupts.
 *
 *   - trap_handle() puts a handler in place for the rest of the case. It gets the registers, may change them, and
 *     they are loaded when it returns. It must end an APIC's interrupt with apic_eoi().
 *   - TRY() runs instructions of which one may fault, and says which exception came (NO_FAULT: none). The rest is
 *     in `fault`.
 *   - ring3_run() runs code at CPL 3.
 *
 * TRY() and ring3_run() are for the first processor.
 */
#pragma once

#include "tests/guest/suite/case.h"

enum { NO_FAULT = 256, VECTOR_RING3_DONE = 0x81, VECTOR_WAKE = 0xf0 };

struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

void trap_handle(uint32_t vector, void (*handler)(struct frame *frame));

/*
 * Opens interrupts, halts until one has been taken, and closes them. No interrupt may come between STI and HLT, or the
 * processor could sleep for ever. Where one does, the handler's return skips the HLT, and halts_broken counts it.
 */
void halt(void);
extern uint32_t halts_broken;

/* What the last TRY() or ring3_run() met. */
extern struct fault {
	uint64_t vector, error, rip, rflags, cr2, rsp;
} fault;
extern uint64_t trap_landing, trap_landing_rsp;

/* Further arguments are those of an asm statement behind its text: at least a colon. */
#define TRY(code, ...)                                                        \
	({                                                                    \
		fault.vector = NO_FAULT;                                      \
		BARRIER();                                                    \
		__asm__ volatile("movq $771f, trap_landing\n"                 \
				 "movq %%rsp, trap_landing_rsp\n" code        \
				 "\n771: movq $0, trap_landing" __VA_ARGS__); \
		BARRIER();                                                    \
		fault.vector;                                                 \
	})

/* These two are what TRY() is mostly for; 0 for the value where it faults. */
uint64_t try_rdmsr(uint32_t index, uint64_t *value);
uint64_t try_wrmsr(uint32_t index, uint64_t value);

/*
 * Runs the code at @rip, which is mapped for users, with @rsp, at CPL 3 in 64-bit mode, until it faults or says
 * `int $0x81`; which of them is returned. %rdi is @argument; %rax at the end is in *@rax unless that is NULL.
 */
uint64_t ring3_run(uint64_t rip, uint64_t rsp, uint64_t argument, uint64_t *rax);

/* Selectors of the one GDT that all processors share. */
enum {
	SEL_CODE64 = 0x08,
	SEL_DATA = 0x10,
	SEL_CODE32 = 0x18,
	SEL_CODE16 = 0x20,
	SEL_DATA16 = 0x28,
	SEL_USER32 = 0x33,
	SEL_USER_DATA = 0x3b,
	SEL_USER64 = 0x43,
	SEL_ABSENT = 0x48, /* a data segment that isn't present */
	SEL_TEST = 0x50,   /* two entries for a case to fill */
	SEL_TSS = 0x60,	   /* one of 16 bytes per processor */
};

extern uint64_t gdt_entries[];

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern struct gate idt[256];

/* Bytes 0x24 to 0x5b of the first processor's task-state segment: the interrupt stack table, from 1. */
void trap_set_ist(uint32_t index, uint64_t rsp);
void trap_set_gate_ist(uint32_t vector, uint8_t ist);

/* Of the suite itself. */
void trap_init(uint32_t cpu); /* loads GDT, IDT, TSS */
void trap_begin_restore(
	void); /* forgets handlers; interrupts that are on their way are taken, and nothing is done about them */
void trap_end_restore(void);
