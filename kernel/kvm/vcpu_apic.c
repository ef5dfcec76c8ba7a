/*
 * What a vCPU's local APIC asks of its surroundings (lapic_ops): kicks, requests, a timer.
 */
#include "kernel/cpu/clock.h"
#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/vcpu.h"

static void notify(void *context)
{
	vcpu_kick(context);
}

static void nmi(void *context)
{
	struct vcpu *vcpu = context;

	__atomic_fetch_add(&vcpu->nmis_posted, 1, __ATOMIC_ACQ_REL);
	vcpu_request(vcpu, VCPU_REQ_NMI);
}

/* A SIPI from before it means nothing any more. */
static void init(void *context)
{
	struct vcpu *vcpu = context;

	__atomic_fetch_and(&vcpu->requests, ~(uint32_t)VCPU_REQ_SIPI, __ATOMIC_ACQ_REL);
	vcpu_request(vcpu, VCPU_REQ_INIT);
}

static void sipi(void *context, uint8_t vector)
{
	struct vcpu *vcpu = context;

	__atomic_store_n(&vcpu->sipi_vector, vector, __ATOMIC_RELEASE);
	vcpu_request(vcpu, VCPU_REQ_SIPI);
}

/* --- the timer --- */

static void expired(struct timer *timer)
{
	vcpu_request(container_of(timer, struct vcpu, timer), VCPU_REQ_TIMER);
}

static void timer_arm_at(void *context, uint64_t deadline_ns)
{
	struct vcpu *vcpu = context;

	vcpu->timer_due_ns = deadline_ns;
	timer_arm(&vcpu->timer, deadline_ns);
}

static void timer_arm_tsc(void *context, uint64_t guest_tsc)
{
	timer_arm_at(context, pvclock_ns_of_tsc(context, guest_tsc));
}

static void timer_stop(void *context)
{
	struct vcpu *vcpu = context;

	vcpu->timer_due_ns = TIMER_NEVER;
	timer_cancel(&vcpu->timer);
}

/* The request may be one of before the timer was set anew. */
void vcpu_timer_due(struct vcpu *vcpu)
{
	uint64_t now_ns = clock_ns();

	if (now_ns < vcpu->timer_due_ns)
		return;
	vcpu->timer_due_ns = TIMER_NEVER;
	lapic_timer_expired(&vcpu->lapic, now_ns);
}

/* --- registers --- */

void vcpu_apic_result(struct vcpu *vcpu, int result)
{
	uint8_t vector = (uint8_t)result;

	if (result < LAPIC_EOI_BROADCAST || !vm_is_eoi_wanted(vcpu->vm, vcpu->id, vector))
		return;
	vcpu->eoi_vector = vector;
	__atomic_fetch_or(&vcpu->requests, VCPU_REQ_EOI, __ATOMIC_RELEASE);
}

static const struct lapic_ops ops = {
	.notify = notify,
	.nmi = nmi,
	.init = init,
	.sipi = sipi,
	.timer_arm = timer_arm_at,
	.timer_arm_tsc = timer_arm_tsc,
	.timer_cancel = timer_stop,
};

void vcpu_apic_create(struct vcpu *vcpu)
{
	vcpu->timer_due_ns = TIMER_NEVER;
	timer_init(&vcpu->timer, expired);
	lapic_create(&vcpu->lapic, &vcpu->vm->apics, vcpu->id, &ops, vcpu);
}

void vcpu_apic_destroy(struct vcpu *vcpu)
{
	timer_cancel(&vcpu->timer);
}
