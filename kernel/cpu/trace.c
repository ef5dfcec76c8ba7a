/*
 * What each CPU did last, for people: see trace.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/symbol.h"
#include "kernel/cpu/trace.h"
#include "kernel/dev/print.h"

static const struct {
	const char *name, *a, *b; /* what a and b are; NULL: nothing */
} events[TRACE_EVENTS] = {
	[TRACE_SWITCH] = { "switch", "to thread", NULL },
	[TRACE_SYSCALL] = { "call", "number", "of" },
	[TRACE_TRAP] = { "trap", "vector", "at" },
	[TRACE_EXIT] = { "exit", "reason", "at" },
};

static void print_record(const struct trace_record *record, uint64_t now)
{
	const struct symbol *symbol = symbol_find(record->b);

	if (record->event == TRACE_NONE || record->event >= TRACE_EVENTS)
		return;
	if (!events[record->event].b)
		print("  %10lu ticks ago: %s %s %lu", now - record->tsc, events[record->event].name,
		      events[record->event].a, record->a);
	else
		print("  %10lu ticks ago: %s %s %lu %s %#lx %s", now - record->tsc,
		      events[record->event].name, events[record->event].a, record->a,
		      events[record->event].b, record->b,
		      symbol && record->event == TRACE_TRAP ? symbol->name : "");
}

void trace_print(uint32_t count)
{
	uint64_t now = rdtsc();

	for (uint32_t id = 0; id < CPUS_MAX; id++) {
		const struct trace_ring *ring;

		if (!cpus[id])
			continue;
		ring = &cpus[id]->trace;
		print("CPU %u, last of all:", id);
		for (uint64_t i = 0; i < count; i++)
			print_record(&ring->records[(ring->next - 1 - i) % TRACE_RECORDS], now);
	}
}
