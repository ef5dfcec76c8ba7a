/*
 * /dev/kvm itself: see device.h. (KVM API, "System ioctls".)
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/stat.h>
#include <stddef.h>

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/fs/node.h"
#include "kernel/kvm/device.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vcpu_registers.h"
#include "kernel/kvm/vm.h"
#include "kernel/virt/ops.h"

/*
 * Capabilities with a value of their own; those that are just there say 1. What isn't here isn't there. The same for the system
 * and for a VM: none depends on a VM's settings.
 */
static const struct {
	uint32_t capability;
	int32_t value; /* 0: 1 */
} capabilities[] = {
	{ KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC },
	{ KVM_CAP_CHECK_EXTENSION_VM, 0 },
	{ KVM_CAP_CLOCKSOURCE, 0 },
	{ KVM_CAP_DEBUGREGS, 0 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 0 },
	{ KVM_CAP_ENABLE_CAP_VM, 0 },
	{ KVM_CAP_EXT_CPUID, 0 },
	{ KVM_CAP_EXT_EMUL_CPUID, 0 },
	{ KVM_CAP_GET_MSR_FEATURES, 0 },
	{ KVM_CAP_GET_TSC_KHZ, 0 },
	{ KVM_CAP_HLT, 0 },
	{ KVM_CAP_IMMEDIATE_EXIT, 0 },
	{ KVM_CAP_INTR_SHADOW, 0 },
	{ KVM_CAP_IOEVENTFD, 0 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 0 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 0 },
	{ KVM_CAP_IRQFD, 0 },
	{ KVM_CAP_IRQ_ROUTING, ROUTES_MAX },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 0 },
	{ KVM_CAP_KVMCLOCK_CTRL, 0 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	{ KVM_CAP_MAX_VCPUS, VM_VCPUS_MAX },
	{ KVM_CAP_MAX_VCPU_ID, VM_VCPUS_MAX },
	{ KVM_CAP_MP_STATE, 0 },
	{ KVM_CAP_NOP_IO_DELAY, 0 },
	{ KVM_CAP_NR_MEMSLOTS, MEMSLOTS_MAX },
	{ KVM_CAP_READONLY_MEM, 0 },
	{ KVM_CAP_SET_GUEST_DEBUG, 0 },
	{ KVM_CAP_SET_GUEST_DEBUG2, VCPU_DEBUG_CONTROL },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 0 },
	{ KVM_CAP_SET_TSS_ADDR, 0 },
	{ KVM_CAP_SIGNAL_MSI, 0 },
	{ KVM_CAP_SPLIT_IRQCHIP, 0 },
	{ KVM_CAP_SREGS2, 0 },
	{ KVM_CAP_SYNC_MMU, 0 },
	{ KVM_CAP_SYNC_REGS, REGISTERS_SYNCED },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 0 },
	{ KVM_CAP_USER_MEMORY, 0 },
	{ KVM_CAP_USER_NMI, 0 },
	{ KVM_CAP_VCPU_EVENTS, 0 },
	{ KVM_CAP_X2APIC_API, VM_X2APIC_API },
	{ KVM_CAP_XCRS, 0 },
	{ KVM_CAP_XSAVE, 0 },
};

int64_t kvm_extension(uint64_t capability)
{
	/* How many run well at once. */
	if (capability == KVM_CAP_NR_VCPUS)
		return nr_cpus < VM_VCPUS_MAX ? nr_cpus : VM_VCPUS_MAX;
	for (uint32_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].capability == capability)
			return capabilities[i].value ? capabilities[i].value : 1;
	return 0;
}

static int64_t kvm_ioctl(struct file *file UNUSED, uint32_t request, uint64_t argument)
{
	switch (request) {
	case KVM_GET_API_VERSION:
		return argument ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return argument ? -EINVAL : vm_create_fd();
	case KVM_CHECK_EXTENSION:
		return kvm_extension(argument);
	case KVM_GET_VCPU_MMAP_SIZE:
		return argument ? -EINVAL : VCPU_RUN_BYTES;
	case KVM_GET_SUPPORTED_CPUID:
		return cpuid_get_supported_user(argument);
	case KVM_GET_EMULATED_CPUID:
		return cpuid_get_emulated_user(argument);
	case KVM_GET_MSR_INDEX_LIST:
		return msrs_list_user(argument, false);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return msrs_list_user(argument, true);
	case KVM_GET_MSRS:
		return msrs_get_features_user(argument);
	default:
		return -EINVAL; /* as KVM has it here and for vCPUs, but not for VMs */
	}
}

static const struct file_ops kvm_ops = { .ioctl = kvm_ioctl };

static int kvm_open(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	if (!virt)
		return -ENODEV;
	*out = file_create(&kvm_ops, NULL, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

void kvm_device_init(void)
{
	if (!msrs_table_is_sound())
		panic("the table of MSRs is not in order");
	node_make_special("/dev/kvm", S_IFCHR | 0600, 10 << 8 | 232, kvm_open, NULL);
}
