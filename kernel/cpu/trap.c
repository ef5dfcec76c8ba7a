/*
 * Exceptions and interrupts: see trap.h.
 */
#include "kernel/arch/regs.h"
#include "kernel/arch/segment.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fixup.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/trap.h"

enum {
	STUB_BYTES = 16,
	GATE_INTERRUPT = 0x8e, /* present, ring 0, interrupts off */
	GATE_INTERRUPT_USER = 0xee,
	VECTORS = 256,
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
static_assert(sizeof(struct gate) == 16, "AMD APM vol. 2, figure 4-24");

extern const uint8_t trap_stubs[];

static struct gate idt[VECTORS];
static void (*handlers[VECTORS])(struct trap_frame *frame);
static void (*before_user_return)(struct trap_frame *frame);

static const char *const exception_names[TRAP_EXCEPTIONS] = {
	[TRAP_DIVIDE] = "divide error",
	[TRAP_DEBUG] = "debug",
	[TRAP_NMI] = "non-maskable interrupt",
	[TRAP_BREAKPOINT] = "breakpoint",
	[TRAP_OVERFLOW] = "overflow",
	[TRAP_BOUND] = "bound range",
	[TRAP_INVALID_OPCODE] = "invalid opcode",
	[TRAP_DEVICE_NOT_AVAILABLE] = "device not available",
	[TRAP_DOUBLE_FAULT] = "double fault",
	[TRAP_INVALID_TSS] = "invalid TSS",
	[TRAP_SEGMENT] = "segment not present",
	[TRAP_STACK] = "stack fault",
	[TRAP_PROTECTION] = "general protection fault",
	[TRAP_PAGE_FAULT] = "page fault",
	[TRAP_X87] = "x87 error",
	[TRAP_ALIGNMENT] = "alignment check",
	[TRAP_MACHINE_CHECK] = "machine check",
	[TRAP_SIMD] = "SIMD error",
};

const char *trap_name(uint64_t vector)
{
	const char *name = vector < TRAP_EXCEPTIONS ? exception_names[vector] : NULL;

	return name ? name : "unexpected interrupt";
}

static const uint8_t ists[VECTORS] = {
	[TRAP_DOUBLE_FAULT] = IST_DOUBLE_FAULT,
	[TRAP_NMI] = IST_NMI,
	[TRAP_MACHINE_CHECK] = IST_MACHINE_CHECK,
};

void trap_init(void)
{
	for (uint32_t vector = 0; vector < VECTORS; vector++) {
		uint64_t stub = (uint64_t)&trap_stubs[vector * STUB_BYTES];
		bool is_users = vector == TRAP_BREAKPOINT || vector == TRAP_OVERFLOW;

		idt[vector] = (struct gate){
			.offset_low = (uint16_t)stub,
			.selector = SELECTOR_KERNEL_CODE,
			.ist = ists[vector],
			.type = is_users ? GATE_INTERRUPT_USER : GATE_INTERRUPT,
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
}

void trap_load(void)
{
	struct table_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void trap_set_handler(uint32_t vector, void (*handler)(struct trap_frame *frame))
{
	handlers[vector] = handler;
}

void trap_set_user_return(void (*before)(struct trap_frame *frame))
{
	before_user_return = before;
}

void trap_fix_up(struct trap_frame *frame)
{
	uint64_t landing = fixup_find(frame->rip);

	if (!landing)
		panic_at(frame, "%s in the kernel", trap_name(frame->vector));
	frame->rip = landing;
}

void trap_dispatch(struct trap_frame *frame);

void trap_dispatch(struct trap_frame *frame)
{
	if (cpus[0])
		trace(TRACE_TRAP, frame->vector, frame->rip);
	if (handlers[frame->vector]) {
		handlers[frame->vector](frame);
		if (trap_is_from_user(frame) && before_user_return && !ists[frame->vector])
			before_user_return(frame);
		return;
	}
	if (trap_is_from_user(frame))
		panic_at(frame, "%s in ring 3", trap_name(frame->vector));
	trap_fix_up(frame);
}
