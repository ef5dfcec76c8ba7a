/*
 * KVM_RUN: see vcpu.h.
 *
 * The last look at what others want is taken with interrupts off and ->where set: who posts after it finds ->where and sends
 * an interrupt, which stays pending and ends the guest's run before its first instruction.
 */
#include <errno.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vcpu_registers.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal.h"

/* --- from anywhere --- */

void vcpu_kick(struct vcpu *vcpu)
{
	uint32_t where;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->is_waiting, __ATOMIC_RELAXED))
		waitq_wake(&vcpu->waitq);
	where = __atomic_load_n(&vcpu->where, __ATOMIC_RELAXED);
	if (!where || where - 1 == this_cpu()->id)
		return;
	/* One interrupt is enough. */
	if (__atomic_compare_exchange_n(&vcpu->where, &where, 0, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		apic_send(cpus[where - 1]->apic_id, VECTOR_RESCHEDULE);
}

void vcpu_request(struct vcpu *vcpu, enum vcpu_request request)
{
	__atomic_fetch_or(&vcpu->requests, request, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
}

/* --- requests --- */

static bool take_request(struct vcpu *vcpu, enum vcpu_request request)
{
	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & request))
		return false;
	__atomic_fetch_and(&vcpu->requests, ~(uint32_t)request, __ATOMIC_ACQ_REL);
	return true;
}

/* The processor that boots the machine goes on at the reset vector; others wait for a SIPI. */
static void take_init(struct vcpu *vcpu)
{
	bool is_bsp = vcpu->lapic.base & LAPIC_BASE_BSP;
	uint32_t version[4];

	virt->reset(vcpu->virt, true);
	cpuid_run(vcpu, 1, 0, version);
	if (version[0])
		vcpu->virt->general[VIRT_RDX] = version[0];
	lapic_reset(&vcpu->lapic, true);
	vcpu->msrs.values[MSR_SLOT_PV_EOI] = 0;
	vcpu->clock.system_msr = 0;
	vcpu->events = (struct events){ 0 };
	vcpu->emulation.state = EMULATION_NONE;
	vcpu->mp_state = is_bsp ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
}

/* In real mode, at the beginning of the page whose number it is. */
static void take_sipi(struct vcpu *vcpu)
{
	uint32_t vector = __atomic_load_n(&vcpu->sipi_vector, __ATOMIC_ACQUIRE);
	struct kvm_sregs sregs;

	if (vcpu->mp_state != KVM_MP_STATE_INIT_RECEIVED)
		return;
	virt->get_sregs(vcpu->virt, &sregs);
	sregs.cs.selector = (uint16_t)(vector << 8);
	sregs.cs.base = vector << 12;
	if (!virt->set_sregs(vcpu->virt, &sregs)) {
		vcpu->virt->rip = 0;
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

/*
 * Both at once, in their order. One after the other won't do: an INIT and its SIPI that come in between would be taken the
 * wrong way round, and the processor would wait for another SIPI for ever.
 */
static void take_init_and_sipi(struct vcpu *vcpu)
{
	const uint32_t both = VCPU_REQ_INIT | VCPU_REQ_SIPI;
	uint32_t taken = __atomic_fetch_and(&vcpu->requests, ~both, __ATOMIC_ACQ_REL) & both;

	if (taken & VCPU_REQ_INIT)
		take_init(vcpu);
	if (taken & VCPU_REQ_SIPI)
		take_sipi(vcpu);
}

void vcpu_settle(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE))
		return;
	if (take_request(vcpu, VCPU_REQ_TIMER))
		vcpu_timer_due(vcpu);
	if (take_request(vcpu, VCPU_REQ_NMI))
		events_add_nmis(&vcpu->events,
				__atomic_exchange_n(&vcpu->nmis_posted, 0, __ATOMIC_ACQ_REL));
	take_init_and_sipi(vcpu);
}

/* Those that only KVM_RUN can serve. */
static enum vcpu_step serve_requests(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE))
		return VCPU_RESUME;
	vcpu_settle(vcpu);
	(void)take_request(vcpu, VCPU_REQ_CLOCK); /* looked after before every entry */
	if (take_request(vcpu, VCPU_REQ_EOI)) {
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = vcpu->eoi_vector;
		return VCPU_TO_USER;
	}
	return VCPU_RESUME;
}

/* --- events --- */

static bool has_interrupt(struct vcpu *vcpu)
{
	return vcpu->extint >= 0 || lapic_pending(&vcpu->lapic) >= 0;
}

static uint8_t acknowledge(struct vcpu *vcpu)
{
	uint8_t vector;

	if (vcpu->extint < 0)
		return (uint8_t)lapic_acknowledge(&vcpu->lapic);
	vector = (uint8_t)vcpu->extint;
	vcpu->extint = -1;
	return vector;
}

static bool accepts_extint(const struct vcpu *vcpu)
{
	return !vm_has_irqchip(vcpu->vm) || lapic_accepts_extint(&vcpu->lapic);
}

static bool is_window_wanted(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->request_interrupt_window, __ATOMIC_RELAXED) &&
	       accepts_extint(vcpu);
}

/* Before an instruction that will be carried out again: breakpoints on it have been seen to (RFLAGS.RF). */
static bool is_fault(const struct virt_event *event)
{
	const uint32_t others = 1u << TRAP_DEBUG | 1u << TRAP_BREAKPOINT | 1u << TRAP_OVERFLOW |
				1u << TRAP_DOUBLE_FAULT | 1u << TRAP_MACHINE_CHECK;

	return event->kind == VIRT_EVENT_EXCEPTION && !(others >> event->vector & 1);
}

/* True: something is delivered. */
static bool plan_events(struct vcpu *vcpu, uint32_t *watched)
{
	const struct events_guest guest = {
		.is_open = vcpu->virt->rflags & X86_EFLAGS_IF,
		.has_shadow = vcpu->virt->has_shadow,
		.has_interrupt = has_interrupt(vcpu),
		.is_window_wanted = is_window_wanted(vcpu),
	};
	struct events_plan plan;

	plan = events_next(&vcpu->events, &guest);
	if (plan.choice == EVENTS_ACKNOWLEDGE)
		plan.event =
			(struct virt_event){ VIRT_EVENT_INTERRUPT, .vector = acknowledge(vcpu) };
	if (plan.choice != EVENTS_NONE)
		virt->inject(vcpu->virt, &plan.event);
	if (plan.choice == EVENTS_ACKNOWLEDGE && pv_eoi_is_wanted(vcpu))
		pv_eoi_offer(vcpu);
	if (plan.choice != EVENTS_NONE && is_fault(&plan.event))
		vcpu->virt->rflags |= X86_EFLAGS_RF;
	if (plan.leaves_at_once)
		apic_send(this_cpu()->apic_id, VECTOR_RESCHEDULE);
	*watched |= plan.watched;
	if (lapic_is_quiet(&vcpu->lapic))
		return plan.choice != EVENTS_NONE;
	/* More than the one that is taken now: it waits for the window. */
	if (plan.choice == EVENTS_ACKNOWLEDGE && has_interrupt(vcpu))
		*watched |= VIRT_WATCH_WINDOW;
	if (lapic_tpr_threshold(&vcpu->lapic))
		*watched |= VIRT_WATCH_CR8;
	return plan.choice != EVENTS_NONE;
}

/* A step that begins with an event's delivery ends with it: the guest mustn't see RFLAGS as they are while it is stepped. */
static void plan_debugging(struct vcpu *vcpu, bool is_delivering, uint32_t *watched)
{
	if (vcpu->debug_control & KVM_GUESTDBG_USE_SW_BP)
		*watched |= VIRT_WATCH_BREAKPOINT;
	if (!(vcpu->debug_control & KVM_GUESTDBG_SINGLESTEP))
		return;
	if (is_delivering)
		apic_send(this_cpu()->apic_id, VECTOR_RESCHEDULE);
	else
		*watched |= VIRT_WATCH_STEP;
}

/* For the coming entry, with the kick held off. Mostly there is nothing to do. */
static void prepare_events(struct vcpu *vcpu)
{
	uint32_t watched = vcpu->is_debug_loaded ? 0 : VIRT_WATCH_DEBUG;
	bool is_delivering = false;

	if (!events_are_quiet(&vcpu->events) || !lapic_is_quiet(&vcpu->lapic) ||
	    vcpu->extint >= 0 ||
	    __atomic_load_n(&vcpu->run->request_interrupt_window, __ATOMIC_RELAXED))
		is_delivering = plan_events(vcpu, &watched);
	if (vcpu->debug_control)
		plan_debugging(vcpu, is_delivering, &watched);
	/* The processor takes the request for a window back when it has opened. */
	if (watched != vcpu->watched || watched & VIRT_WATCH_WINDOW)
		virt->watch(vcpu->virt, watched);
	vcpu->watched = watched;
}

/* --- once around --- */

static bool must_not_enter(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) || vcpu->events.is_triple_fault ||
	       vcpu->is_step_over ||
	       __atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED) ||
	       thread_is_interrupted();
}

static void follow_tlb(struct vcpu *vcpu)
{
	uint64_t generation = __atomic_load_n(&vcpu->vm->tlb_generation, __ATOMIC_ACQUIRE);

	if (generation == vcpu->tlb_generation)
		return;
	vcpu->tlb_generation = generation;
	virt->flush(vcpu->virt);
}

/* Interrupts are off. False: something has to be looked at first. */
static bool enter_guest(struct vcpu *vcpu, struct virt_exit *exit)
{
	if (!vcpu->is_loaded)
		vcpu_load(vcpu);
	__atomic_store_n(&vcpu->where, this_cpu()->id + 1, __ATOMIC_SEQ_CST);
	if (must_not_enter(vcpu)) {
		__atomic_store_n(&vcpu->where, 0, __ATOMIC_RELAXED);
		return false;
	}
	prepare_events(vcpu);
	follow_tlb(vcpu);
	vcpu->virt->cr8 = lapic_cr8(&vcpu->lapic);
	virt->enter(vcpu->virt, exit);
	__atomic_store_n(&vcpu->where, 0, __ATOMIC_RELAXED);
	return true;
}

static enum vcpu_step enter(struct vcpu *vcpu)
{
	struct virt_exit exit;

	irq_disable();
	if (!enter_guest(vcpu, &exit)) {
		irq_enable();
		return VCPU_LOOK;
	}
	irq_enable();
	if (vcpu->eoi.is_offered)
		pv_eoi_settle(vcpu);
	if (vcpu->virt->cr8 != lapic_cr8(&vcpu->lapic))
		lapic_set_cr8(&vcpu->lapic, vcpu->virt->cr8);
	if (vcpu->watched & VIRT_WATCH_STEP) /* RFLAGS is the guest's own again */
		virt->watch(vcpu->virt, vcpu->watched &= ~(uint32_t)VIRT_WATCH_STEP);
	if (exit.interrupted.kind != VIRT_EVENT_NONE)
		events_return(&vcpu->events, &exit.interrupted);
	return vcpu_handle_exit(vcpu, &exit);
}

/* A halted guest has a reason to go on. */
static bool has_reason(struct vcpu *vcpu)
{
	return events_are_waiting(&vcpu->events) ||
	       ((vcpu->virt->rflags & X86_EFLAGS_IF) && has_interrupt(vcpu));
}

static bool is_halt_over(struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) ||
	       (vcpu->mp_state == KVM_MP_STATE_HALTED &&
		(__atomic_load_n(&vcpu->is_woken, __ATOMIC_ACQUIRE) || has_reason(vcpu)));
}

static int wait(struct vcpu *vcpu)
{
	int err;

	__atomic_store_n(&vcpu->is_waiting, true, __ATOMIC_SEQ_CST);
	err = waitq_wait_killable(&vcpu->waitq, is_halt_over(vcpu));
	__atomic_store_n(&vcpu->is_waiting, false, __ATOMIC_RELAXED);
	return err;
}

static enum vcpu_step halt(struct vcpu *vcpu)
{
	if (__atomic_exchange_n(&vcpu->is_woken, false, __ATOMIC_ACQ_REL) || has_reason(vcpu)) {
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
		return VCPU_LOOK;
	}
	return wait(vcpu) ? VCPU_INTERRUPTED : VCPU_LOOK;
}

/* Before its first INIT and SIPI a processor has nothing to do. */
static enum vcpu_step wait_for_start(struct vcpu *vcpu)
{
	if (wait(vcpu))
		return VCPU_INTERRUPTED;
	vcpu_settle(vcpu);
	return VCPU_STARTED;
}

static bool is_window_open(struct vcpu *vcpu)
{
	const struct events_guest guest = { .is_open = vcpu->virt->rflags & X86_EFLAGS_IF,
					    .has_shadow = vcpu->virt->has_shadow };

	return accepts_extint(vcpu) && events_are_ready(&vcpu->events, &guest);
}

static void give_way(struct vcpu *vcpu)
{
	bool is_told = vcpu->mp_state == KVM_MP_STATE_RUNNABLE && pvclock_preempted(vcpu);

	thread_preempt();
	if (is_told)
		pvclock_returned(vcpu);
}

/* Everything that an exit may leave to be looked at. VCPU_RESUME: the guest can be entered. */
static enum vcpu_step look_around(struct vcpu *vcpu)
{
	enum vcpu_step step = serve_requests(vcpu);

	if (step != VCPU_RESUME)
		return step;
	if (thread_is_interrupted())
		return VCPU_INTERRUPTED;
	if (vcpu->events.is_triple_fault) {
		vcpu->events.is_triple_fault = false;
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return VCPU_TO_USER;
	}
	if (vcpu->is_step_over)
		return vcpu_stop(vcpu, TRAP_DEBUG);
	if (vcpu->run->request_interrupt_window && is_window_open(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return VCPU_TO_USER;
	}
	if (__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED))
		give_way(vcpu);
	if (vcpu->mp_state == KVM_MP_STATE_HALTED)
		return halt(vcpu);
	if (vcpu->mp_state != KVM_MP_STATE_RUNNABLE)
		return wait_for_start(vcpu);
	if (pvclock_is_due(vcpu))
		pvclock_update(vcpu);
	return VCPU_RESUME;
}

/* --- KVM_RUN --- */

static bool is_immediate_exit(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_ACQUIRE);
}

/* What ring 3 wants to see of its registers in the run page, and what it has changed there. */
static uint64_t synced_regs(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->kvm_valid_regs, __ATOMIC_RELAXED);
}

static uint64_t dirty_regs(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->kvm_dirty_regs, __ATOMIC_RELAXED);
}

/* What ring 3 may want to know of every exit. */
static void tell_state(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vcpu->virt->rflags & X86_EFLAGS_IF);
	run->cr8 = lapic_cr8(&vcpu->lapic);
	run->apic_base = vcpu->lapic.base;
	run->flags = 0;
	run->ready_for_interrupt_injection = is_window_open(vcpu);
}

static enum vcpu_step run(struct vcpu *vcpu)
{
	enum vcpu_step step;

	if (!vm_has_irqchip(vcpu->vm))
		lapic_set_cr8(&vcpu->lapic, (uint8_t)vcpu->run->cr8);
	step = emulate_go_on(vcpu);
	if (step == VCPU_RESUME && is_immediate_exit(vcpu))
		return VCPU_NOT_ENTERED;
	if (step == VCPU_RESUME)
		step = VCPU_LOOK;
	while (step <= VCPU_LOOK)
		step = step == VCPU_LOOK ? look_around(vcpu) : enter(vcpu);
	return step;
}

/* A signal that the thread's own mask blocks stays pending for it. */
static enum vcpu_step run_with_mask(struct vcpu *vcpu)
{
	uint64_t own_mask = current_thread()->signals_blocked;
	enum vcpu_step step;

	signal_set_mask(vcpu->signal_mask);
	step = run(vcpu);
	signal_set_mask(own_mask);
	return step;
}

int64_t vcpu_run(struct vcpu *vcpu)
{
	enum vcpu_step step;

	vcpu->has_run = true;
	if ((synced_regs(vcpu) | dirty_regs(vcpu)) && registers_take(vcpu))
		step = VCPU_REFUSED;
	else
		step = vcpu->has_signal_mask ? run_with_mask(vcpu) : run(vcpu);
	vcpu->is_step_over = false; /* what ring 3 is told ends the step as well */
	irq_disable();
	vcpu_put(vcpu);
	irq_enable();
	if (synced_regs(vcpu))
		registers_publish(vcpu);
	tell_state(vcpu);
	switch (step) {
	case VCPU_TO_USER:
		return 0;
	case VCPU_NOT_ENTERED:
		return -EINTR;
	case VCPU_FAULTED:
		return -EFAULT;
	case VCPU_EXHAUSTED:
		return -ENOMEM;
	case VCPU_STARTED:
		return -EAGAIN;
	case VCPU_REFUSED:
		return -EINVAL;
	default:
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return -EINTR;
	}
}
