/*
 * One virtual machine of /dev/kvm: memory slots over its owner's memory, nested page tables, vCPUs.
 *
 * A VM belongs to the address space that made it: ioctls from another process are refused (-EIO), as KVM does. It lives while
 * its descriptor, one of its vCPUs' or a mapping of theirs does.
 *
 * Fields: [L] lock  [S] slots_lock  [I] immutable  [a] atomic
 * Source: KVM API, "API description".
 */
#pragma once

#include "kernel/fs/file.h"
#include "kernel/kvm/memslot.h"
#include "kernel/mem/mm.h"
#include "kernel/virt/npt.h"

enum { VM_VCPUS_MAX = 255 };

struct vcpu;

struct vm {
	uint32_t refs; /* [a] */
	struct mm *mm; /* [I] counted */
	struct mm_mirror mirror;
	struct npt npt;
	struct mutex lock;
	struct spinlock slots_lock;
	struct memslots *slots;		  /* [S]; changed with lock held too */
	struct vcpu *vcpus[VM_VCPUS_MAX]; /* [L] by id; readers: [a] */
	uint64_t tlb_generation; /* [a] vCPUs that have seen less flush before they enter */
};

void vm_get(struct vm *vm);
void vm_put(struct vm *vm);

/* A copy of the slot that holds @at. */
bool vm_find_slot(struct vm *vm, gpa_t at, struct memslot *out);

enum vm_memory { VM_MEMORY_MAPPED, VM_MEMORY_MMIO, VM_MEMORY_FAILED };

/* Makes the page at @at present in the nested tables, or says that it is nobody's: a device's, then. */
enum vm_memory vm_map_page(struct vm *vm, gpa_t at, bool is_write);

/* A new VM as a descriptor of the calling process, or -errno. For /dev/kvm. */
int64_t vm_create_fd(void);

/* What KVM_CHECK_EXTENSION says. */
int64_t kvm_extension(uint64_t capability);
