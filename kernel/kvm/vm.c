/*
 * One virtual machine: see vm.h.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>

#include "kernel/cpu/tlb.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

static struct object_cache vm_cache = OBJECT_CACHE("vm", struct vm);

void vm_get(struct vm *vm)
{
	__atomic_fetch_add(&vm->refs, 1, __ATOMIC_RELAXED);
}

void vm_put(struct vm *vm)
{
	if (__atomic_sub_fetch(&vm->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint32_t id = 0; id < VM_VCPUS_MAX; id++)
		if (vm->vcpus[id])
			vcpu_destroy(vm->vcpus[id]);
	mm_remove_mirror(vm->mm, &vm->mirror);
	npt_destroy(&vm->npt);
	kfree(vm->slots);
	mm_put(vm->mm);
	object_free(&vm_cache, vm);
}

/* --- memory --- */

bool vm_find_slot(struct vm *vm, gpa_t at, struct memslot *out)
{
	uint64_t flags = spin_lock_irqsave(&vm->slots_lock);
	const struct memslot *slot = memslots_find(vm->slots, at);

	if (slot)
		*out = *slot;
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	return slot;
}

static void forget_translations(struct vm *vm)
{
	__atomic_fetch_add(&vm->tlb_generation, 1, __ATOMIC_ACQ_REL);
	tlb_flush_guests();
}

/* The owner's [start, end) goes or changes: what of it is in the guest goes too. */
static void mirror_invalidate(struct mm_mirror *mirror, uint64_t start, uint64_t end)
{
	struct vm *vm = container_of(mirror, struct vm, mirror);
	uint64_t flags = spin_lock_irqsave(&vm->slots_lock);
	bool has_changed = false;

	for (uint32_t i = 0; vm->slots && i < vm->slots->count; i++) {
		const struct memslot *slot = &vm->slots->slots[i];
		uint64_t hva_end = slot->hva + (slot->end - slot->start);
		uint64_t from = start > slot->hva ? start : slot->hva,
			 to = end < hva_end ? end : hva_end;

		if (from < to)
			has_changed |= npt_unmap(&vm->npt, gpa(slot->start + (from - slot->hva)),
						 gpa(slot->start + (to - slot->hva)));
	}
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	if (has_changed)
		forget_translations(vm);
}

/* Both sides have the 2 MiB whole, and at the same offset. */
static bool fits_huge(const struct memslot *slot, uint64_t at)
{
	uint64_t start = at & ~(HUGE_BYTES - 1);

	return (slot->start - slot->hva) % HUGE_BYTES == 0 && start >= slot->start &&
	       start + HUGE_BYTES <= slot->end && !(slot->flags & KVM_MEM_LOG_DIRTY_PAGES);
}

static int map_once(struct vm *vm, const struct memslot *slot, gpa_t at, bool is_write)
{
	uint64_t sequence = npt_sequence(&vm->npt);
	uint64_t page = at.v & ~(PAGE_BYTES - 1);
	bool is_readonly = slot->flags & KVM_MEM_READONLY;
	struct mm_page pinned;
	hpa_t head;
	int err;

	err = mm_pin_page(vm->mm, slot->hva + (page - slot->start), is_write && !is_readonly,
			  &pinned);
	if (err)
		return err;
	head = pinned.is_huge ? hpa(pinned.frame.v & ~(HUGE_BYTES - 1)) : pinned.frame;
	err = -EEXIST;
	if (pinned.is_huge && fits_huge(slot, page))
		err = npt_map(&vm->npt, gpa(page & ~(HUGE_BYTES - 1)), head, true,
			      pinned.is_writable && !is_readonly, sequence);
	if (err == -EEXIST)
		err = npt_map(&vm->npt, gpa(page), pinned.frame, false,
			      pinned.is_writable && !is_readonly, sequence);
	mm_unpin_page(&pinned);
	return err;
}

enum vm_memory vm_map_page(struct vm *vm, gpa_t at, bool is_write)
{
	struct memslot slot;
	int err;

	do {
		if (!vm_find_slot(vm, at, &slot) || (is_write && (slot.flags & KVM_MEM_READONLY)))
			return VM_MEMORY_MMIO;
		err = map_once(vm, &slot, at, is_write);
	} while (err == -EAGAIN);
	return err ? VM_MEMORY_FAILED : VM_MEMORY_MAPPED;
}

static int replace_slots(struct vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct memslots *new, *old = vm->slots;
	const struct memslot *before = memslots_find_id(old, region->slot);
	uint64_t start = before ? before->start : 0, end = before ? before->end : 0, flags;
	bool has_changed = false;
	int err = memslots_change(old, region, &new);

	if (err)
		return err;
	flags = spin_lock_irqsave(&vm->slots_lock);
	vm->slots = new;
	if (start < end)
		has_changed = npt_unmap(&vm->npt, gpa(start), gpa(end));
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	if (has_changed)
		forget_translations(vm);
	kfree(old);
	return 0;
}

static int64_t set_memory_region(struct vm *vm, uint64_t argument)
{
	struct kvm_userspace_memory_region region;
	int64_t err;

	if (copy_from_user(&region, argument, sizeof(region)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = replace_slots(vm, &region);
	mutex_unlock(&vm->lock);
	return err;
}

/* --- interrupts --- */

/* An interrupt that was level-triggered reached this APIC: which ones a pin's route leads to needn't be asked. */
bool vm_is_eoi_wanted(struct vm *vm, uint32_t apic_id, uint8_t vector)
{
	(void)apic_id;
	return routing_wants_eoi(&vm->routing, vector);
}

/* --- the descriptor --- */

static int64_t vm_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	struct vm *vm = file->data;

	if (current_process()->mm != vm->mm)
		return -EIO;
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return kvm_extension(argument);
	case KVM_SET_USER_MEMORY_REGION:
		return set_memory_region(vm, argument);
	case KVM_CREATE_VCPU:
		return vcpu_create_fd(vm, argument);
	default:
		return -ENOTTY;
	}
}

static void vm_release(struct file *file)
{
	vm_put(file->data);
}

static const struct file_ops vm_ops = { .name = "kvm-vm",
					.ioctl = vm_ioctl,
					.release = vm_release };

static struct vm *vm_create(void)
{
	struct vm *vm = object_alloc(&vm_cache);

	if (!vm)
		return NULL;
	if (npt_init(&vm->npt)) {
		object_free(&vm_cache, vm);
		return NULL;
	}
	vm->refs = 1;
	vm->mm = current_process()->mm;
	mm_get(vm->mm);
	mutex_init(&vm->lock);
	apic_map_create(&vm->apics, vm->apic_slots, VM_VCPUS_MAX);
	vm->mirror.invalidate = mirror_invalidate;
	mm_add_mirror(vm->mm, &vm->mirror);
	return vm;
}

int64_t vm_create_fd(void)
{
	struct vm *vm = vm_create();
	struct file *file = vm ? file_create(&vm_ops, vm, O_RDWR) : NULL;
	int fd;

	if (!file) {
		if (vm)
			vm_put(vm);
		return -ENOMEM;
	}
	fd = fd_install(&current_process()->fds, file, true, 0);
	if (fd < 0)
		file_put(file);
	return fd;
}
