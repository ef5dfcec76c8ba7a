/*
 * Processes: see process.h.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/wait.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/mem/object.h"
#include "kernel/proc/process.h"
#include "kernel/proc/robust.h"
#include "kernel/proc/seccomp.h"
#include "kernel/proc/usage.h"

enum { STACK_BYTES = 8 << 20 };

static struct object_cache process_cache = OBJECT_CACHE("process", struct process);
static struct process *first_process;

/* Guards who is whose parent, and the list of all. */
static struct mutex processes_lock = MUTEX(processes_lock);
static struct list everyone = { &everyone, &everyone };
static uint32_t nr_processes; /* written with the lock, read without */

static void init_limits(struct rlimit64 limits[RLIM_NLIMITS])
{
	for (uint32_t i = 0; i < RLIM_NLIMITS; i++)
		limits[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	limits[RLIMIT_STACK].rlim_cur = STACK_BYTES;
	limits[RLIMIT_NOFILE] = (struct rlimit64){ FDS_LIMIT_FIRST, FDS_MAX };
	limits[RLIMIT_CORE].rlim_cur = 0;
	limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

static struct process *process_new(uint32_t pid, struct mm *mm)
{
	struct process *process = object_alloc(&process_cache);

	if (!process)
		return NULL;
	process->refs = 1;
	process->pid = process->group = process->session = pid;
	process->mm = mm;
	process->started_ns = clock_ns();
	mutex_init(&process->lock);
	fdtable_init(&process->fds);
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->siblings);
	list_init(&process->signal_items);
	waitq_init(&process->child_changed);
	waitq_init(&process->thread_left);
	waitq_init(&process->left_mm);
	mutex_lock(&processes_lock);
	list_append(&everyone, &process->everyone);
	nr_processes++;
	mutex_unlock(&processes_lock);
	return process;
}

struct process *process_create_first(struct mm *mm)
{
	first_process = process_new(1, mm);
	if (first_process)
		init_limits(first_process->limits);
	return first_process;
}

struct process *process_create_child(uint32_t pid, struct mm *mm)
{
	struct process *parent = current_process(), *process = process_new(pid, mm);

	if (!process)
		return NULL;
	mutex_lock(&processes_lock);
	process->parent = parent;
	process->group = parent->group;
	process->session = parent->session;
	list_append(&parent->children, &process->siblings);
	mutex_unlock(&processes_lock);
	memcpy(process->name, parent->name, sizeof(process->name));
	return process;
}

/* Out of the tree; processes_lock is held. The reference of whom it was waited by goes. */
static void remove_locked(struct process *process)
{
	list_remove(&process->siblings);
	list_remove(&process->everyone);
	nr_processes--;
	process->parent = NULL;
}

void process_discard_child(struct process *process)
{
	fdtable_destroy(&process->fds);
	node_put(process->program);
	mutex_lock(&processes_lock);
	remove_locked(process);
	mutex_unlock(&processes_lock);
	process_put(process);
}

struct process *process_get(struct process *process)
{
	if (process)
		__atomic_fetch_add(&process->refs, 1, __ATOMIC_RELAXED);
	return process;
}

void process_put(struct process *process)
{
	if (!process || __atomic_sub_fetch(&process->refs, 1, __ATOMIC_ACQ_REL))
		return;
	signal_forget(&process->signals_pending, &process->signal_items);
	object_free(&process_cache, process);
}

void process_for_each(void (*visit)(struct process *process, void *context), void *context)
{
	mutex_lock(&processes_lock);
	list_for_each(node, &everyone) {
		visit(list_entry(node, struct process, everyone), context);
	}
	mutex_unlock(&processes_lock);
}

uint32_t process_count(void)
{
	return __atomic_load_n(&nr_processes, __ATOMIC_RELAXED);
}

struct search {
	uint32_t pid, tid;
	struct process *found;
};

static void compare(struct process *process, void *context)
{
	struct search *search = context;
	uint64_t flags;

	if (search->found)
		return;
	if (search->pid && process->pid == search->pid)
		search->found = process;
	flags = spin_lock_irqsave(&process->signal_lock);
	if (search->tid)
		list_for_each(node, &process->threads) {
			if (list_entry(node, struct thread, siblings)->tid == search->tid)
				search->found = process;
		}
	spin_unlock_irqrestore(&process->signal_lock, flags);
	if (search->found)
		process_get(process);
}

struct process *process_find(uint32_t pid)
{
	struct search search = { .pid = pid };

	process_for_each(compare, &search);
	return search.found;
}

struct process *process_find_by_thread(uint32_t tid)
{
	struct search search = { .tid = tid };

	process_for_each(compare, &search);
	return search.found;
}

/* --- threads --- */

void process_add_thread(struct process *process, struct thread *thread)
{
	uint64_t flags;

	mutex_lock(&process->lock);
	thread->process = process_get(process);
	thread->is_exiting = process->is_ending;
	flags = spin_lock_irqsave(&process->signal_lock);
	seccomp_inherit(thread);
	list_append(&process->threads, &thread->siblings);
	spin_unlock_irqrestore(&process->signal_lock, flags);
	process->nr_threads++;
	mutex_unlock(&process->lock);
}

static bool leave_process(struct process *process, struct thread *thread)
{
	uint64_t flags;
	bool is_last;

	mutex_lock(&process->lock);
	flags = spin_lock_irqsave(&process->signal_lock);
	list_remove(&thread->siblings);
	spin_unlock_irqrestore(&process->signal_lock, flags);
	process->ended.ran_ns += thread_ran_ns(thread);
	is_last = --process->nr_threads == 0;
	mutex_unlock(&process->lock);
	signal_forget(&thread->signals_pending, &thread->signal_items);
	seccomp_put(thread->seccomp);
	thread->seccomp = NULL;
	waitq_wake(&process->thread_left);
	return is_last;
}

/* All threads but the calling one are to leave. process->lock is held. */
static void tell_others_to_end(struct process *process)
{
	list_for_each(node, &process->threads) {
		struct thread *thread = list_entry(node, struct thread, siblings);

		if (thread == current_thread())
			continue;
		__atomic_store_n(&thread->is_exiting, true, __ATOMIC_RELEASE);
		thread_kick(thread);
	}
}

int process_end_other_threads(void)
{
	struct process *process = current_process();
	bool is_ending;

	mutex_lock(&process->lock);
	is_ending = process->is_ending;
	if (!is_ending)
		tell_others_to_end(process);
	mutex_unlock(&process->lock);
	if (is_ending)
		return -EAGAIN;
	waitq_wait(&process->thread_left,
		   __atomic_load_n(&process->nr_threads, __ATOMIC_ACQUIRE) == 1);
	return 0;
}

struct node *process_program(struct process *process)
{
	struct node *program;

	mutex_lock(&process->lock);
	program = node_get(process->program);
	mutex_unlock(&process->lock);
	return program;
}

void process_set_name(const char *path)
{
	struct process *process = current_process();
	const char *base = path;

	for (const char *at = path; *at; at++)
		if (*at == '/' && at[1])
			base = at + 1;
	memset(process->name, 0, sizeof(process->name));
	memcpy(process->name, base, min_u64(strlen(base), sizeof(process->name) - 1));
	memcpy(current_thread()->name, process->name, sizeof(process->name));
}

void process_change_program(struct node *program)
{
	struct process *process = current_process();
	struct node *old;

	mutex_lock(&process->lock);
	old = process->program;
	process->program = program;
	mutex_unlock(&process->lock);
	node_put(old);
}

void process_change_mm(struct mm *mm)
{
	struct process *process = current_process();

	mutex_lock(&process->lock);
	if (process->mm && process->mm->nr_pages_max > process->ended.pages_max)
		process->ended.pages_max = process->mm->nr_pages_max;
	irq_disable();
	process->mm = mm;
	mm_activate(mm);
	irq_enable();
	mutex_unlock(&process->lock);
}

void process_leave_mm(struct process *process)
{
	__atomic_store_n(&process->has_left_mm, true, __ATOMIC_RELEASE);
	waitq_wake(&process->left_mm);
}

/* --- the end --- */

/* Tells the parent; processes_lock is held. Returns whether the parent wants no more of it. */
static bool tell_parent(struct process *process)
{
	struct process *parent = process->parent;
	const struct signal_action *action = &parent->actions[SIGCHLD - 1];
	bool has_died = process->exit_status & 0x7f;
	const struct signal_info info = {
		.number = process->exit_signal,
		.code = has_died ? CLD_KILLED : CLD_EXITED,
		.pid = process->pid,
		.status = has_died ? process->exit_status & 0x7f : process->exit_status >> 8,
	};

	if (process->exit_signal)
		signal_send(parent, &info);
	waitq_wake(&parent->child_changed);
	return process->exit_signal == SIGCHLD &&
	       (action->handler == (uint64_t)(uintptr_t)SIG_IGN || (action->flags & SA_NOCLDWAIT));
}

/* Orphans are the first process's. */
static void give_children_away(struct process *process)
{
	struct list *node;

	while ((node = list_take_first(&process->children))) {
		struct process *child = list_entry(node, struct process, siblings);

		int death_signal = __atomic_load_n(&child->death_signal, __ATOMIC_RELAXED);

		if (death_signal)
			signal_send(child, &(struct signal_info){ .number = death_signal,
								  .code = SI_USER,
								  .pid = process->pid });
		child->parent = first_process;
		child->exit_signal = SIGCHLD;
		list_append(&first_process->children, node);
		if (child->has_ended && tell_parent(child)) {
			remove_locked(child);
			process_put(child);
		}
	}
}

static void leave_tree(struct process *process)
{
	bool is_gone;

	mutex_lock(&processes_lock);
	give_children_away(process);
	__atomic_store_n(&process->has_ended, true, __ATOMIC_RELEASE);
	is_gone = tell_parent(process);
	if (is_gone)
		remove_locked(process);
	mutex_unlock(&processes_lock);
	if (is_gone)
		process_put(process);
}

/* Everything that the process has, but for what wait() asks for. */
static void end_process(struct process *process)
{
	struct mm *mm = process->mm;

	if (process == first_process)
		process_end_first(process->exit_status);
	fdtable_destroy(&process->fds);
	process_change_program(NULL);
	process_change_mm(NULL);
	mm_put(mm);
	process_leave_mm(process);
	leave_tree(process);
}

void process_exit_thread(int status)
{
	struct thread *thread = current_thread();
	struct process *process = thread->process;

	robust_leave();
	if (leave_process(process, thread)) {
		if (!process->is_ending)
			process->exit_status = (status & 0xff) << 8;
		end_process(process);
	}
	/* The address space may go once the last thread has left it: this one must not be in it then. */
	irq_disable();
	mm_activate(NULL);
	thread->process = NULL;
	irq_enable();
	process_put(process);
	thread_exit();
}

void process_exit_all(int wait_status)
{
	struct process *process = current_process();

	mutex_lock(&process->lock);
	if (!process->is_ending) {
		process->exit_status = wait_status;
		process->is_ending = true;
		tell_others_to_end(process);
	}
	mutex_unlock(&process->lock);
	process_exit_thread(0);
}

/* --- waiting for children --- */

static bool is_meant(const struct process *child, int64_t pid)
{
	if (pid > 0)
		return child->pid == (uint64_t)pid;
	if (pid == -1)
		return true;
	return child->group == (pid ? (uint64_t)-pid : current_process()->group);
}

static void add_usage(struct process_usage *sum, const struct process_usage *more)
{
	sum->ran_ns += more->ran_ns;
	if (more->pages_max > sum->pages_max)
		sum->pages_max = more->pages_max;
}

/* -EAGAIN: not yet. */
static int64_t try_wait(int64_t pid, int *status, struct process_usage *usage)
{
	struct process *parent = current_process(), *ended = NULL;
	int64_t result = -ECHILD;

	mutex_lock(&processes_lock);
	list_for_each(node, &parent->children) {
		struct process *child = list_entry(node, struct process, siblings);

		if (!is_meant(child, pid))
			continue;
		result = -EAGAIN;
		if (!child->has_ended)
			continue;
		ended = child;
		result = child->pid;
		*status = child->exit_status;
		*usage = process_usage(child);
		add_usage(usage, &child->children_usage);
		add_usage(&parent->children_usage, usage);
		remove_locked(child);
		break;
	}
	mutex_unlock(&processes_lock);
	process_put(ended);
	return result;
}

int64_t process_wait(int64_t pid, uint32_t flags, int *status, struct process_usage *usage)
{
	int64_t result = try_wait(pid, status, usage);
	int err;

	if (result != -EAGAIN)
		return result;
	if (flags & WNOHANG)
		return 0;
	err = waitq_wait_killable(&current_process()->child_changed,
				  (result = try_wait(pid, status, usage)) != -EAGAIN);
	return err ? err : result;
}

/* --- groups --- */

int process_set_session(void)
{
	struct process *process = current_process();
	int err = 0;

	mutex_lock(&processes_lock);
	if (process->group == process->pid)
		err = -EPERM;
	else
		process->session = process->group = process->pid;
	mutex_unlock(&processes_lock);
	return err;
}
