/*
 * Signals: see signal.h.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/dev/print.h"
#include "kernel/mem/object.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal.h"

#define UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
#define HANDLER(x)  ((uint64_t)(uintptr_t)(x))

/* What a thread did itself. */
#define FAULTS                                                                                \
	(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGFPE) | \
	 signal_bit(SIGTRAP))

enum { SIGNAL_REAL_TIME = 32 };

/* One that waits to be taken. Without one (no memory) just its number is known. */
struct signal_item {
	struct list node; /* [S] */
	struct signal_info info;
};

static struct object_cache item_cache = OBJECT_CACHE("signal", struct signal_item);

/* --- what is sent; the process's signal_lock is held --- */

static bool is_ignored_by_default(int number)
{
	switch (number) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return true;
	default:
		return false;
	}
}

static bool is_ignored(const struct process *process, int number)
{
	uint64_t handler = process->actions[number - 1].handler;

	return handler == HANDLER(SIG_IGN) ||
	       (handler == HANDLER(SIG_DFL) && is_ignored_by_default(number));
}

static void queue(uint64_t *pending, struct list *items, const struct signal_info *info)
{
	uint64_t bit = signal_bit(info->number);
	struct signal_item *item;

	if ((*pending & bit) && info->number < SIGNAL_REAL_TIME)
		return;
	item = object_alloc(&item_cache);
	if (item) {
		item->info = *info;
		list_append(items, &item->node);
	}
	__atomic_fetch_or(pending, bit, __ATOMIC_RELEASE);
}

static void tell(struct thread *thread)
{
	__atomic_store_n(&thread->is_signalled, true, __ATOMIC_RELEASE);
	thread_kick(thread);
}

void signal_send_thread_locked(struct thread *thread, const struct signal_info *info)
{
	uint64_t bit = signal_bit(info->number);
	bool is_blocked = __atomic_load_n(&thread->signals_blocked, __ATOMIC_ACQUIRE) & bit;

	if (!is_blocked && is_ignored(thread->process, info->number))
		return;
	queue(&thread->signals_pending, &thread->signal_items, info);
	if (!is_blocked)
		tell(thread);
}

/* Whoever takes it. All are told then: the first may be waiting for another of them, and take nothing before that goes. */
static bool ends_process(const struct process *process, int number)
{
	return number == SIGKILL || process->actions[number - 1].handler == HANDLER(SIG_DFL);
}

static void send_locked(struct process *process, const struct signal_info *info)
{
	uint64_t bit = signal_bit(info->number);
	struct thread *taker = NULL;

	list_for_each(node, &process->threads) {
		struct thread *thread = list_entry(node, struct thread, siblings);

		if (!(thread->signals_blocked & bit)) {
			taker = thread;
			break;
		}
	}
	if (list_is_empty(&process->threads) || (taker && is_ignored(process, info->number)))
		return;
	queue(&process->signals_pending, &process->signal_items, info);
	list_for_each(node, &process->threads) {
		struct thread *thread = list_entry(node, struct thread, siblings);

		if (thread == taker ||
		    (ends_process(process, info->number) && !(thread->signals_blocked & bit)))
			tell(thread);
	}
}

void signal_send(struct process *process, const struct signal_info *info)
{
	uint64_t flags = spin_lock_irqsave(&process->signal_lock);

	send_locked(process, info);
	spin_unlock_irqrestore(&process->signal_lock, flags);
}

void signal_send_self(int number)
{
	const struct signal_info info = { .number = number,
					  .code = SI_USER,
					  .pid = current_process()->pid };
	uint64_t flags = spin_lock_irqsave(&current_process()->signal_lock);

	signal_send_thread_locked(current_thread(), &info);
	spin_unlock_irqrestore(&current_process()->signal_lock, flags);
}

void signal_force(const struct signal_info *info)
{
	struct process *process = current_process();
	struct thread *thread = current_thread();
	uint64_t flags = spin_lock_irqsave(&process->signal_lock), bit = signal_bit(info->number);
	uint64_t handler = process->actions[info->number - 1].handler;
	bool is_taken = handler != HANDLER(SIG_IGN) && handler != HANDLER(SIG_DFL) &&
			!(thread->signals_blocked & bit);

	if (is_taken) {
		queue(&thread->signals_pending, &thread->signal_items, info);
		thread->is_signalled = true;
	}
	spin_unlock_irqrestore(&process->signal_lock, flags);
	if (is_taken)
		return;
	print("%s (process %u) ends by signal %d, address %#lx", process->name, process->pid,
	      info->number, info->value);
	process_exit_all(info->number);
}

/* --- what is taken --- */

/* Under the lock: is there anything left that the calling thread would take? */
static void look_again(struct thread *thread, const struct process *process)
{
	__atomic_store_n(&thread->is_signalled,
			 (thread->signals_pending | process->signals_pending) &
				 ~thread->signals_blocked,
			 __ATOMIC_RELEASE);
}

static void take_item(uint64_t *pending, struct list *items, struct signal_info *info)
{
	uint32_t more = 0;
	bool is_found = false;

	list_for_each(node, items) {
		struct signal_item *item = list_entry(node, struct signal_item, node);

		if (item->info.number != info->number)
			continue;
		if (is_found) {
			more++;
			continue;
		}
		is_found = true;
		*info = item->info;
		list_remove(node);
		object_free(&item_cache, item);
	}
	if (!more)
		__atomic_fetch_and(pending, ~signal_bit(info->number), __ATOMIC_RELEASE);
}

static bool take_locked(struct process *process, struct signal_info *info)
{
	struct thread *thread = current_thread();
	uint64_t own = thread->signals_pending & ~thread->signals_blocked;
	uint64_t shared = process->signals_pending & ~thread->signals_blocked;
	uint64_t from = own ? own : shared;

	if (!from)
		return false;
	/* It comes before what the thread is told. */
	if (from & FAULTS)
		from &= FAULTS;
	*info = (struct signal_info){ .number = __builtin_ctzll(from) + 1 };
	if (own)
		take_item(&thread->signals_pending, &thread->signal_items, info);
	else
		take_item(&process->signals_pending, &process->signal_items, info);
	return true;
}

/* The first process is the machine's: it takes only what it has a handler for. */
static bool is_protected(const struct process *process, int number,
			 const struct signal_action *action)
{
	return process->pid == 1 && number != SIGKILL && action->handler == HANDLER(SIG_DFL);
}

bool signal_take(struct signal_info *info, struct signal_action *action)
{
	struct process *process = current_process();
	uint64_t flags = spin_lock_irqsave(&process->signal_lock);
	bool is_taken;

	for (;;) {
		struct signal_action *slot;

		is_taken = take_locked(process, info);
		if (!is_taken)
			break;
		slot = &process->actions[info->number - 1];
		*action = *slot;
		if (is_ignored(process, info->number) || is_protected(process, info->number, slot))
			continue;
		if ((action->flags & SA_RESETHAND) && action->handler != HANDLER(SIG_DFL))
			slot->handler = HANDLER(SIG_DFL);
		break;
	}
	look_again(current_thread(), process);
	spin_unlock_irqrestore(&process->signal_lock, flags);
	return is_taken;
}

void signal_set_mask(uint64_t blocked)
{
	struct process *process = current_process();
	uint64_t flags = spin_lock_irqsave(&process->signal_lock);

	current_thread()->signals_blocked = blocked & ~UNBLOCKABLE;
	look_again(current_thread(), process);
	spin_unlock_irqrestore(&process->signal_lock, flags);
}

void signal_set_mask_for_call(uint64_t blocked)
{
	struct thread *thread = current_thread();

	thread->signals_saved = thread->signals_blocked;
	thread->has_saved_signals = true;
	signal_set_mask(blocked);
}

/* --- the end --- */

void signal_forget(uint64_t *pending, struct list *items)
{
	struct list *node;

	while ((node = list_take_first(items)))
		object_free(&item_cache, list_entry(node, struct signal_item, node));
	*pending = 0;
}

void signal_reset_handlers(struct process *process)
{
	uint64_t flags = spin_lock_irqsave(&process->signal_lock);

	for (uint32_t i = 0; i < SIGNALS_MAX; i++)
		if (process->actions[i].handler != HANDLER(SIG_IGN))
			process->actions[i] = (struct signal_action){ 0 };
	spin_unlock_irqrestore(&process->signal_lock, flags);
}
