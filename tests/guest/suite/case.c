/*
 * Runs a topic's cases and tells what came of them: see case.h.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/case_private.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum {
	PIC_MASTER_MASK = 0x21,
	PIC_SLAVE_MASK = 0xa1,
	PM_TIMER = 0x608,
	PM_TIMER_PER_MS = 3580,
	CALIBRATION_MS = 8,
	CALIBRATION_PAIRS = 6,
	PERSISTENT_AT = 0x1000, /* RAM that neither the image nor the loader of it touches */
	PERSISTENT_MAGIC = 0x62686361,
};

extern bool case_call(void (*run)(void));
extern void case_abort(void) __attribute__((noreturn));

/* What is left after a reset of the machine. */
static volatile struct persistent {
	uint32_t magic, index;
	uint32_t is_reset_expected;
	uint32_t is_reported; /* the case's line has its end */
} *const persistent = (void *)PERSISTENT_AT;

static uint64_t tsc_rate;

/* ---- telling ---- */

static void print_number(uint64_t value)
{
	char text[20 + 1];
	char *start = &text[sizeof(text) - 1];

	*start = '\0';
	do {
		*--start = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	print(start);
}

static void print_short_hex(uint64_t value)
{
	char text[16 + 1];
	char *start = &text[sizeof(text) - 1];

	*start = '\0';
	do {
		*--start = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	print("0x");
	print(start);
}

/* The first one to say something has the line. */
static bool take_line(const char *verdict)
{
	if (__atomic_exchange_n(&persistent->is_reported, true, __ATOMIC_SEQ_CST))
		return false;
	print(verdict);
	return true;
}

void case_note(const char *text0, uint64_t value0, const char *text1, uint64_t value1,
	       const char *text2, uint64_t value2, const char *text3, uint64_t value3)
{
	const char *texts[] = { text0, text1, text2, text3 };
	const uint64_t values[] = { value0, value1, value2, value3 };

	if (!take_line("not ok: "))
		return;
	for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
		print(texts[i]);
		print_short_hex(values[i]);
	}
	print("\n");
}

void expect(const char *what, int line, uint64_t found, uint64_t expected)
{
	if (found == expected || !take_line("not ok: line "))
		return;
	print_number((uint64_t)line);
	print(": ");
	print(what);
	print(": expected ");
	print_short_hex(expected);
	print(", found ");
	print_short_hex(found);
	print("\n");
}

void fail(const char *why)
{
	if (take_line("not ok: ")) {
		print(why);
		print("\n");
	}
	case_abort();
}

void skip(const char *why)
{
	if (take_line("skip: ")) {
		print(why);
		print("\n");
	}
	case_abort();
}

/* ---- time ---- */

/* The PM timer and the TSC at the same time: the closest of some pairs, since the guest may be held up between the two. */
static uint32_t read_timers(uint64_t *tsc)
{
	uint64_t shortest = UINT64_MAX;
	uint32_t timer = 0;

	for (uint32_t i = 0; i < CALIBRATION_PAIRS; i++) {
		uint64_t start = rdtsc();
		uint32_t now = inl(PM_TIMER);
		uint64_t end = rdtsc();

		if (end - start < shortest) {
			shortest = end - start;
			*tsc = start + (end - start) / 2;
			timer = now;
		}
	}
	return timer;
}

static void measure_tsc(void)
{
	uint64_t start_tsc, end_tsc;
	uint32_t start = read_timers(&start_tsc), end;

	do
		end = read_timers(&end_tsc);
	while (end - start < CALIBRATION_MS * PM_TIMER_PER_MS);
	tsc_rate = (end_tsc - start_tsc) * PM_TIMER_PER_MS / (end - start);
}

uint64_t tsc_per_ms(void)
{
	if (!tsc_rate)
		measure_tsc();
	return tsc_rate;
}

void spin_ms(uint32_t ms)
{
	uint64_t end = rdtsc() + ms * tsc_per_ms();

	while (rdtsc() < end)
		pause();
}

/* ---- running ---- */

void expect_reset(void)
{
	persistent->is_reset_expected = true;
}

/* As it was at the start, whatever a case has left. */
static void restore(void)
{
	cli();
	paging_restore();
	write_cr0(CR0_PG | CR0_PE | CR0_ET | CR0_NE | CR0_MP);
	write_cr4(CR4_PAE | CR4_OSFXSR);
	wrmsr(MSR_EFER, EFER_LME | EFER_LMA);
	__asm__ volatile("pushq $2; popfq; fninit");
	write_dr7(0x400);
	write_dr6(0xffff0ff0);
	trap_init(0);
	outb(PIC_MASTER_MASK, 0xff);
	outb(PIC_SLAVE_MASK, 0xff);
	trap_begin_restore();
	apic_restore();
	cpus_stop();
	trap_end_restore();
}

static void run_case(const struct test_case *test)
{
	print(test->name);
	print(": ");
	persistent->is_reported = false;
	(void)case_call(test->run);
	restore();
	(void)take_line("ok\n");
}

static void run_cases(uint32_t first)
{
	for (uint32_t i = first; test_cases[i].name; i++) {
		persistent->index = i;
		persistent->is_reset_expected = false;
		BARRIER();
		persistent->magic = PERSISTENT_MAGIC;
		run_case(&test_cases[i]);
		persistent->magic = 0;
	}
}

static uint32_t count_cases(void)
{
	uint32_t n = 0;

	while (test_cases[n].name)
		n++;
	return n;
}

static uint32_t number_behind(const char *words, const char *prefix)
{
	uint32_t n = 0, length = 0;

	while (prefix[length]) {
		if (words[length] != prefix[length])
			return 0;
		length++;
	}
	for (words += length; *words >= '0' && *words <= '9'; words++)
		n = 10 * n + (uint32_t)(*words - '0');
	return n;
}

void payload_main(const char *words)
{
	uint32_t first = number_behind(words, "from=");

	trap_init(0);
	paging_init();
	if (persistent->magic == PERSISTENT_MAGIC) {
		print(persistent->is_reset_expected ? "ok\n" : "not ok: the machine was reset\n");
		first = persistent->index + 1;
	} else {
		print("cases ");
		print_number(count_cases());
		print("\n");
	}
	restore();
	run_cases(first);
}
