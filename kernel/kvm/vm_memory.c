/*
 * A VM's memory: slots over its owner's address space, the nested tables that follow both, the dirty log. See vm.h.
 *
 * A page's bit in the dirty log is set before the page becomes writable, and taken before it stops being so: a write
 * through an entry that is about to go is in this round's log or in the next one's, never in none.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>

#include "kernel/cpu/tlb.h"
#include "kernel/kvm/cpuid.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/oom.h"
#include "kernel/sched/waitq.h"

enum { WORD_PAGES = 64 };

static bool is_logged(const struct memslot *slot)
{
	return slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

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

int vm_memory_create(struct vm *vm)
{
	int err = npt_init(&vm->npt);

	if (err)
		return err;
	vm->mirror.invalidate = mirror_invalidate;
	mm_add_mirror(vm->mm, &vm->mirror);
	return 0;
}

void vm_memory_destroy(struct vm *vm)
{
	mm_remove_mirror(vm->mm, &vm->mirror);
	npt_destroy(&vm->npt);
	for (uint32_t i = 0; vm->slots && i < vm->slots->count; i++)
		kfree(vm->slots->slots[i].dirty);
	kfree(vm->slots);
}

/* --- nested faults --- */

/* Both sides have the 2 MiB whole, and at the same offset. */
static bool fits_huge(const struct memslot *slot, uint64_t at)
{
	uint64_t start = at & ~(HUGE_BYTES - 1);

	return (slot->start - slot->hva) % HUGE_BYTES == 0 && start >= slot->start &&
	       start + HUGE_BYTES <= slot->end && !is_logged(slot);
}

static void mark_dirty(struct vm *vm, uint64_t at)
{
	uint64_t flags = spin_lock_irqsave(&vm->slots_lock);
	struct memslot *slot = memslots_find(vm->slots, gpa(at));

	if (slot && slot->dirty)
		memslot_mark(slot, at);
	spin_unlock_irqrestore(&vm->slots_lock, flags);
}

/* @sequence: from before the slot was found: a change of either since is noticed. */
static int map_once(struct vm *vm, const struct memslot *slot, gpa_t at, bool is_write,
		    uint64_t sequence)
{
	uint64_t page = at.v & ~(PAGE_BYTES - 1);
	bool may_write = !(slot->flags & KVM_MEM_READONLY);
	struct mm_page pinned;
	hpa_t head;
	int err;

	err = mm_pin_page(vm->mm, slot->hva + (page - slot->start), is_write && may_write, &pinned);
	if (err)
		return err;
	may_write = may_write && pinned.is_writable && (is_write || !is_logged(slot));
	if (may_write && is_logged(slot))
		mark_dirty(vm, page);
	head = pinned.is_huge ? hpa(pinned.frame.v & ~(HUGE_BYTES - 1)) : pinned.frame;
	err = -EEXIST;
	if (pinned.is_huge && fits_huge(slot, page))
		err = npt_map(&vm->npt, gpa(page & ~(HUGE_BYTES - 1)), head, true, may_write,
			      sequence);
	if (err == -EEXIST)
		err = npt_map(&vm->npt, gpa(page), pinned.frame, false, may_write, sequence);
	mm_unpin_page(&pinned);
	return err;
}

enum vm_memory vm_map_page(struct vm *vm, gpa_t at, bool is_write)
{
	struct memslot slot;
	uint32_t tries = 0;
	uint64_t sequence;
	int err;

	do {
		sequence = npt_sequence(&vm->npt);
		if (!vm_find_slot(vm, at, &slot) || (is_write && (slot.flags & KVM_MEM_READONLY)))
			return VM_MEMORY_MMIO;
		err = map_once(vm, &slot, at, is_write, sequence);
	} while (err == -EAGAIN || (err == -ENOMEM && oom_make_room(&tries)));
	/* A signal is looked at first, then the guest asks again. */
	if (err == -ENOMEM && thread_is_interrupted())
		return VM_MEMORY_MAPPED;
	if (err == -ENOMEM)
		return VM_MEMORY_EXHAUSTED;
	return err ? VM_MEMORY_FAILED : VM_MEMORY_MAPPED;
}

/* --- the kernel's own access --- */

bool vm_find_hva(struct vm *vm, gpa_t at, uint32_t bytes, bool is_write, uint64_t *out)
{
	struct memslot slot;

	if (!vm_find_slot(vm, at, &slot) || bytes > slot.end - at.v ||
	    (is_write && (slot.flags & KVM_MEM_READONLY)))
		return false;
	*out = slot.hva + (at.v - slot.start);
	return true;
}

void vm_note_write(struct vm *vm, gpa_t at)
{
	mark_dirty(vm, at.v & ~(PAGE_BYTES - 1));
}

int vm_write_guest(struct vm *vm, gpa_t at, const void *data, uint32_t bytes)
{
	uint64_t hva, end = at.v + bytes;

	if (!vm_find_hva(vm, at, bytes, true, &hva) || copy_to_user(hva, data, bytes))
		return -EFAULT;
	for (uint64_t page = at.v & ~(PAGE_BYTES - 1); page < end; page += PAGE_BYTES)
		mark_dirty(vm, page);
	return 0;
}

int vm_read_guest(struct vm *vm, gpa_t at, void *data, uint32_t bytes)
{
	uint64_t hva;

	if (!vm_find_hva(vm, at, bytes, false, &hva) || copy_from_user(data, hva, bytes))
		return -EFAULT;
	return 0;
}

/* --- KVM_SET_USER_MEMORY_REGION --- */

/* What a change of slot @id has to undo in the nested tables. */
static void follow_change(struct vm *vm, const struct memslot *before, const struct memslot *after)
{
	bool has_changed;

	if (!before)
		return;
	if (!after || after->start != before->start) {
		if (npt_unmap(&vm->npt, gpa(before->start), gpa(before->end)))
			forget_translations(vm);
		return;
	}
	if (is_logged(after) && !is_logged(before)) {
		if (npt_protect(&vm->npt, gpa(after->start), gpa(after->end)))
			forget_translations(vm);
	} else if (!is_logged(after) && is_logged(before)) {
		/* Small pages made for the log give way to huge ones at the next fault. */
		pte_t *tables = npt_unmap_tables(&vm->npt, gpa(after->start), gpa(after->end),
						 &has_changed);

		if (has_changed)
			forget_translations(vm);
		npt_free_tables(tables);
	}
}

/* Gives a slot that starts to be logged its bitmap, and takes it from one that stops. */
static int change_log(struct memslot *after, uint64_t **unused)
{
	*unused = NULL;
	if (is_logged(after) && !after->dirty) {
		after->dirty = kmalloc(memslot_dirty_bytes(after));
		return after->dirty ? 0 : -ENOMEM;
	}
	if (!is_logged(after)) {
		*unused = after->dirty;
		after->dirty = NULL;
	}
	return 0;
}

static int replace_slots(struct vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct memslots *new, *old = vm->slots;
	const struct memslot *before = memslots_find_id(old, region->slot);
	uint64_t *unused = before ? before->dirty : NULL, flags;
	struct memslot *after;
	int err = memslots_change(old, region, &new);

	if (err)
		return err;
	after = memslots_find_id(new, region->slot);
	if (after) {
		err = change_log(after, &unused);
		if (err) {
			kfree(new);
			return err;
		}
	}
	flags = spin_lock_irqsave(&vm->slots_lock);
	vm->slots = new;
	__atomic_store_n(&vm->slots_version, vm->slots_version + 1, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	follow_change(vm, before, after);
	kfree(unused);
	kfree(old);
	return 0;
}

int64_t vm_set_memory_region(struct vm *vm, uint64_t argument)
{
	uint64_t limit = UINT64_C(1) << cpuid_host_phys_bits(cpuid_host());
	struct kvm_userspace_memory_region region;
	int64_t err;

	if (copy_from_user(&region, argument, sizeof(region)))
		return -EFAULT;
	if (region.memory_size && region.guest_phys_addr + region.memory_size > limit)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = replace_slots(vm, &region);
	mutex_unlock(&vm->lock);
	return err;
}

/* --- the dirty log; vm->lock is held: nobody else changes the slots --- */

/* The pages of bitmap word @word of the slot are to be written through a fault again. True: CPUs may remember them. */
static bool protect_word(struct vm *vm, const struct memslot *slot, uint64_t word, uint64_t bits)
{
	uint64_t first = word * WORD_PAGES + (uint32_t)__builtin_ctzll(bits),
		 end = (word + 1) * WORD_PAGES - (uint32_t)__builtin_clzll(bits);

	return npt_protect(&vm->npt, gpa(slot->start + first * PAGE_BYTES),
			   gpa(slot->start + end * PAGE_BYTES));
}

static struct memslot *find_logged(struct vm *vm, uint32_t id)
{
	struct memslot *slot = memslots_find_id(vm->slots, id);

	return slot && slot->dirty ? slot : NULL;
}

/* The log so far, for the caller to free; the slot begins anew with @fresh. */
static uint64_t *take_log(struct vm *vm, struct memslot *slot, uint64_t *fresh)
{
	uint64_t flags = spin_lock_irqsave(&vm->slots_lock), *taken = slot->dirty;
	bool has_changed = false;

	slot->dirty = fresh;
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	for (uint64_t word = 0; word < memslot_dirty_bytes(slot) / sizeof(*taken); word++)
		if (taken[word])
			has_changed |= protect_word(vm, slot, word, taken[word]);
	if (has_changed)
		forget_translations(vm);
	return taken;
}

static int64_t get_log(struct vm *vm, const struct kvm_dirty_log *log)
{
	struct memslot *slot = find_logged(vm, log->slot);
	uint64_t to = (uint64_t)(uintptr_t)log->dirty_bitmap, *words;
	int64_t err;

	if (!slot)
		return -ENOENT;
	if (vm->has_manual_protect)
		return copy_to_user(to, slot->dirty, memslot_dirty_bytes(slot));
	words = kmalloc(memslot_dirty_bytes(slot));
	if (!words)
		return -ENOMEM;
	words = take_log(vm, slot, words);
	err = copy_to_user(to, words, memslot_dirty_bytes(slot));
	kfree(words);
	return err;
}

int64_t vm_get_dirty_log(struct vm *vm, uint64_t argument)
{
	struct kvm_dirty_log log;
	int64_t err;

	if (copy_from_user(&log, argument, sizeof(log)))
		return -EFAULT;
	if (log.slot >= MEMSLOTS_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = get_log(vm, &log);
	mutex_unlock(&vm->lock);
	return err;
}

/* Of word @word those that ring 3 has seen, @wanted, are clean from here on. */
static bool clear_word(struct vm *vm, struct memslot *slot, uint64_t word, uint64_t wanted)
{
	uint64_t flags = spin_lock_irqsave(&vm->slots_lock), bits = slot->dirty[word] & wanted;

	slot->dirty[word] &= ~bits;
	spin_unlock_irqrestore(&vm->slots_lock, flags);
	return bits && protect_word(vm, slot, word, bits);
}

static int64_t clear_log(struct vm *vm, const struct kvm_clear_dirty_log *log)
{
	struct memslot *slot = find_logged(vm, log->slot);
	uint64_t from = (uint64_t)(uintptr_t)log->dirty_bitmap, pages, bits;
	bool has_changed = false;
	int64_t err = 0;

	if (!slot)
		return -ENOENT;
	pages = (slot->end - slot->start) / PAGE_BYTES;
	if (log->first_page > pages || log->num_pages > pages - log->first_page ||
	    (log->num_pages < pages - log->first_page && log->num_pages % WORD_PAGES))
		return -EINVAL;
	for (uint64_t done = 0; done < log->num_pages && !err; done += WORD_PAGES) {
		err = copy_from_user(&bits, from + done / 8, sizeof(bits));
		if (err)
			break;
		if (log->num_pages - done < WORD_PAGES)
			bits &= (UINT64_C(1) << (log->num_pages - done)) - 1;
		has_changed |= clear_word(vm, slot, (log->first_page + done) / WORD_PAGES, bits);
	}
	if (has_changed)
		forget_translations(vm);
	return err;
}

int64_t vm_clear_dirty_log(struct vm *vm, uint64_t argument)
{
	struct kvm_clear_dirty_log log;
	int64_t err;

	if (copy_from_user(&log, argument, sizeof(log)))
		return -EFAULT;
	if (log.slot >= MEMSLOTS_MAX || log.first_page % WORD_PAGES)
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = clear_log(vm, &log);
	mutex_unlock(&vm->lock);
	return err;
}
