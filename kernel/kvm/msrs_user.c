/*
 * MSRs between ring 3 and a vCPU: see msrs.h.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>

#include "kernel/kvm/vcpu.h"
#include "kernel/mem/user.h"

enum { MSRS_PER_CALL_MAX = 256, MSRS_LISTED_MAX = 256 };

typedef int (*access_msr)(struct vcpu *vcpu, struct kvm_msr_entry *entry);

static int read_state(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	uint64_t value;

	if (msr_host_read(vcpu, entry->index, &value))
		return -1;
	entry->data = value;
	return 0;
}

static int write_state(struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return msr_host_write(vcpu, entry->index, entry->data) < 0 ? -1 : 0;
}

static int read_feature(struct vcpu *vcpu UNUSED, struct kvm_msr_entry *entry)
{
	uint64_t value;

	if (msr_feature_read(entry->index, &value))
		return -1;
	entry->data = value;
	return 0;
}

/* One after the other up to the first that can't be; the result is how many could. */
static int64_t for_each(struct vcpu *vcpu, uint64_t argument, access_msr access, bool gives_back)
{
	struct kvm_msr_entry entry;
	struct kvm_msrs header;
	uint64_t at = argument + sizeof(header);
	uint32_t done;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (header.nmsrs >= MSRS_PER_CALL_MAX)
		return -E2BIG;
	for (done = 0; done < header.nmsrs; done++, at += sizeof(entry)) {
		if (copy_from_user(&entry, at, sizeof(entry)))
			return -EFAULT;
		if (access(vcpu, &entry))
			break;
		if (gives_back && copy_to_user(at, &entry, sizeof(entry)))
			return -EFAULT;
	}
	return done;
}

int64_t msrs_get_user(struct vcpu *vcpu, uint64_t argument)
{
	return for_each(vcpu, argument, read_state, true);
}

int64_t msrs_set_user(struct vcpu *vcpu, uint64_t argument)
{
	return for_each(vcpu, argument, write_state, false);
}

int64_t msrs_get_features_user(uint64_t argument)
{
	return for_each(NULL, argument, read_feature, true);
}

int64_t msrs_list_user(uint64_t argument, bool is_features)
{
	uint32_t numbers[MSRS_LISTED_MAX], count = msrs_list(is_features, numbers, MSRS_LISTED_MAX);
	struct kvm_msr_list header;
	uint32_t room;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	room = header.nmsrs;
	header.nmsrs = count;
	if (copy_to_user(argument, &header, sizeof(header)))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	return copy_to_user(argument + sizeof(header), numbers, count * sizeof(numbers[0]));
}
