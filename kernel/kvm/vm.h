/*
 * One virtual machine of /dev/kvm: memory slots over its owner's memory, nested page tables, vCPUs.
 *
 * A VM belongs to the address space that made it: ioctls from another process are refused (-EIO), as KVM does. It lives while
 * its descriptor or one of its vCPUs' does.
 *
 * Fields: [L] lock  [S] slots_lock  [I] immutable  [a] atomic
 * Source: KVM API, "API description".
 */
#pragma once

#include "kernel/fs/file.h"
#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/ioeventfd.h"
#include "kernel/kvm/irqfd.h"
#include "kernel/kvm/memslot.h"
#include "kernel/kvm/pvclock.h"
#include "kernel/kvm/routing.h"
#include "kernel/mem/mm.h"
#include "kernel/virt/npt.h"

enum {
	VM_VCPUS_MAX = 255,
	VM_X2APIC_API = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
};

struct vcpu;

struct vm {
	uint32_t refs; /* [a] */
	struct mm *mm; /* [I] counted */
	struct mm_mirror mirror;
	struct npt npt;
	struct mutex lock;
	struct spinlock slots_lock;
	struct memslots *slots;		  /* [S]; changed with lock held too */
	uint64_t slots_version;		  /* [S, a] counts the changes */
	struct vcpu *vcpus[VM_VCPUS_MAX]; /* [L] by id; readers: [a] */
	uint64_t tlb_generation; /* [a] vCPUs that have seen less flush before they enter */

	bool has_manual_protect; /* [L] KVM_GET_DIRTY_LOG leaves pages writable: KVM_CLEAR_DIRTY_LOG doesn't */
	bool has_irqchip; /* [L, a] KVM_CAP_SPLIT_IRQCHIP: local APICs are the kernel's */
	uint32_t nr_pins; /* [L] with it: GSIs below are those of ring 3's I/O APIC */
	struct apic_map apics;
	struct lapic *apic_slots[VM_VCPUS_MAX]; /* the map's */
	struct routing routing;
	struct irqfds irqfds;
	struct ioeventfds ioeventfds;
	struct vm_clock clock;
};

void vm_get(struct vm *vm);
void vm_put(struct vm *vm);

/* Called with lock held, or where it doesn't matter if one comes. */
bool vm_has_vcpus(const struct vm *vm);

/* With vm->mm set. The mirror is in place when it returns. -ENOMEM. */
MUST_CHECK int vm_memory_create(struct vm *vm);
void vm_memory_destroy(struct vm *vm);

/* KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG. Take lock. */
int64_t vm_set_memory_region(struct vm *vm, uint64_t argument);
int64_t vm_get_dirty_log(struct vm *vm, uint64_t argument);
int64_t vm_clear_dirty_log(struct vm *vm, uint64_t argument);

/* A copy of the slot that holds @at: its bitmap may be gone by now. */
bool vm_find_slot(struct vm *vm, gpa_t at, struct memslot *out);

/* Where the owner has [at, +bytes), if one slot holds it all: in its address space, as long as the version is the same. */
bool vm_find_hva(struct vm *vm, gpa_t at, uint32_t bytes, bool is_write, uint64_t *out);

static inline uint64_t vm_slots_version(const struct vm *vm)
{
	return __atomic_load_n(&vm->slots_version, __ATOMIC_ACQUIRE);
}

enum vm_memory { VM_MEMORY_MAPPED, VM_MEMORY_MMIO, VM_MEMORY_FAILED, VM_MEMORY_EXHAUSTED };

/* Makes the page at @at present in the nested tables, or says that it is nobody's: a device's, then. */
enum vm_memory vm_map_page(struct vm *vm, gpa_t at, bool is_write);

/**
 * vm_write_guest(), vm_read_guest() - the kernel's own access to guest memory
 *
 * [@at, +@bytes) inside one slot. Writes are noted in the dirty log.
 * Context: a thread of the VM's process, interrupts on, no spinlocks: pages may have to be fetched.
 * Returns 0; -EFAULT: not in a slot, read-only, or not mapped by the owner.
 */
int vm_write_guest(struct vm *vm, gpa_t at, const void *data, uint32_t bytes);
MUST_CHECK int vm_read_guest(struct vm *vm, gpa_t at, void *data, uint32_t bytes);

/* For the dirty log, where a page of the guest's was written through its owner's address. */
void vm_note_write(struct vm *vm, gpa_t at);

/* Are the local APICs the kernel's? Set before there are vCPUs. */
static inline bool vm_has_irqchip(const struct vm *vm)
{
	return __atomic_load_n(&vm->has_irqchip, __ATOMIC_RELAXED);
}

/* Sends the message that @gsi's route says; none: nothing. Any context, without sleeping. */
void vm_raise_gsi(struct vm *vm, uint32_t gsi);

/* Does ring 3 want to hear (KVM_EXIT_IOAPIC_EOI) that this APIC is done with a level-triggered interrupt? Any context. */
bool vm_is_eoi_wanted(struct vm *vm, uint32_t apic_id, uint8_t vector);

/* A new VM as a descriptor of the calling process, or -errno. For /dev/kvm. */
int64_t vm_create_fd(void);

/* What KVM_CHECK_EXTENSION says: of a VM, and of the system, which knows no VM's settings. */
int64_t kvm_extension(uint64_t capability);
