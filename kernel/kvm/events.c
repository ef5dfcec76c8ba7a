/*
 * Which event goes through the guest's IDT next: see events.h.
 */
#include "kernel/cpu/trap.h"
#include "kernel/kvm/events.h"

enum { NMIS_MAX = 2 }; /* one more may wait while one is served; a second one makes no difference */

/* --- exceptions that meet --- */

enum class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT };

static enum class class_of(uint8_t vector) {
	switch (vector){
		case TRAP_PAGE_FAULT: return CLASS_PAGE_FAULT;
		case TRAP_DIVIDE: case TRAP_INVALID_TSS: case TRAP_SEGMENT: case TRAP_STACK: case
		TRAP_PROTECTION: return CLASS_CONTRIBUTORY;
		default: return CLASS_BENIGN;
	}
}

static bool makes_double_fault(uint8_t first, uint8_t second)
{
	if (class_of(first) == CLASS_CONTRIBUTORY)
		return class_of(second) == CLASS_CONTRIBUTORY;
	return class_of(first) == CLASS_PAGE_FAULT && class_of(second) != CLASS_BENIGN;
}

void events_raise(struct events *events, uint8_t vector, bool has_error, uint32_t error)
{
	struct virt_event *exception = &events->exception;
	bool is_second = exception->kind != VIRT_EVENT_NONE;

	if (is_second && exception->vector == TRAP_DOUBLE_FAULT) {
		events->is_triple_fault = true;
		return;
	}
	if (is_second && makes_double_fault(exception->vector, vector)) {
		vector = TRAP_DOUBLE_FAULT;
		has_error = true;
		error = 0;
	}
	*exception = (struct virt_event){ VIRT_EVENT_EXCEPTION, vector, has_error, error };
	events->is_exception_again = false;
}

/* --- what comes next --- */

static bool can_take_nmi(const struct events *events, const struct events_guest *guest)
{
	return events->nmis_waiting && !events->is_nmi_masked && !guest->has_shadow;
}

/* While one instruction is stepped over, RFLAGS isn't the guest's own and mustn't be pushed: nothing new is delivered. */
static bool must_step(const struct events *events, const struct events_guest *guest)
{
	return events->is_iret_next ||
	       (events->nmis_waiting && !events->is_nmi_masked && guest->has_shadow);
}

static bool can_take_interrupt(const struct events *events, const struct events_guest *guest)
{
	return guest->has_interrupt && guest->is_open && !guest->has_shadow &&
	       !must_step(events, guest);
}

static enum events_choice choose(struct events *events, const struct events_guest *guest,
				 struct virt_event *out)
{
	if (events->exception.kind != VIRT_EVENT_NONE) {
		*out = events->exception;
		events->exception.kind = VIRT_EVENT_NONE;
		events->is_exception_again = false;
		return EVENTS_DELIVER;
	}
	if (events->is_nmi_again || can_take_nmi(events, guest)) {
		if (!events->is_nmi_again)
			events->nmis_waiting--;
		events->is_nmi_again = false;
		events->is_nmi_masked = true;
		*out = (struct virt_event){ .kind = VIRT_EVENT_NMI };
		return EVENTS_DELIVER;
	}
	if (events->has_interrupt) {
		events->has_interrupt = false;
		*out = (struct virt_event){ VIRT_EVENT_INTERRUPT, .vector = events->interrupt };
		return EVENTS_DELIVER;
	}
	return can_take_interrupt(events, guest) ? EVENTS_ACKNOWLEDGE : EVENTS_NONE;
}

struct events_plan events_next(struct events *events, const struct events_guest *guest)
{
	struct events_plan plan = { .choice = EVENTS_NONE };
	bool waits;

	plan.choice = choose(events, guest, &plan.event);
	waits = events->has_interrupt ||
		(guest->has_interrupt && plan.choice != EVENTS_ACKNOWLEDGE) ||
		guest->is_window_wanted;
	if (waits)
		plan.watched |= VIRT_WATCH_WINDOW;
	if (must_step(events, guest) && plan.choice == EVENTS_NONE)
		plan.watched |= VIRT_WATCH_STEP;
	else if (events->is_nmi_masked)
		plan.watched |= VIRT_WATCH_IRET;
	else
		plan.leaves_at_once = events->nmis_waiting;
	return plan;
}

/* --- what came of it --- */

void events_return(struct events *events, const struct virt_event *interrupted)
{
	switch (interrupted->kind) {
	case VIRT_EVENT_INTERRUPT:
		events->has_interrupt = true;
		events->interrupt = interrupted->vector;
		break;
	case VIRT_EVENT_NMI:
		events->is_nmi_again = true;
		break;
	case VIRT_EVENT_EXCEPTION:
		events->exception = *interrupted;
		events->is_exception_again = true;
		break;
	default:
		break;
	}
}

void events_add_nmis(struct events *events, uint32_t count)
{
	uint32_t limit = events->is_nmi_masked || events->is_nmi_again ? 1 : NMIS_MAX;

	count += events->nmis_waiting;
	events->nmis_waiting = (uint8_t)(count < limit ? count : limit);
}

void events_before_iret(struct events *events)
{
	events->is_iret_next = true;
}

void events_after_step(struct events *events)
{
	if (!events->is_iret_next)
		return;
	events->is_iret_next = false;
	events->is_nmi_masked = false;
}

bool events_are_ready(const struct events *events, const struct events_guest *guest)
{
	return guest->is_open && !guest->has_shadow && !events->has_interrupt &&
	       !events->is_nmi_again && events->exception.kind == VIRT_EVENT_NONE;
}

bool events_are_waiting(const struct events *events)
{
	return events->has_interrupt || events->is_nmi_again ||
	       events->exception.kind != VIRT_EVENT_NONE ||
	       (events->nmis_waiting && !events->is_nmi_masked);
}
