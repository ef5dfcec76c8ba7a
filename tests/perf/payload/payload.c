/*
 * What single exits cost: a guest without an operating system, which runs each operation many
 * times, times each run with the TSC and says on the serial port
 *
 *     bench: NAME MINIMUM
 *     bench: NAME.average AVERAGE
 *
 * and at last `bench: end`. What the two reads of the TSC themselves take is in the figures.
 *
 * With the command line `touch-all` it does nothing but write to every page of its RAM, and say
 * `bench: touched BYTES`.
 *
 * On a machine without KVM beneath it leaves the hypercall out and does the rest.
 */
#include <stdbool.h>
#include <stdint.h>

/* Xen's "x86/HVM direct boot ABI": struct hvm_start_info, version 1. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t nr_memory_map, reserved;
};

struct memory_range {
	uint64_t start, bytes;
	uint32_t type, reserved;
};

void payload_main(const struct start_info *info);

enum {
	SERIAL_PORT = 0x3f8,
	SERIAL_STATUS_PORT = SERIAL_PORT + 5,
	SERIAL_SCRATCH_PORT =
		SERIAL_PORT + 7, /* a register that does nothing, in every monitor's own code */
	SERIAL_IS_READY = 1 << 5,
	PIC_MASK_PORT = 0x21,
	PIC2_MASK_PORT = 0xa1,
};

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* --- saying --- */

static void say_byte(char byte)
{
	while (!(inb(SERIAL_STATUS_PORT) & SERIAL_IS_READY))
		;
	outb(SERIAL_PORT, (uint8_t)byte);
}

static void say(const char *text)
{
	for (; *text; text++)
		say_byte(*text);
}

static void say_number(uint64_t number)
{
	if (number >= 10)
		say_number(number / 10);
	say_byte((char)('0' + number % 10));
}

static void say_figure(const char *name, const char *kind, uint64_t value)
{
	say("bench: ");
	say(name);
	say(kind);
	say(" ");
	say_number(value);
	say("\n");
}

/* --- timing --- */

struct figures {
	uint64_t min, sum;
	uint32_t times;
};

static void figures_add(struct figures *figures, uint64_t value)
{
	if (!figures->times++ || value < figures->min)
		figures->min = value;
	figures->sum += value;
}

static void figures_say(const struct figures *figures, const char *name)
{
	say_figure(name, "", figures->min);
	say_figure(name, ".average", figures->sum / figures->times);
}

static uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

enum { TIMES = 10000, TIMER_TIMES = 1000 };

#define TIME(name, operation)                                   \
	do {                                                    \
		struct figures figures_ = { 0 };                \
                                                                \
		for (uint32_t i_ = 0; i_ < TIMES; i_++) {       \
			uint64_t start_ = now();                \
                                                                \
			operation;                              \
			figures_add(&figures_, now() - start_); \
		}                                               \
		figures_say(&figures_, name);                   \
	} while (0)

/* --- operations --- */

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid out;

	asm volatile("cpuid"
		     : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx)
		     : "a"(leaf), "c"(0));
	return out;
}

static bool has_kvm(void)
{
	enum { SIGNATURE_LEAF = 0x40000000, SIGNATURE_EBX = 0x4b4d564b /* "KVMK" */ };

	return cpuid(SIGNATURE_LEAF).ebx == SIGNATURE_EBX;
}

static void hypercall(void)
{
	enum { HYPERCALL_VAPIC_POLL_IRQ = 1 }; /* the kernel does nothing for it */
	uint64_t result;

	asm volatile("vmmcall" : "=a"(result) : "a"(HYPERCALL_VAPIC_POLL_IRQ) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

/* --- the local APIC --- */

enum {
	MSR_APIC_BASE = 0x1b,
	APIC_ID = 0x20,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ICR = 0x300,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_COUNT = 0x380,
	APIC_TIMER_DIVIDE = 0x3e0,

	APIC_ENABLE = 1 << 8,
	APIC_MASKED = 1 << 16,
	APIC_TO_SELF = 1 << 18 | 1 << 14,
	APIC_DIVIDE_BY_1 = 0xb,

	VECTOR = 0x40,
	VECTOR_SPURIOUS = 0xff,
};

/* A macro, because an interrupt handler may call no ordinary function. */
#define APIC_REGISTER(at) (*(volatile uint32_t *)(uintptr_t)(0xfee00000u + (at)))

static uint32_t apic_read(uint32_t at)
{
	return APIC_REGISTER(at);
}

static void apic_write(uint32_t at, uint32_t value)
{
	APIC_REGISTER(at) = value;
}

static volatile bool has_interrupted;

struct interrupt_frame;

__attribute__((interrupt)) static void on_interrupt(struct interrupt_frame *frame)
{
	(void)frame;
	has_interrupted = true;
	APIC_REGISTER(APIC_EOI) = 0;
}

struct gate {
	uint16_t offset_low, selector;
	uint16_t flags, offset_middle;
	uint32_t offset_high, reserved;
};

static void set_up_interrupts(void)
{
	enum { SELECTOR_CODE = 8, PRESENT_INTERRUPT_GATE = 0x8e00 };
	static struct gate gates[256];
	uintptr_t handler = (uintptr_t)on_interrupt;
	struct {
		uint16_t limit;
		uintptr_t base;
	} __attribute__((packed)) idt = { sizeof(gates) - 1, (uintptr_t)gates };

	gates[VECTOR] = (struct gate){
		.offset_low = (uint16_t)handler,
		.selector = SELECTOR_CODE,
		.flags = PRESENT_INTERRUPT_GATE,
		.offset_middle = (uint16_t)(handler >> 16),
		.offset_high = (uint32_t)(handler >> 32),
	};
	asm volatile("lidt %0" : : "m"(idt));

	/* Firmware may have left a timer that ticks. */
	outb(PIC_MASK_PORT, 0xff);
	outb(PIC2_MASK_PORT, 0xff);
	apic_write(APIC_LVT_LINT0, APIC_MASKED);
	apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
}

static void interrupt_self(void)
{
	has_interrupted = false;
	apic_write(APIC_ICR, APIC_TO_SELF | VECTOR);
	while (!has_interrupted)
		;
}

/* How late a halted processor goes on after its timer was due; from before the write that starts it. */
static void time_timer(void)
{
	enum {
		DELAY_NS = 100000
	}; /* KVM's APIC timer, QEMU's, and the counted TSC tick at 1 GHz */
	struct figures lateness = { 0 };

	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR);
	for (uint32_t i = 0; i < TIMER_TIMES; i++) {
		uint64_t start;

		asm volatile("cli");
		has_interrupted = false;
		start = now();
		apic_write(APIC_TIMER_COUNT, DELAY_NS);
		while (!has_interrupted)
			asm volatile("sti; hlt; cli" : : : "memory");
		figures_add(&lateness, now() - start - DELAY_NS);
	}
	asm volatile("cli");
	figures_say(&lateness, "timer-lateness");
}

/* Pages that neither firmware nor loader had a use for. The average counts: a host may give many at once. */
static void time_first_touch(void)
{
	enum { PAGE_BYTES = 4096 };
	static const uintptr_t start = 64 << 20, end = 80 << 20;
	struct figures touches = { 0 };

	for (uintptr_t page = start; page < end; page += PAGE_BYTES) {
		uint64_t before = now();

		*(volatile uint32_t *)page = 1;
		figures_add(&touches, now() - before);
	}
	figures_say(&touches, "first-touch-payload");
}

/* --- all of the memory --- */

static bool is_touch_all(const struct start_info *info)
{
	const char *word = (const char *)(uintptr_t)info->command_line, *expected = "touch-all";

	if (!word)
		return false;
	while (*expected && *word == *expected) {
		word++;
		expected++;
	}
	return !*expected && !*word;
}

/* Writes what is there already: some of it is this program. Returns the bytes of the pages. */
static uint64_t touch_range(const struct memory_range *range)
{
	enum { PAGE_BYTES = 4096 };
	uint64_t end = (range->start + range->bytes) & -(uint64_t)PAGE_BYTES, touched = 0;

	for (uint64_t page = (range->start + PAGE_BYTES - 1) & -(uint64_t)PAGE_BYTES; page < end;
	     page += PAGE_BYTES) {
		volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)page;

		*word = *word; // cppcheck-suppress selfAssignment; a touch that changes nothing
		touched += PAGE_BYTES;
	}
	return touched;
}

static void touch_all(const struct start_info *info)
{
	enum { TYPE_RAM = 1 };
	const struct memory_range *ranges = (const void *)(uintptr_t)info->memory_map;
	uint64_t touched = 0;

	for (uint32_t i = 0; i < info->nr_memory_map; i++)
		if (ranges[i].type == TYPE_RAM)
			touched += touch_range(&ranges[i]);
	say_figure("touched", "", touched);
}

static void time_everything(void)
{
	time_first_touch();
	TIME("cpuid", cpuid(0));
	if (has_kvm())
		TIME("hypercall", hypercall());
	TIME("rdmsr", rdmsr(MSR_APIC_BASE));
	TIME("port", inb(SERIAL_SCRATCH_PORT));
	set_up_interrupts();
	TIME("apic-read", apic_read(APIC_ID));
	TIME("apic-write", apic_write(APIC_LVT_ERROR, APIC_MASKED));
	asm volatile("sti");
	TIME("self-ipi", interrupt_self());
	time_timer();
	say("bench: end\n");
}

void payload_main(const struct start_info *info)
{
	say("\n");
	if (is_touch_all(info))
		touch_all(info);
	else
		time_everything();
}
