/*
 * What each CPU did last: a ring of fixed-size records, always on, for panics and debuggers.
 *
 * A record costs 17 instructions. Nothing reads them while the machine is well.
 */
#pragma once

#include "kernel/arch/regs.h"
#include "lib/compiler.h"

enum trace_event {
	TRACE_NONE,
	TRACE_SWITCH,  /* to thread a */
	TRACE_SYSCALL, /* number a, first argument b */
	TRACE_TRAP,    /* vector a, at b */
	TRACE_EXIT,    /* a guest left for the vendor's reason a, at b */
	TRACE_EVENTS,
};

struct trace_record {
	uint64_t tsc;
	uint64_t a, b;
	uint64_t event; /* enum trace_event */
};

enum { TRACE_RECORDS = 64 };

struct trace_ring {
	uint64_t next; /* counts on; the index is the rest by TRACE_RECORDS */
	struct trace_record records[TRACE_RECORDS];
};

/* An interrupt in the middle of this may spoil one record. */
static inline void trace_into(struct trace_ring *ring, enum trace_event event, uint64_t a,
			      uint64_t b)
{
	struct trace_record *record = &ring->records[ring->next++ % TRACE_RECORDS];

	record->tsc = rdtsc();
	record->a = a;
	record->b = b;
	record->event = event;
}

/* Into the calling CPU's. */
#define trace(event, a, b) trace_into(&this_cpu()->trace, event, a, b)

/* For a panic: the last @count records of each CPU. */
void trace_print(uint32_t count);
