/*
 * CPUID between ring 3, a vCPU and this machine: see cpuid.h.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"

/* Components that guests may have: x87, SSE, AVX, AVX-512. Others would need more than XSAVE to be switched. */
#define GUEST_XCR0 UINT64_C(0xe7)

enum { LINEAR_BITS_LEAF_SHIFT = 8 };
#define LEAF_ADDRESS_SIZES 0x80000008u

/* --- this machine --- */

static void read_host(uint32_t leaf, uint32_t index, uint32_t out[4])
{
	struct cpuid words = cpuid(leaf, index);

	out[0] = words.eax;
	out[1] = words.ebx;
	out[2] = words.ecx;
	out[3] = words.edx;
}

/* Written once, with the same values by whoever comes first. */
const struct cpuid_host *cpuid_host(void)
{
	static struct cpuid_host host = { .read = read_host };

	host.xcr0 = cpu_features.has_xsave ? fpu_features() & GUEST_XCR0 : 0;
	host.has_invariant_tsc = cpu_features.has_invariant_tsc;
	return &host;
}

/* --- of a vCPU --- */

static struct cpuid_live live_state(struct vcpu *vcpu)
{
	return (struct cpuid_live){
		.cr4 = virt->get_cr(vcpu->virt, 4),
		.xcr0 = vcpu_xcr0(vcpu),
		.xss = vcpu->msrs.values[MSR_SLOT_XSS],
		.is_apic_enabled = vm_has_irqchip(vcpu->vm) ? lapic_is_enabled(&vcpu->lapic) : true,
	};
}

void cpuid_run(struct vcpu *vcpu, uint32_t leaf, uint32_t index, uint32_t out[4])
{
	struct cpuid_live live;

	if (cpuid_answer(&vcpu->cpuid, NULL, leaf, index, out))
		return;
	live = live_state(vcpu);
	(void)cpuid_answer(&vcpu->cpuid, &live, leaf, index, out);
}

uint32_t cpuid_lapic_features(const struct vcpu *vcpu)
{
	uint32_t features = 0;

	if (cpuid_has(&vcpu->cpuid, CPUID_X2APIC))
		features |= LAPIC_HAS_X2APIC | LAPIC_OFFERS_EOI_SUPPRESSION;
	if (cpuid_has(&vcpu->cpuid, CPUID_TSC_DEADLINE))
		features |= LAPIC_HAS_TSC_DEADLINE;
	return features;
}

uint32_t cpuid_phys_bits(const struct vcpu *vcpu)
{
	return vcpu->cpuid.phys_bits ? vcpu->cpuid.phys_bits : 36;
}

/* --- KVM_SET_CPUID2, KVM_GET_CPUID2 --- */

/* As KVM: guests whose idea of canonical addresses isn't the processor's are refused. */
static int check_entries(const struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bits = entries[i].eax >> LINEAR_BITS_LEAF_SHIFT & 0xff;

		if (entries[i].function == LEAF_ADDRESS_SIZES && bits && bits != 48 && bits != 57)
			return -EINVAL;
	}
	return 0;
}

/* What the guest has seen stays; to say the same again is fine. */
static bool is_same(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	struct cpuid_live live = live_state(vcpu);
	const struct cpuid_table *table = &vcpu->cpuid;

	if (count != table->count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct kvm_cpuid_entry2 old = table->entries[i], new = entries[i];

		cpuid_follow(table, &live, &old);
		cpuid_follow(table, &live, &new);
		memset(old.padding, 0, sizeof(old.padding));
		memset(new.padding, 0, sizeof(new.padding));
		if (memcmp(&old, &new, sizeof(old)) != 0)
			return false;
	}
	return true;
}

static int64_t set_entries(struct vcpu *vcpu, struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	int err = check_entries(entries, count);

	if (!err && !vcpu->has_run) {
		cpuid_table_set(&vcpu->cpuid, entries, count);
		return 0;
	}
	if (!err && !is_same(vcpu, entries, count))
		err = -EINVAL;
	kfree(entries);
	return err;
}

int64_t cpuid_set_user(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 header;
	uint64_t bytes;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (header.nent > CPUID_ENTRIES_MAX)
		return -E2BIG;
	bytes = header.nent * sizeof(*entries);
	entries = kmalloc(bytes);
	if (!entries)
		return -ENOMEM;
	if (copy_from_user(entries, argument + sizeof(header), bytes)) {
		kfree(entries);
		return -EFAULT;
	}
	return set_entries(vcpu, entries, header.nent);
}

int64_t cpuid_get_user(struct vcpu *vcpu, uint64_t argument)
{
	const struct cpuid_table *table = &vcpu->cpuid;
	struct cpuid_live live = live_state(vcpu);
	struct kvm_cpuid2 header;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (header.nent < table->count)
		return -E2BIG;
	for (uint32_t i = 0; i < table->count; i++) {
		struct kvm_cpuid_entry2 entry = table->entries[i];

		cpuid_follow(table, &live, &entry);
		if (copy_to_user(argument + sizeof(header) + i * sizeof(entry), &entry,
				 sizeof(entry)))
			return -EFAULT;
	}
	header.nent = table->count;
	return copy_to_user(argument, &header, sizeof(header));
}

/* --- KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID --- */

static int64_t give_entries(uint64_t argument, struct kvm_cpuid2 *header,
			    const struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	header->nent = count;
	if (copy_to_user(argument + sizeof(*header), entries, count * sizeof(*entries)) ||
	    copy_to_user(argument, header, sizeof(*header)))
		return -EFAULT;
	return 0;
}

int64_t cpuid_get_supported_user(uint64_t argument)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 header;
	int64_t result;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (!header.nent)
		return -E2BIG;
	if (header.nent > CPUID_ENTRIES_MAX)
		header.nent = CPUID_ENTRIES_MAX;
	entries = kmalloc(header.nent * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	result = cpuid_supported(cpuid_host(), entries, header.nent);
	if (result >= 0)
		result = give_entries(argument, &header, entries, (uint32_t)result);
	kfree(entries);
	return result;
}

/* Nothing is emulated that the processor lacks: leaves 0, 1 and 7 without a bit, as the document's list has them. */
int64_t cpuid_get_emulated_user(uint64_t argument)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0, .eax = 7 },
		{ .function = 1 },
		{ .function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX },
	};
	struct kvm_cpuid2 header;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (header.nent < ARRAY_SIZE(entries))
		return -E2BIG;
	return give_entries(argument, &header, entries, ARRAY_SIZE(entries));
}
