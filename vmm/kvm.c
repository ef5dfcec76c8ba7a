/*
 * The KVM API: see kvm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/boot/layout.h"
#include "vmm/kvm.h"
#include "vmm/platform/ioapic.h"

enum { GSIS_MIN = 256 };

static const struct {
	int capability;
	const char *name;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" },
	{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
	{ KVM_CAP_IRQFD, "IRQFD" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD" },
	{ KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
	{ KVM_CAP_EXT_CPUID, "EXT_CPUID" },
	{ KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" },
	{ KVM_CAP_XSAVE, "XSAVE" },
	{ KVM_CAP_XCRS, "XCRS" },
	{ KVM_CAP_DEBUGREGS, "DEBUGREGS" },
	{ KVM_CAP_MP_STATE, "MP_STATE" },
};

int kvm_call(int fd, unsigned long request, void *argument, const char *what, struct errmsg *why)
{
	int result = ioctl(fd, request, argument);

	if (result >= 0)
		return result;
	result = -errno;
	return why ? errmsg_system(why, result, "KVM: %s failed: %s", what, strerror(-result))
		   : result;
}

int kvm_has(const struct kvm *kvm, int capability)
{
	int result = ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, capability);

	return result > 0 ? result : 0;
}

static int open_device(struct kvm *kvm, struct errmsg *why)
{
	int version;

	kvm->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0)
		return errmsg_system(
			why, -errno,
			"/dev/kvm: cannot be opened: %s; is the processor's virtualization "
			"(AMD SVM, Intel VMX) switched on, the kvm-amd or kvm-intel module loaded, "
			"and this user allowed to use it?",
			strerror(errno));
	version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return errmsg_system(why, -ENOSYS, "/dev/kvm: expected API version %d, found %d",
				     KVM_API_VERSION, version);
	return 0;
}

static int check_capabilities(struct kvm *kvm, struct errmsg *why)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!kvm_has(kvm, needed[i].capability))
			return errmsg_system(
				why, -ENOSYS,
				"/dev/kvm: this kernel's KVM lacks KVM_CAP_%s, which bhvm needs",
				needed[i].name);
	kvm->nr_gsis = (uint32_t)kvm_has(kvm, KVM_CAP_IRQ_ROUTING);
	if (kvm->nr_gsis < GSIS_MIN)
		return errmsg_system(why, -ENOSYS,
				     "/dev/kvm: expected at least %d interrupt routes, found %u",
				     GSIS_MIN, kvm->nr_gsis);
	kvm->vcpus_max = (uint32_t)kvm_has(kvm, KVM_CAP_MAX_VCPUS);
	return 0;
}

static int create_vm(struct kvm *kvm, struct errmsg *why)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
	uint64_t identity_map = KVM_IDENTITY_MAP_AT;
	int err;

	kvm->vm_fd = kvm_call(kvm->fd, KVM_CREATE_VM, NULL, "creating a VM", why);
	if (kvm->vm_fd < 0)
		return kvm->vm_fd;
	err = check_capabilities(kvm, why);
	if (err)
		return err;

	/* Only Intel's oldest generations use these pages; KVM elsewhere takes note and does nothing. */
	if (kvm_has(kvm, KVM_CAP_SET_IDENTITY_MAP_ADDR)) {
		err = kvm_call(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map,
			       "setting the identity map", why);
		if (err < 0)
			return err;
	}
	if (kvm_has(kvm, KVM_CAP_SET_TSS_ADDR)) {
		err = kvm_call(kvm->vm_fd, KVM_SET_TSS_ADDR, (void *)KVM_TSS_AT, "setting the TSS",
			       why);
		if (err < 0)
			return err;
	}
	return kvm_call(kvm->vm_fd, KVM_ENABLE_CAP, &split, "splitting the irqchip", why);
}

int kvm_open(struct kvm *kvm, struct errmsg *why)
{
	int run_bytes, err;

	*kvm = (struct kvm){ .fd = -1, .vm_fd = -1 };
	err = open_device(kvm, why);
	if (!err)
		err = create_vm(kvm, why);
	if (err)
		goto err_close;
	run_bytes =
		kvm_call(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, NULL, "asking for the vCPU's size", why);
	err = run_bytes;
	if (run_bytes < 0)
		goto err_close;
	kvm->run_bytes = (uint32_t)run_bytes;
	return 0;

err_close:
	kvm_close(kvm);
	return err;
}

void kvm_close(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->fd >= 0)
		close(kvm->fd);
	*kvm = (struct kvm){ .fd = -1, .vm_fd = -1 };
}
