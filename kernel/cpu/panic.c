/*
 * The end: see panic.h.
 */
#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/symbol.h"
#include "kernel/cpu/trace.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/print.h"
#include "kernel/mem/init.h"
#include "kernel/mem/table.h"
#include "lib/format.h"

extern const uint8_t build_id_start[], build_id_end[], text_start[], text_end[];

enum {
	BACKTRACE_MAX = 24,
	TRACES_SHOWN = 8,	/* of each CPU: a screen has few lines */
	NOTE_HEADER_BYTES = 16, /* of the build id's ELF note, with its name */

	STATUS_PERSON = 2, /* for whoever emulates the machine */
	STATUS_PANIC = 111,
};

static void print_build(void)
{
	char text[48] = "";
	size_t length = 0;

	for (const uint8_t *byte = build_id_start + NOTE_HEADER_BYTES; byte < build_id_end; byte++)
		length += format_text(text + length, sizeof(text) - length, "%02x", *byte);
	print("build %s", text);
}

static void print_address(uint64_t address)
{
	const struct symbol *symbol = symbol_find(address);

	if (symbol)
		print("  %016lx %s+%#lx", address, symbol->name, address - symbol->address);
	else
		print("  %016lx", address);
}

static bool is_mapped(uint64_t address)
{
	const pte_t *entry;

	if (address < DIRECT_MAP_AT || !kernel_top)
		return address >= KERNEL_IMAGE_AT;
	entry = table_find(kernel_top, address, LEVEL_HUGE);
	if (entry && !(*entry & PTE_HUGE))
		entry = table_find(kernel_top, address, LEVEL_PAGE);
	return entry && (*entry & PTE_PRESENT);
}

/* A pointer to two words on a stack that can be followed: a fault in the middle of a panic would end it. */
static bool is_plausible(uint64_t frame)
{
	return frame % 8 == 0 && frame < UINT64_MAX - 16 && is_mapped(frame) &&
	       is_mapped(frame + 8);
}

static void print_backtrace(uint64_t frame)
{
	print("backtrace:");
	for (int i = 0; i < BACKTRACE_MAX && is_plausible(frame); i++) {
		const uint64_t *words = (const uint64_t *)frame;

		if (words[1] < DIRECT_MAP_AT)
			return;
		print_address(words[1]);
		if (words[0] <= frame)
			return; /* stacks grow down: a caller's frame is above */
		frame = words[0];
	}
}

/* After a wild jump or call RIP says nothing, but who made it may have left where it wanted to return to. */
static void print_place(const struct trap_frame *frame)
{
	bool is_wild = frame->rip < (uint64_t)text_start || frame->rip >= (uint64_t)text_end;

	print_address(frame->rip);
	if (is_wild && !trap_is_from_user(frame) && is_plausible(frame->rsp))
		print_address(*(const uint64_t *)frame->rsp);
}

static void print_registers(const struct trap_frame *frame)
{
	print("rip %016lx rsp %016lx rflags %08lx cs %02lx ss %02lx", frame->rip, frame->rsp,
	      frame->rflags, frame->cs, frame->ss);
	print("rax %016lx rbx %016lx rcx %016lx rdx %016lx", frame->rax, frame->rbx, frame->rcx,
	      frame->rdx);
	print("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", frame->rsi, frame->rdi, frame->rbp,
	      frame->r8);
	print("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", frame->r9, frame->r10, frame->r11,
	      frame->r12);
	print("r13 %016lx r14 %016lx r15 %016lx", frame->r13, frame->r14, frame->r15);
	print("cr0 %lx cr2 %lx cr3 %lx cr4 %lx vector %lu error %lx", read_cr0(), read_cr2(),
	      read_cr3(), read_cr4(), frame->vector, frame->error);
}

/* One CPU gets to speak; others that panic meanwhile stop silently, as does a panic within the panic. */
static void begin(const char *what, const char *format, va_list args)
{
	static uint32_t has_begun;
	char text[256];

	irq_disable();
	if (__atomic_exchange_n(&has_begun, 1, __ATOMIC_ACQ_REL))
		for (;;)
			__asm__ volatile("cli; hlt");
	smp_stop_others();
	print_break_lock();
	format_args(text, sizeof(text), format, args);
	print("%s: %s", what, text);
}

static _Noreturn void end(void)
{
	print("The machine has stopped. Reset it, and report the lines above.");
	smp_end_machine(STATUS_PANIC);
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin("PANIC", format, args);
	va_end(args);
	print_build();
	print_backtrace((uint64_t)__builtin_frame_address(0));
	trace_print(TRACES_SHOWN);
	end();
}

void panic_at(const struct trap_frame *frame, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin("PANIC", format, args);
	va_end(args);
	print_build();
	print_registers(frame);
	print_place(frame);
	print_backtrace(frame->rbp);
	trace_print(TRACES_SHOWN);
	end();
}

void cannot_go_on(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin("cannot go on", format, args);
	va_end(args);
	print("The machine has stopped.");
	smp_end_machine(STATUS_PERSON);
}

void assert_failed(const char *condition, const char *file, int line)
{
	panic("%s:%d: broken: %s", file, line, condition);
}
