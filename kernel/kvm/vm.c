/*
 * One virtual machine: see vm.h.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>

#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

#define TSS_PAGES_END \
	(UINT64_C(1) << 32) /* three pages below it, as Intel's real mode wants them */

static struct object_cache vm_cache = OBJECT_CACHE("vm", struct vm);

void vm_get(struct vm *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
}

void vm_put(struct vm *vm)
{
	if (__atomic_sub_fetch(&vm->refs, 1, __ATOMIC_ACQ_REL))
		return;
	/* First those who reach for the APICs from outside. */
	irqfds_destroy(&vm->irqfds);
	ioeventfds_destroy(&vm->ioeventfds);
	for (uint32_t id = 0; id < VM_VCPUS_MAX; id++)
		if (vm->vcpus[id])
			vcpu_destroy(vm->vcpus[id]);
	routing_destroy(&vm->routing);
	vm_memory_destroy(vm);
	mm_put(vm->mm);
	object_free(&vm_cache, vm);
}

/* --- interrupts --- */

enum { NOBODY = -1 }; /* of apic_deliver() */

/* How many take it; NOBODY; -EINVAL. */
static int send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	struct apic_message message;
	int err = apic_message_from_msi(address, data, apic_map_api_flags(&vm->apics), &message);

	return err ? err : apic_deliver(&vm->apics, &message);
}

void vm_raise_gsi(struct vm *vm, uint32_t gsi)
{
	struct route route;

	if (routing_find(&vm->routing, gsi, &route))
		(void)send_msi(vm, route.address, route.data);
}

/* An interrupt that was level-triggered reached this APIC: which ones a pin's route leads to needn't be asked. */
bool vm_is_eoi_wanted(struct vm *vm, uint32_t apic_id UNUSED, uint8_t vector)
{
	return routing_wants_eoi(&vm->routing, vector);
}

static int64_t signal_msi(struct vm *vm, uint64_t argument)
{
	struct kvm_msi msi;
	int result;

	if (copy_from_user(&msi, argument, sizeof(msi)))
		return -EFAULT;
	if (!vm_has_irqchip(vm) || msi.flags)
		return -EINVAL;
	result = send_msi(vm, (uint64_t)msi.address_hi << 32 | msi.address_lo, msi.data);
	return result == NOBODY ? 0 : result;
}

static int64_t replace_routes(struct vm *vm, const struct kvm_irq_routing_entry *entries,
			      uint32_t count)
{
	struct routes *routes;
	int err;

	mutex_lock(&vm->lock);
	err = routes_create(entries, count, apic_map_api_flags(&vm->apics), &routes);
	if (!err)
		routing_replace(&vm->routing, routes, vm->nr_pins);
	mutex_unlock(&vm->lock);
	return err;
}

static int64_t set_routing(struct vm *vm, uint64_t argument)
{
	struct kvm_irq_routing_entry *entries;
	struct kvm_irq_routing header;
	int64_t err;

	if (copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (!vm_has_irqchip(vm) || header.nr > ROUTES_MAX || header.flags)
		return -EINVAL;
	entries = kmalloc((header.nr ? header.nr : 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	err = copy_from_user(entries, argument + sizeof(header), header.nr * sizeof(*entries));
	if (!err)
		err = replace_routes(vm, entries, header.nr);
	kfree(entries);
	return err;
}

/* --- capabilities --- */

static int64_t split_irqchip(struct vm *vm, uint64_t nr_pins)
{
	if (nr_pins > ROUTES_MAX)
		return -EINVAL;
	if (vm->has_irqchip || vm_has_vcpus(vm))
		return -EEXIST;
	vm->nr_pins = (uint32_t)nr_pins;
	__atomic_store_n(&vm->has_irqchip, true, __ATOMIC_RELAXED);
	return 0;
}

static int64_t enable_locked(struct vm *vm, const struct kvm_enable_cap *cap)
{
	switch (cap->cap) {
	case KVM_CAP_SPLIT_IRQCHIP:
		return split_irqchip(vm, cap->args[0]);
	case KVM_CAP_X2APIC_API:
		if (cap->args[0] & ~(uint64_t)VM_X2APIC_API)
			return -EINVAL;
		apic_map_set_api_flags(&vm->apics,
				       apic_map_api_flags(&vm->apics) | (uint32_t)cap->args[0]);
		return 0;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		if (cap->args[0] & ~(uint64_t)KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
			return -EINVAL;
		vm->has_manual_protect = cap->args[0];
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t enable_capability(struct vm *vm, uint64_t argument)
{
	struct kvm_enable_cap cap;
	int64_t err;

	if (copy_from_user(&cap, argument, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = enable_locked(vm, &cap);
	mutex_unlock(&vm->lock);
	return err;
}

bool vm_has_vcpus(const struct vm *vm)
{
	for (uint32_t id = 0; id < VM_VCPUS_MAX; id++)
		if (vm->vcpus[id])
			return true;
	return false;
}

/* Pages for Intel processors that can't run real mode: taken note of, and not needed. */
static int64_t set_tss_address(struct vm *vm UNUSED, uint64_t argument)
{
	return argument > TSS_PAGES_END - 3 * PAGE_BYTES ? -EINVAL : 0;
}

static int64_t set_identity_map_address(struct vm *vm, uint64_t argument)
{
	uint64_t address;
	int64_t err;

	if (copy_from_user(&address, argument, sizeof(address)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = vm_has_vcpus(vm) ? -EINVAL : 0;
	mutex_unlock(&vm->lock);
	return err;
}

static int64_t check_extension(struct vm *vm UNUSED, uint64_t argument)
{
	return kvm_extension(argument);
}

/* --- the descriptor --- */

/* One row per request. */
static const struct {
	uint32_t request;
	int64_t (*handle)(struct vm *vm, uint64_t argument);
} requests[] = {
	{ KVM_CHECK_EXTENSION, check_extension },
	{ KVM_CLEAR_DIRTY_LOG, vm_clear_dirty_log },
	{ KVM_CREATE_VCPU, vcpu_create_fd },
	{ KVM_ENABLE_CAP, enable_capability },
	{ KVM_GET_CLOCK, vm_clock_get_user },
	{ KVM_GET_DIRTY_LOG, vm_get_dirty_log },
	{ KVM_IOEVENTFD, ioeventfd_user },
	{ KVM_IRQFD, irqfd_user },
	{ KVM_SET_CLOCK, vm_clock_set_user },
	{ KVM_SET_GSI_ROUTING, set_routing },
	{ KVM_SET_IDENTITY_MAP_ADDR, set_identity_map_address },
	{ KVM_SET_TSS_ADDR, set_tss_address },
	{ KVM_SET_USER_MEMORY_REGION, vm_set_memory_region },
	{ KVM_SIGNAL_MSI, signal_msi },
};

static int64_t vm_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	struct vm *vm = file->data;

	if (current_process()->mm != vm->mm)
		return -EIO;
	for (uint32_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].request == request)
			return requests[i].handle(vm, argument);
	return -ENOTTY;
}

static void vm_release(struct file *file)
{
	vm_put(file->data);
}

static const struct file_ops vm_ops = {
	.ioctl = vm_ioctl,
	.release = vm_release,
};

static struct vm *vm_create(void)
{
	struct vm *vm = object_alloc(&vm_cache);

	if (!vm)
		return NULL;
	vm->refs = 1;
	vm->mm = current_process()->mm;
	mutex_init(&vm->lock);
	apic_map_create(&vm->apics, vm->apic_slots, VM_VCPUS_MAX);
	irqfds_create(&vm->irqfds);
	vm_clock_create(&vm->clock);
	if (vm_memory_create(vm)) {
		object_free(&vm_cache, vm);
		return NULL;
	}
	mm_get(vm->mm);
	return vm;
}

int64_t vm_create_fd(void)
{
	struct vm *vm = vm_create();
	struct file *file = vm ? file_create(&vm_ops, vm, NULL, O_RDWR) : NULL;

	if (!file) {
		if (vm)
			vm_put(vm);
		return -ENOMEM;
	}
	return fd_install(&current_process()->fds, file, true, 0);
}
