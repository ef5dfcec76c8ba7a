/*
 * Time for guests: see pvclock.h.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/user.h"

#define NS_PER_S UINT64_C(1000000000)
#define CLOCK_VALID_FLAGS \
	((uint32_t)(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC))

/* Beyond that nobody lives to see it, and nanoseconds may not fit. */
#define TICKS_TRUSTED (INT64_C(1) << 60)

/* A rate within this of the processor's counts as the same: parts in a million, as KVM has it. */
enum { TSC_TOLERANCE_PPM = 250 };

/* As the guest reads it. (Documentation/virt/kvm/x86/msr.rst, "MSR_KVM_SYSTEM_TIME_NEW".) */
struct system_time {
	uint32_t version; /* odd: being written */
	uint32_t reserved0;
	uint64_t tsc;
	uint64_t ns;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags;
	uint8_t reserved1[2];
};
static_assert(sizeof(struct system_time) == 32, "msr.rst");

enum { TIME_TSC_STABLE = 1 << 0, TIME_GUEST_STOPPED = 1 << 1 };

struct wall_clock {
	uint32_t version, s, ns;
};
static_assert(sizeof(struct kvm_steal_time) == 64, "msr.rst");

static uint64_t tsc_hz(void)
{
	return clock_tsc_khz() * 1000;
}

/* --- the VM's --- */

void vm_clock_create(struct vm_clock *clock)
{
	*clock = (struct vm_clock){ .anchor_tsc = rdtsc() };
	clock->tsc_offset = -clock->anchor_tsc;
}

static uint64_t clock_at(const struct vm_clock *clock, uint64_t tsc)
{
	return clock->anchor_ns +
	       pvclock_scale_ticks(pvclock_scale_of(tsc_hz()), tsc - clock->anchor_tsc);
}

static uint64_t realtime_ns(void)
{
	return clock_boot_time_s() * NS_PER_S + clock_ns();
}

int64_t vm_clock_get_user(struct vm *vm, uint64_t argument)
{
	struct kvm_clock_data data = { .flags = CLOCK_VALID_FLAGS };
	uint64_t flags = spin_lock_irqsave(&vm->clock.lock);

	data.host_tsc = rdtsc();
	data.realtime = realtime_ns();
	data.clock = clock_at(&vm->clock, data.host_tsc);
	spin_unlock_irqrestore(&vm->clock.lock, flags);
	return copy_to_user(argument, &data, sizeof(data));
}

/* All vCPUs are to tell their guests before they run on. */
static void tell_all(struct vm *vm)
{
	for (uint32_t id = 0; id < VM_VCPUS_MAX; id++) {
		struct vcpu *vcpu = __atomic_load_n(&vm->vcpus[id], __ATOMIC_ACQUIRE);

		if (!vcpu)
			continue;
		__atomic_store_n(&vcpu->clock.is_needed, true, __ATOMIC_RELEASE);
		vcpu_request(vcpu, VCPU_REQ_CLOCK);
	}
}

int64_t vm_clock_set_user(struct vm *vm, uint64_t argument)
{
	struct kvm_clock_data data;
	uint64_t flags, now;

	if (copy_from_user(&data, argument, sizeof(data)))
		return -EFAULT;
	if (data.flags & ~CLOCK_VALID_FLAGS)
		return -EINVAL;
	flags = spin_lock_irqsave(&vm->clock.lock);
	vm->clock.anchor_tsc = rdtsc();
	vm->clock.anchor_ns = data.clock;
	/* The time that has passed since the clock was read, by the time of day. */
	now = realtime_ns();
	if ((data.flags & KVM_CLOCK_REALTIME) && now > data.realtime)
		vm->clock.anchor_ns += now - data.realtime;
	spin_unlock_irqrestore(&vm->clock.lock, flags);
	tell_all(vm);
	return 0;
}

/* --- the time-stamp counter --- */

static void set_offset(struct vcpu *vcpu, uint64_t offset)
{
	vcpu->clock.tsc_offset = offset;
	virt->set_tsc_offset(vcpu->virt, offset);
	__atomic_store_n(&vcpu->clock.is_needed, true, __ATOMIC_RELEASE);
}

void pvclock_create(struct vcpu *vcpu)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	uint64_t flags = spin_lock_irqsave(&clock->lock), offset = clock->tsc_offset;

	spin_unlock_irqrestore(&clock->lock, flags);
	set_offset(vcpu, offset);
}

uint64_t pvclock_tsc(const struct vcpu *vcpu)
{
	return rdtsc() + vcpu->clock.tsc_offset;
}

uint64_t pvclock_ns_of_tsc(const struct vcpu *vcpu, uint64_t guest_tsc)
{
	uint64_t host_tsc = guest_tsc - vcpu->clock.tsc_offset;
	int64_t left = (int64_t)(host_tsc - rdtsc());

	if (left <= 0)
		return clock_ns();
	return left < TICKS_TRUSTED ? clock_from_tsc(host_tsc) : INT64_MAX;
}

/*
 * Ring 3 sets the counters of a VM's vCPUs one after the other to the same value, and means that they are to run as one: a value
 * within a second of where the others are, or 0, is taken for that.
 */
static uint64_t offset_from_host(struct vm_clock *clock, uint64_t value)
{
	uint64_t flags = spin_lock_irqsave(&clock->lock), now = rdtsc(), hz = tsc_hz();
	int64_t distance = (int64_t)(value - (now + clock->tsc_offset));

	if (value && (distance > (int64_t)hz || distance < -(int64_t)hz))
		clock->tsc_offset = value - now;
	value = clock->tsc_offset;
	spin_unlock_irqrestore(&clock->lock, flags);
	return value;
}

void pvclock_set_tsc(struct vcpu *vcpu, uint64_t value, bool is_host)
{
	uint64_t offset;

	if (is_host) {
		set_offset(vcpu, offset_from_host(&vcpu->vm->clock, value));
		return;
	}
	offset = value - rdtsc();
	vcpu->clock.tsc_adjust += offset - vcpu->clock.tsc_offset;
	set_offset(vcpu, offset);
}

void pvclock_set_tsc_adjust(struct vcpu *vcpu, uint64_t value, bool is_host)
{
	if (!is_host)
		set_offset(vcpu, vcpu->clock.tsc_offset + value - vcpu->clock.tsc_adjust);
	vcpu->clock.tsc_adjust = value;
}

int64_t pvclock_set_tsc_khz(struct vcpu *vcpu UNUSED, uint64_t argument)
{
	uint64_t host = clock_tsc_khz(), wanted = (uint32_t)argument,
		 slack = host * TSC_TOLERANCE_PPM / 1000000;

	return !wanted || (wanted + slack >= host && wanted <= host + slack) ? 0 : -EINVAL;
}

int64_t pvclock_get_tsc_khz(struct vcpu *vcpu UNUSED, uint64_t argument UNUSED)
{
	return (int64_t)clock_tsc_khz();
}

/* --- what the guest reads --- */

/* A guest's page that isn't there is the guest's own loss. */
static void write_quietly(struct vm *vm, uint64_t at, const void *data, uint32_t bytes)
{
	(void)vm_write_guest(vm, gpa(at), data, bytes);
}

/*
 * The version is the first word of all these: odd while the rest changes. Other vCPUs may read along.
 * The guest's own version is counted on, since it may be older than this VM.
 */
static void write_versioned(struct vm *vm, uint64_t at, void *data, uint32_t bytes)
{
	uint32_t *version = data;

	if (vm_read_guest(vm, gpa(at), version, sizeof(*version)))
		return;
	*version = (*version + 1) | 1;
	write_quietly(vm, at, version, sizeof(*version));
	write_quietly(vm, at + sizeof(*version), version + 1, bytes - (uint32_t)sizeof(*version));
	++*version;
	write_quietly(vm, at, version, sizeof(*version));
}

static void write_system_time(struct vcpu *vcpu)
{
	struct vm_clock *clock = &vcpu->vm->clock;
	struct pvclock_scale scale = pvclock_scale_of(tsc_hz());
	uint64_t at = vcpu->clock.system_msr & ~UINT64_C(1), flags;
	struct system_time time;

	/* The guest may not have looked yet at what it was told about a pause. */
	if (vm_read_guest(vcpu->vm, gpa(at), &time, sizeof(time)))
		return;
	time.flags = TIME_TSC_STABLE | (time.flags & TIME_GUEST_STOPPED) |
		     (vcpu->clock.was_paused ? TIME_GUEST_STOPPED : 0);
	vcpu->clock.was_paused = false;
	time.multiplier = scale.multiplier;
	time.shift = scale.shift;
	flags = spin_lock_irqsave(&clock->lock);
	time.tsc = clock->anchor_tsc + vcpu->clock.tsc_offset;
	time.ns = clock->anchor_ns;
	spin_unlock_irqrestore(&clock->lock, flags);
	write_versioned(vcpu->vm, at, &time, sizeof(time));
}

static void write_wall_clock(struct vm *vm, uint64_t at)
{
	uint64_t flags = spin_lock_irqsave(&vm->clock.lock), boot;
	struct wall_clock wall = { 0 };

	boot = realtime_ns() - clock_at(&vm->clock, rdtsc());
	spin_unlock_irqrestore(&vm->clock.lock, flags);
	wall.s = (uint32_t)(boot / NS_PER_S);
	wall.ns = (uint32_t)(boot % NS_PER_S);
	write_versioned(vm, at, &wall, sizeof(wall));
}

static uint64_t waited_ns(void)
{
	return __atomic_load_n(&current_thread()->waited_ns, __ATOMIC_RELAXED);
}

static gpa_t preempted_at(const struct vcpu *vcpu)
{
	return gpa((vcpu->clock.steal_msr & KVM_STEAL_VALID_BITS) +
		   offsetof(struct kvm_steal_time, preempted));
}
static_assert(offsetof(struct kvm_steal_time, preempted) % sizeof(uint32_t) == 0,
	      "a word's lowest byte");

/* What the thread waited since it was last seen; another thread may have taken over the vCPU. */
static void count_stolen(struct pvclock *clock)
{
	uint64_t waited = waited_ns();

	if (clock->waiter == current_thread()->tid)
		clock->stolen_ns += waited - clock->waited_seen;
	clock->waiter = current_thread()->tid;
	clock->waited_seen = waited;
}

/* What other vCPUs have left it to do is taken with the word; where that can't be, it is done in any case. */
void pvclock_returned(struct vcpu *vcpu)
{
	gpa_t at = preempted_at(vcpu);
	uint32_t word, found;
	const uint8_t none = 0;
	uint64_t hva;

	if (vm_find_hva(vcpu->vm, at, sizeof(word), true, &hva) && !user_word_load(&word, hva) &&
	    !(word & KVM_VCPU_FLUSH_TLB) &&
	    !user_word_exchange(hva, word, word & ~(uint32_t)UINT8_MAX, &found) && found == word) {
		vm_note_write(vcpu->vm, at);
		return;
	}
	write_quietly(vcpu->vm, at.v, &none, sizeof(none));
	virt->flush(vcpu->virt);
}

static void write_steal_time(struct vcpu *vcpu)
{
	uint64_t at = vcpu->clock.steal_msr & KVM_STEAL_VALID_BITS;
	struct kvm_steal_time *steal = NULL;
	uint32_t version;

	if (!vcpu->clock.waiter) /* whatever another host has left there */
		pvclock_returned(vcpu);
	count_stolen(&vcpu->clock);
	if (vm_read_guest(vcpu->vm, gpa(at + offsetof(struct kvm_steal_time, version)), &version,
			  sizeof(version)))
		return;
	version = (version + 1) | 1;
	write_quietly(vcpu->vm, at + offsetof(struct kvm_steal_time, version), &version,
		      sizeof(version));
	write_quietly(vcpu->vm, at + offsetof(struct kvm_steal_time, steal), &vcpu->clock.stolen_ns,
		      sizeof(steal->steal));
	version++;
	write_quietly(vcpu->vm, at + offsetof(struct kvm_steal_time, version), &version,
		      sizeof(version));
}

static bool reports_steal(const struct pvclock *clock)
{
	return clock->steal_msr & KVM_MSR_ENABLED;
}

bool pvclock_is_due(const struct vcpu *vcpu)
{
	const struct pvclock *clock = &vcpu->clock;

	return __atomic_load_n(&clock->is_needed, __ATOMIC_ACQUIRE) ||
	       (reports_steal(clock) && clock->waited_seen != waited_ns());
}

void pvclock_update(struct vcpu *vcpu)
{
	struct pvclock *clock = &vcpu->clock;

	if (__atomic_exchange_n(&clock->is_needed, false, __ATOMIC_ACQ_REL) &&
	    (clock->system_msr & KVM_MSR_ENABLED))
		write_system_time(vcpu);
	if (reports_steal(clock))
		write_steal_time(vcpu);
}

bool pvclock_preempted(struct vcpu *vcpu)
{
	const uint8_t preempted = KVM_VCPU_PREEMPTED;

	return reports_steal(&vcpu->clock) &&
	       !vm_write_guest(vcpu->vm, preempted_at(vcpu), &preempted, sizeof(preempted));
}

int64_t pvclock_paused(struct vcpu *vcpu)
{
	if (!(vcpu->clock.system_msr & KVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->clock.was_paused = true;
	__atomic_store_n(&vcpu->clock.is_needed, true, __ATOMIC_RELEASE);
	return 0;
}

/* --- MSRs --- */

int pvclock_get_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	switch (msr) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		*out = __atomic_load_n(&vcpu->vm->clock.wall_msr, __ATOMIC_RELAXED);
		return 0;
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		*out = vcpu->clock.system_msr;
		return 0;
	case MSR_KVM_STEAL_TIME:
		*out = vcpu->clock.steal_msr;
		return 0;
	default:
		return -1;
	}
}

static int set_steal(struct vcpu *vcpu, uint64_t value)
{
	if (value & KVM_STEAL_RESERVED_MASK)
		return -1;
	vcpu->clock.steal_msr = value;
	/* From here on: what was waited before is nobody's. */
	vcpu->clock.waiter = 0;
	__atomic_store_n(&vcpu->clock.is_needed, true, __ATOMIC_RELEASE);
	return 0;
}

int pvclock_set_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host UNUSED)
{
	switch (msr) {
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		__atomic_store_n(&vcpu->vm->clock.wall_msr, value, __ATOMIC_RELAXED);
		if (value)
			write_wall_clock(vcpu->vm, value);
		return 0;
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		vcpu->clock.system_msr = value;
		__atomic_store_n(&vcpu->clock.is_needed, true, __ATOMIC_RELEASE);
		return 0;
	case MSR_KVM_STEAL_TIME:
		return set_steal(vcpu, value);
	default:
		return -1;
	}
}
