/*
 * Exceptions and interrupts: see trap.h.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/case_private.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { GATE_INTERRUPT = 0x8e, GATE_USER = 0xee, TSS_BYTES = 104, STACK_BYTES = 8192 };

extern const char trap_entries[]; /* 16 bytes each */
extern const char ring3_back[], case_abort[], halt_at[];
void ring3_enter(uint64_t rip, uint64_t rsp, uint64_t argument);
void trap(struct frame *frame);

struct gate idt[256] __attribute__((aligned(4096)));
struct fault fault;
uint64_t trap_landing, trap_landing_rsp;
uint32_t halts_broken;

static void (*handlers[256])(struct frame *frame);
static uint64_t ring3_rax;
static volatile bool is_restoring;

/* Stacks for traps from ring 3, and those of the interrupt stack table. */
static uint8_t ring0_stacks[CPUS_MAX][STACK_BYTES] __attribute__((aligned(16)));

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

static struct tss tss[CPUS_MAX] __attribute__((aligned(128)));

#define DESCRIPTOR_CODE64    0x00af9b000000ffffu
#define DESCRIPTOR_DATA	     0x00cf93000000ffffu
#define DESCRIPTOR_CODE32    0x00cf9b000000ffffu
#define DESCRIPTOR_CODE16    0x00009b000000ffffu
#define DESCRIPTOR_DATA16    0x000093000000ffffu
#define DESCRIPTOR_USER32    0x00cffb000000ffffu
#define DESCRIPTOR_USER_DATA 0x00cff3000000ffffu
#define DESCRIPTOR_USER64    0x00affb000000ffffu
#define DESCRIPTOR_ABSENT    0x00cf13000000ffffu
#define DESCRIPTOR_TSS	     0x0000890000000000u

uint64_t gdt_entries[SEL_TSS / 8 + 2 * CPUS_MAX] __attribute__((aligned(64)));

static void gdt_fill(void)
{
	static const uint64_t fixed[] = {
		0,
		DESCRIPTOR_CODE64,
		DESCRIPTOR_DATA,
		DESCRIPTOR_CODE32,
		DESCRIPTOR_CODE16,
		DESCRIPTOR_DATA16,
		DESCRIPTOR_USER32,
		DESCRIPTOR_USER_DATA,
		DESCRIPTOR_USER64,
		DESCRIPTOR_ABSENT,
	};

	for (uint32_t i = 0; i < COUNT_OF(fixed); i++)
		gdt_entries[i] = fixed[i];
}

static void gdt_set_tss(uint32_t cpu)
{
	uint64_t base = (uintptr_t)&tss[cpu];
	uint64_t *entry = &gdt_entries[SEL_TSS / 8 + 2 * cpu];

	entry[0] = DESCRIPTOR_TSS | (TSS_BYTES - 1) | (base & 0xffffff) << 16 |
		   (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

static void idt_fill(void)
{
	for (uint32_t i = 0; i < COUNT_OF(idt); i++) {
		uint64_t entry = (uintptr_t)trap_entries + 16 * i;
		bool is_for_users = i == VECTOR_BP || i == VECTOR_OF || i == VECTOR_RING3_DONE;

		idt[i] = (struct gate){
			.offset0 = (uint16_t)entry,
			.offset1 = (uint16_t)(entry >> 16),
			.offset2 = (uint32_t)(entry >> 32),
			.selector = SEL_CODE64,
			.type = is_for_users ? GATE_USER : GATE_INTERRUPT,
		};
	}
}

void trap_set_ist(uint32_t index, uint64_t rsp)
{
	tss[0].ist[index - 1] = rsp;
}

void trap_set_gate_ist(uint32_t vector, uint8_t ist)
{
	idt[vector].ist = ist;
}

void trap_init(uint32_t cpu)
{
	const struct descriptor_pointer gdt_at = { sizeof(gdt_entries) - 1,
						   (uintptr_t)gdt_entries };
	const struct descriptor_pointer idt_at = { sizeof(idt) - 1, (uintptr_t)idt };

	if (!cpu) {
		gdt_fill();
		idt_fill();
	}
	tss[cpu] = (struct tss){ .io_map = TSS_BYTES };
	tss[cpu].rsp[0] = (uintptr_t)ring0_stacks[cpu] + STACK_BYTES;
	gdt_set_tss(cpu);
	__asm__ volatile("lgdt %0; lidt %1" : : "m"(gdt_at), "m"(idt_at));
	__asm__ volatile("pushq %0; pushq $1f; lretq; 1:" : : "i"(SEL_CODE64) : "memory");
	__asm__ volatile("movw %w0, %%ds; movw %w0, %%es; movw %w0, %%ss" : : "r"(0));
	__asm__ volatile("lldt %w0; ltr %w1" : : "r"(0), "r"(SEL_TSS + 16 * cpu));
}

void trap_handle(uint32_t vector, void (*handler)(struct frame *frame))
{
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_SEQ_CST);
}

void trap_begin_restore(void)
{
	is_restoring = true;
	for (uint32_t i = 0; i < COUNT_OF(handlers); i++)
		trap_handle(i, NULL);
	trap_landing = 0;
}

void trap_end_restore(void)
{
	take_interrupts();
	is_restoring = false;
}

static void remember(const struct frame *frame)
{
	fault = (struct fault){ frame->vector, frame->error, frame->rip,
				frame->rflags, read_cr2(),   frame->rsp };
}

static void resume_at(struct frame *frame, const void *rip)
{
	frame->rip = (uintptr_t)rip;
	frame->cs = SEL_CODE64;
	frame->rflags = FLAG_ONE;
	frame->ss = 0;
}

static void unexpected(struct frame *frame)
{
	case_note("exception ", frame->vector, ", error ", frame->error, " at ", frame->rip,
		  ", cr2 ", read_cr2());
	if (cpu_index() != 0)
		for (;;)
			__asm__ volatile("cli; hlt");
	resume_at(frame, case_abort);
}

void trap(struct frame *frame)
{
	void (*handler)(struct frame * frame) =
		__atomic_load_n(&handlers[frame->vector], __ATOMIC_SEQ_CST);

	if (frame->rip == (uintptr_t)halt_at && frame->vector >= 32) {
		halts_broken++;
		frame->rip++;
	}
	if (handler) {
		handler(frame);
	} else if (is_restoring && (frame->vector >= 32 || frame->vector == VECTOR_NMI)) {
		if (frame->vector >= 32)
			apic_eoi();
	} else if ((frame->cs & 3) == 3) {
		remember(frame);
		ring3_rax = frame->rax;
		resume_at(frame, ring3_back);
	} else if (trap_landing && cpu_index() == 0) {
		remember(frame);
		frame->rip = trap_landing;
		frame->rsp = trap_landing_rsp;
		frame->rflags &= ~(uint64_t)FLAG_TF;
	} else {
		unexpected(frame);
	}
}

uint64_t ring3_run(uint64_t rip, uint64_t rsp, uint64_t argument, uint64_t *rax)
{
	ring3_enter(rip, rsp, argument);
	if (rax)
		*rax = ring3_rax;
	return fault.vector;
}

uint64_t try_rdmsr(uint32_t index, uint64_t *value)
{
	uint32_t low = 0, high = 0;
	uint64_t vector = TRY("rdmsr", : "+a"(low), "+d"(high) : "c"(index) : "memory");

	*value = (uint64_t)high << 32 | low;
	return vector;
}

uint64_t try_wrmsr(uint32_t index, uint64_t value)
{
	return TRY("wrmsr",
		   :
		   : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		   : "memory");
}
