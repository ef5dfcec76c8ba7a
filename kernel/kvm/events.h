/*
 * What is on its way through a vCPU's IDT: exceptions, NMIs, interrupts; and which of them goes next.
 *
 * Pure: no hardware, no clock, no locks. The owner, who holds the vCPU, calls everything.
 *
 *   raised ──────────┐
 *                    ├─ events_next() ─► delivered with the next entry ─► done
 *   taken from APIC ─┘        ▲                                      └──► events_return(): cut short by an exit, comes again
 *
 * An event that came again goes before anything new, for the guest may have seen part of it, and the controller has marked an
 * interrupt as taken.
 * Source: AMD APM vol. 2, 8.5 "Priorities", 8.2.9 "#DF"; 15.20 "Event Injection".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/virt/ops.h"

struct events {
	struct virt_event exception; /* kind VIRT_EVENT_NONE: none */
	bool is_exception_again;     /* its delivery was cut short */
	bool has_interrupt;	     /* acknowledged, and not delivered yet */
	uint8_t interrupt;
	uint8_t nmis_waiting; /* 0-2 */
	bool is_nmi_again;    /* its delivery was cut short */
	bool is_nmi_masked;   /* until IRET */
	bool is_iret_next;    /* RIP is at that one */
	bool is_triple_fault;
};

/* What the guest and its controllers say. */
struct events_guest {
	bool is_open;	       /* RFLAGS.IF */
	bool has_shadow;       /* STI or MOV SS just now */
	bool has_interrupt;    /* a controller has one that could be acknowledged */
	bool is_window_wanted; /* ring 3 wants to know when interrupts are open */
};

enum events_choice {
	EVENTS_NONE,
	EVENTS_DELIVER,	    /* plan.event */
	EVENTS_ACKNOWLEDGE, /* acknowledge an interrupt and deliver that */
};

struct events_plan {
	enum events_choice choice;
	struct virt_event event;
	uint32_t watched;    /* VIRT_WATCH_WINDOW, _IRET and _STEP, as what remains needs them */
	bool leaves_at_once; /* come back as soon as the event is delivered */
};

/*
 * What to deliver with the next entry. It counts as delivered, unless events_return() brings it back.
 */
struct events_plan events_next(struct events *events, const struct events_guest *guest);

/* After an exit: what its event was, or none. */
void events_return(struct events *events, const struct virt_event *interrupted);

/*
 * An exception that an instruction raises. Together with one whose delivery it interrupted it may become a double fault, or
 * with that a triple fault.
 */
void events_raise(struct events *events, uint8_t vector, bool has_error, uint32_t error);

void events_add_nmis(struct events *events, uint32_t count);

/* VIRT_EXIT_IRET; and VIRT_EXIT_STEPPED, which may be over it. */
void events_before_iret(struct events *events);
void events_after_step(struct events *events);

/* Nothing at all is on its way, and no mask is to be lifted: events_next() would find nothing to do for a guest without interrupts. */
static inline bool events_are_quiet(const struct events *events)
{
	return events->exception.kind == VIRT_EVENT_NONE && !events->has_interrupt &&
	       !events->nmis_waiting && !events->is_nmi_again && !events->is_nmi_masked &&
	       !events->is_iret_next;
}

/* Could an interrupt from outside be taken at once? */
bool events_are_ready(const struct events *events, const struct events_guest *guest);

/* An NMI, or something that goes on being delivered: a reason not to halt. */
bool events_are_waiting(const struct events *events);
