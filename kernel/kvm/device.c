/*
 * /dev/kvm itself: see device.h. (KVM API, "System ioctls".)
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/stat.h>
#include <stddef.h>

#include "kernel/fs/node.h"
#include "kernel/kvm/device.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vm.h"
#include "kernel/virt/ops.h"

/* The truth about everything: what isn't here is 0. */
int64_t kvm_extension(uint64_t capability)
{
	switch (capability) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_CHECK_EXTENSION_VM:
		return 1;
	case KVM_CAP_NR_MEMSLOTS:
		return MEMSLOTS_MAX;
	case KVM_CAP_NR_VCPUS:
	case KVM_CAP_MAX_VCPUS:
	case KVM_CAP_MAX_VCPU_ID:
		return VM_VCPUS_MAX;
	default:
		return 0;
	}
}

static int64_t kvm_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	(void)file;
	switch (request) {
	case KVM_GET_API_VERSION:
		return argument ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return argument ? -EINVAL : vm_create_fd();
	case KVM_CHECK_EXTENSION:
		return kvm_extension(argument);
	case KVM_GET_VCPU_MMAP_SIZE:
		return argument ? -EINVAL : VCPU_RUN_BYTES;
	default:
		return -ENOTTY;
	}
}

static const struct file_ops kvm_ops = { .name = "kvm", .ioctl = kvm_ioctl };

static int kvm_open(struct node *node, uint32_t flags, struct file **out)
{
	(void)node;
	if (!virt)
		return -ENODEV;
	*out = file_create(&kvm_ops, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

void kvm_device_init(void)
{
	node_make_special("/dev/kvm", S_IFCHR | 0600, kvm_open, NULL);
}
