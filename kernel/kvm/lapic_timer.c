/*
 * The local APIC's timer. Counting is computed from the time whenever somebody looks; nothing runs per tick.
 *
 * All follows from the time at which the count gets to 0 (timer_deadline_ns), so a periodic timer never drifts:
 * its next deadline is the last one and whole periods. While the LVT masks a count, no timer of the host runs.
 */
#include "kernel/kvm/lapic_regs.h"

static bool is_periodic(const struct lapic *lapic)
{
	return (lapic->regs[LAPIC_LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC;
}

/* Mode 3 is reserved: nothing runs in it. */
static bool is_tsc_mode(uint32_t lvt)
{
	return (lvt & LVT_TIMER_MODE) == LVT_TIMER_TSC;
}

/* log2 of the divider, which is the nanoseconds per count: 1 to 7, and 0 for the code that is last. */
static uint32_t divide_shift(const struct lapic *lapic)
{
	uint32_t divide = lapic->regs[LAPIC_DIVIDE];

	return ((divide & 3) + (divide >> 1 & 4) + 1) & 7;
}

static uint64_t period_ns(const struct lapic *lapic)
{
	return (uint64_t)lapic->regs[LAPIC_INITIAL_COUNT] << divide_shift(lapic);
}

/* A multiple of the period that no guest can storm the host with. */
static uint64_t interrupt_period_ns(const struct lapic *lapic)
{
	uint64_t period = period_ns(lapic);

	if (period >= LAPIC_MIN_PERIOD_NS)
		return period;
	return (LAPIC_MIN_PERIOD_NS + period - 1) / period * period;
}

/* Past @now_ns. Returns whether the count had got to 0. */
static bool settle(struct lapic *lapic, uint64_t now_ns)
{
	uint64_t period;

	if (!lapic->timer_deadline_ns || now_ns < lapic->timer_deadline_ns)
		return false;
	if (!is_periodic(lapic)) {
		lapic->timer_deadline_ns = 0;
		return true;
	}
	period = interrupt_period_ns(lapic);
	lapic->timer_deadline_ns += ((now_ns - lapic->timer_deadline_ns) / period + 1) * period;
	return true;
}

static void arm(struct lapic *lapic)
{
	if (lapic->tsc_deadline)
		lapic->ops->timer_arm_tsc(lapic->context, lapic->tsc_deadline);
	else if (lapic->timer_deadline_ns && !(lapic->regs[LAPIC_LVT_TIMER] & LVT_MASKED))
		lapic->ops->timer_arm(lapic->context, lapic->timer_deadline_ns);
	else
		lapic->ops->timer_cancel(lapic->context);
}

static void expire_count(struct lapic *lapic, uint64_t now_ns)
{
	if (!settle(lapic, now_ns))
		return;
	lapic_raise(lapic, LAPIC_LVT_TIMER);
	if (lapic->timer_deadline_ns)
		arm(lapic);
}

void lapic_timer_expired(struct lapic *lapic, uint64_t now_ns)
{
	if (!lapic->tsc_deadline) {
		expire_count(lapic, now_ns);
		return;
	}
	lapic->tsc_deadline = 0;
	lapic_raise(lapic, LAPIC_LVT_TIMER);
}

void lapic_timer_stop(struct lapic *lapic)
{
	lapic->regs[LAPIC_INITIAL_COUNT] = 0;
	lapic->timer_deadline_ns = 0;
	lapic->tsc_deadline = 0;
	lapic->ops->timer_cancel(lapic->context);
}

uint32_t lapic_timer_count(const struct lapic *lapic, uint64_t now_ns)
{
	uint64_t deadline = lapic->timer_deadline_ns;
	uint64_t initial = lapic->regs[LAPIC_INITIAL_COUNT];
	uint32_t shift = divide_shift(lapic);
	uint64_t count;

	if (!deadline || (now_ns >= deadline && !is_periodic(lapic)))
		return 0;
	if (now_ns >= deadline)
		deadline += ((now_ns - deadline) / period_ns(lapic) + 1) * period_ns(lapic);

	count = (deadline - now_ns + (UINT64_C(1) << shift) - 1) >> shift;
	if (count > initial) /* the deadline is some periods ahead */
		count = (count - 1) % initial + 1;
	return (uint32_t)count;
}

void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value, uint64_t now_ns)
{
	uint32_t old = lapic->regs[LAPIC_LVT_TIMER];

	expire_count(lapic, now_ns);
	lapic->regs[LAPIC_LVT_TIMER] = value;
	if ((old ^ value) & LVT_TIMER_MODE && (old | value) & LVT_TIMER_TSC)
		lapic_timer_stop(lapic);
	else
		arm(lapic);
}

void lapic_timer_set_initial(struct lapic *lapic, uint32_t count, uint64_t now_ns)
{
	if (lapic->regs[LAPIC_LVT_TIMER] & LVT_TIMER_TSC)
		return;
	expire_count(lapic, now_ns);
	lapic->regs[LAPIC_INITIAL_COUNT] = count;
	lapic->timer_deadline_ns = count ? now_ns + period_ns(lapic) : 0;
	arm(lapic);
}

/* The count goes on from where it is, at its new pace. */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t value, uint64_t now_ns)
{
	uint64_t count;

	expire_count(lapic, now_ns);
	count = lapic_timer_count(lapic, now_ns);
	lapic->regs[LAPIC_DIVIDE] = value;
	if (!lapic->timer_deadline_ns)
		return;
	lapic->timer_deadline_ns = now_ns + (count << divide_shift(lapic));
	arm(lapic);
}

uint64_t lapic_tsc_deadline(const struct lapic *lapic)
{
	return lapic->tsc_deadline;
}

void lapic_set_tsc_deadline(struct lapic *lapic, uint64_t guest_tsc)
{
	if (!is_tsc_mode(lapic->regs[LAPIC_LVT_TIMER]))
		return;
	lapic->tsc_deadline = guest_tsc;
	arm(lapic);
}

void lapic_timer_resume(struct lapic *lapic, uint32_t count, uint64_t now_ns)
{
	uint32_t lvt = lapic->regs[LAPIC_LVT_TIMER];
	uint64_t initial = lapic->regs[LAPIC_INITIAL_COUNT];
	uint64_t left = min_u64(count, initial);

	if (lvt & LVT_TIMER_TSC)
		lapic->regs[LAPIC_INITIAL_COUNT] = 0;
	if (!is_tsc_mode(lvt))
		lapic->tsc_deadline = 0;

	if (!left && is_periodic(lapic))
		left = initial;
	lapic->timer_deadline_ns = 0;
	if (lapic->regs[LAPIC_INITIAL_COUNT]) /* not 0, which would be no deadline */
		lapic->timer_deadline_ns = (now_ns ? now_ns : 1) + (left << divide_shift(lapic));
	arm(lapic);
}
