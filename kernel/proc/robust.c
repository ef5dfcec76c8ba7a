/*
 * What a thread leaves behind in ring 3's memory: see robust.h. All of it is ring 3's to get wrong.
 */
#include <linux/futex.h>

#include "kernel/cpu/cpu.h"
#include "kernel/mem/user.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "kernel/proc/robust.h"

/* An entry's lowest bit: the lock has priority inheritance, and a way of its own to be woken. */
#define ENTRY_IS_PI UINT64_C(1)

static void wake_one(uint64_t word)
{
	(void)futex_wake(current_process()->mm, word, true, 1, UINT32_MAX);
}

/* @is_pending: it was just being taken or given back. Then a lock that is free may have lost its wake-up. */
static void leave_lock(uint64_t entry, uint64_t offset, bool is_pending)
{
	uint64_t word = (entry & ~ENTRY_IS_PI) + offset;
	bool is_pi = entry & ENTRY_IS_PI;
	uint32_t value, found;

	if (user_word_load(&value, word))
		return;
	if (is_pending && !is_pi && !value) {
		wake_one(word);
		return;
	}
	/* Others change at most the bit of who waits: it is bounded how often that fails. */
	for (int i = 0; i < 64 && (value & FUTEX_TID_MASK) == current_thread()->tid; i++) {
		uint32_t left = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if (user_word_exchange(word, value, left, &found))
			return;
		if (found == value) {
			if (!is_pi && (value & FUTEX_WAITERS))
				wake_one(word);
			return;
		}
		value = found;
	}
}

static void leave_locks(uint64_t head)
{
	struct {
		uint64_t first, offset, pending;
	} list;
	uint64_t entry, next;

	static_assert(sizeof(list) == sizeof(struct robust_list_head), "robust_list_head");
	if (copy_from_user(&list, head, sizeof(list)))
		return;
	entry = list.first;
	for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~ENTRY_IS_PI) != head; i++) {
		/* Before the lock is another's, who may change the list. */
		if (copy_from_user(&next, entry & ~ENTRY_IS_PI, sizeof(next)))
			break;
		if (entry != list.pending)
			leave_lock(entry, list.offset, false);
		entry = next;
	}
	if (list.pending)
		leave_lock(list.pending, list.offset, true);
}

void robust_leave(void)
{
	struct thread *thread = current_thread();
	uint64_t number = (uint64_t)thread->clear_child_tid;

	if (thread->robust_list)
		leave_locks(thread->robust_list);
	thread->robust_list = 0;
	if (number && !put_user_u32(number, 0))
		wake_one(number);
	thread->clear_child_tid = NULL;
}
