/*
 * All that a vCPU consists of: see vcpu_state.h.
 */
#include <errno.h>
#include <stdbool.h>

#include "vmm/vcpu_state.h"

/* MSRs that setting would disturb: the TSC runs on over a reset, and a write to it costs its synchrony. */
static const uint32_t msrs_left_alone[] = {
	0x10, /* IA32_TIME_STAMP_COUNTER */
	0x3b, /* IA32_TSC_ADJUST */
};

static bool is_left_alone(uint32_t index)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(msrs_left_alone); i++)
		if (msrs_left_alone[i] == index)
			return true;
	return false;
}

int vcpu_state_list_msrs(const struct kvm *kvm, struct vcpu_msrs *out, struct errmsg *why)
{
	struct {
		struct kvm_msr_list header;
		uint32_t indices[VCPU_MSRS_MAX];
	} list = { .header.nmsrs = VCPU_MSRS_MAX };
	int err;

	err = kvm_call(kvm->fd, KVM_GET_MSR_INDEX_LIST, &list, "listing MSRs", why);
	if (err < 0)
		return err;
	out->header.nmsrs = 0;
	for (uint32_t i = 0; i < list.header.nmsrs; i++)
		if (!is_left_alone(list.indices[i]))
			out->entries[out->header.nmsrs++].index = list.indices[i];
	return 0;
}

/* One row per part, in the order in which KVM wants them set: later ones build on earlier ones. */
static const struct {
	unsigned long get, set;
	size_t offset;
	const char *what;
} parts[] = {
#define PART(field, GET, SET)                                        \
	{                                                            \
		GET, SET, offsetof(struct vcpu_state, field), #field \
	}
	PART(regs, KVM_GET_REGS, KVM_SET_REGS),
	PART(xsave, KVM_GET_XSAVE, KVM_SET_XSAVE),
	PART(xcrs, KVM_GET_XCRS, KVM_SET_XCRS),
	PART(sregs, KVM_GET_SREGS, KVM_SET_SREGS),
	PART(lapic, KVM_GET_LAPIC, KVM_SET_LAPIC),
	PART(mp_state, KVM_GET_MP_STATE, KVM_SET_MP_STATE),
	PART(events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS),
	PART(debugregs, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS),
#undef PART
};

/* KVM stops at the first MSR that this host doesn't have: drop that one and go on. */
static int get_msrs(int vcpu_fd, const struct vcpu_msrs *list, struct vcpu_msrs *out,
		    struct errmsg *why)
{
	struct vcpu_msrs rest;
	uint32_t next = 0;
	int got;

	out->header = (struct kvm_msrs){ 0 };
	while (next < list->header.nmsrs) {
		rest.header = (struct kvm_msrs){ .nmsrs = list->header.nmsrs - next };
		for (uint32_t i = 0; i < rest.header.nmsrs; i++)
			rest.entries[i] = list->entries[next + i];
		got = kvm_call(vcpu_fd, KVM_GET_MSRS, &rest, "reading MSRs", why);
		if (got < 0)
			return got;
		for (int i = 0; i < got; i++)
			out->entries[out->header.nmsrs++] = rest.entries[i];
		next += (uint32_t)got + 1;
	}
	return 0;
}

static int set_msrs(int vcpu_fd, const struct vcpu_msrs *msrs, struct errmsg *why)
{
	struct vcpu_msrs rest;
	uint32_t next = 0;
	int done;

	/* One that can be read but not written (it was zero, then) is skipped. */
	while (next < msrs->header.nmsrs) {
		rest.header = (struct kvm_msrs){ .nmsrs = msrs->header.nmsrs - next };
		for (uint32_t i = 0; i < rest.header.nmsrs; i++)
			rest.entries[i] = msrs->entries[next + i];
		done = kvm_call(vcpu_fd, KVM_SET_MSRS, &rest, "writing MSRs", why);
		if (done < 0)
			return done;
		if ((uint32_t)done < rest.header.nmsrs && rest.entries[done].data)
			return errmsg_system(why, -EINVAL, "KVM: cannot set MSR %#x to %#llx",
					     rest.entries[done].index, rest.entries[done].data);
		next += (uint32_t)done + 1;
	}
	return 0;
}

int vcpu_state_get(int vcpu_fd, const struct vcpu_msrs *list, struct vcpu_state *out,
		   struct errmsg *why)
{
	int err;

	for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++) {
		err = kvm_call(vcpu_fd, parts[i].get, (char *)out + parts[i].offset, parts[i].what,
			       why);
		if (err < 0)
			return err;
	}
	return get_msrs(vcpu_fd, list, &out->msrs, why);
}

int vcpu_state_set(int vcpu_fd, const struct vcpu_state *state, struct errmsg *why)
{
	int err;

	for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++) {
		err = kvm_call(vcpu_fd, parts[i].set, (char *)(uintptr_t)state + parts[i].offset,
			       parts[i].what, why);
		if (err < 0)
			return err;
	}
	return set_msrs(vcpu_fd, &state->msrs, why);
}
