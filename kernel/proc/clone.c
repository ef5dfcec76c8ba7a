/*
 * New threads and processes: see clone.h.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/clone.h"
#include "kernel/proc/process.h"
#include "kernel/proc/user_return.h"

enum { THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD };

/* What a new thread starts with. */
struct start {
	struct trap_frame frame;
	uint64_t child_tid; /* where it writes its number; 0: nowhere */
};

/* As Linux does: a bad address here is the program's own loss, and no error. 0: nowhere. */
static void put_tid(uint64_t address, uint32_t tid)
{
	if (address && put_user_u32(address, tid))
		return;
}

static _Noreturn void begin(void *argument)
{
	struct start start = *(struct start *)argument;

	kfree(argument);
	fpu_load(current_thread()->fpu);
	put_tid(start.child_tid, current_thread()->tid);
	irq_disable();
	user_return(&start.frame);
	enter_user_frame(&start.frame);
}

/* @start: freed by the thread, or by whoever discards that. */
static struct thread *prepare_thread(const struct clone_args *args, const struct trap_frame *frame,
				     struct start *start)
{
	struct thread *thread, *self = current_thread();

	start->frame = *frame;
	start->frame.rax = 0;
	start->child_tid = args->flags & CLONE_CHILD_SETTID ? args->child_tid : 0;
	if (args->stack)
		start->frame.rsp = args->stack + args->stack_size;
	thread = thread_create(begin, start, self->name);
	if (!thread)
		return NULL;
	thread->fpu = fpu_create();
	if (!thread->fpu) {
		thread_discard(thread);
		return NULL;
	}
	fpu_save(thread->fpu); /* it starts with the caller's registers */
	thread->fs_base = args->flags & CLONE_SETTLS ? args->tls : self->fs_base;
	thread->signals_blocked = self->signals_blocked;
	if (args->flags & CLONE_CHILD_CLEARTID)
		thread->clear_child_tid = (uint64_t *)args->child_tid;
	return thread;
}

static void tell_parent_tid(const struct clone_args *args, uint32_t tid)
{
	put_tid(args->flags & CLONE_PARENT_SETTID ? args->parent_tid : 0, tid);
}

/* --- a process --- */

static int copy_process(struct process *child)
{
	struct process *parent = current_process();
	uint64_t flags;

	mutex_lock(&parent->lock);
	child->program = node_get(parent->program);
	memcpy(child->limits, parent->limits, sizeof(child->limits));
	mutex_unlock(&parent->lock);
	flags = spin_lock_irqsave(&parent->signal_lock);
	memcpy(child->actions, parent->actions, sizeof(child->actions));
	spin_unlock_irqrestore(&parent->signal_lock, flags);
	return fdtable_copy(&child->fds, &parent->fds);
}

static struct process *create_process(const struct clone_args *args, uint32_t pid)
{
	struct mm *own = current_process()->mm;
	struct mm *mm = args->flags & CLONE_VM ? mm_get(own) : mm_fork(own);
	struct process *child = mm ? process_create_child(pid, mm) : NULL;

	if (child && !copy_process(child)) {
		child->exit_signal = (int)args->exit_signal;
		return child;
	}
	if (child)
		process_discard_child(child);
	mm_put(mm);
	return NULL;
}

/* Until the child has an address space of its own, or none: it borrows ours. */
static void wait_for_vfork(struct process *child)
{
	waitq_wait(&child->left_mm, __atomic_load_n(&child->has_left_mm, __ATOMIC_ACQUIRE));
}

static int64_t start_process(const struct clone_args *args, struct thread *thread)
{
	struct process *child = create_process(args, thread->tid);
	uint32_t tid = thread->tid;

	if (!child)
		return -ENOMEM;
	tell_parent_tid(args, tid);
	process_get(child);
	process_add_thread(child, thread);
	thread_wake(thread);
	if (args->flags & CLONE_VFORK)
		wait_for_vfork(child);
	process_put(child);
	return tid;
}

static int64_t start_thread(const struct clone_args *args, struct thread *thread)
{
	uint32_t tid = thread->tid;

	tell_parent_tid(args, tid);
	process_add_thread(current_process(), thread);
	thread_wake(thread);
	return tid;
}

/* What is asked for must be a thread as pthreads are, or a process that shares nothing but, for a while, memory. */
static int check(const struct clone_args *args)
{
	const uint64_t known = THREAD_FLAGS | CLONE_SETTLS | CLONE_PARENT_SETTID |
			       CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_VFORK |
			       CLONE_SYSVSEM | CLONE_DETACHED | CLONE_CLEAR_SIGHAND;

	if ((args->flags & ~known) || args->set_tid || args->set_tid_size)
		return -EINVAL;
	if ((args->flags & CLONE_THREAD) ? (args->flags & THREAD_FLAGS) != THREAD_FLAGS
					 : args->flags & (CLONE_FS | CLONE_FILES | CLONE_SIGHAND))
		return -EINVAL;
	if ((args->flags & CLONE_SETTLS) && args->tls >= USER_END)
		return -EPERM;
	return args->exit_signal > SIGNALS_MAX ? -EINVAL : 0;
}

int64_t clone_start(const struct clone_args *args, const struct trap_frame *frame)
{
	struct start *start;
	struct thread *thread;
	int64_t tid = check(args);

	if (tid)
		return tid;
	start = kmalloc(sizeof(*start));
	thread = start ? prepare_thread(args, frame, start) : NULL;
	if (!thread) {
		kfree(start);
		return -ENOMEM;
	}
	if (args->flags & CLONE_THREAD)
		return start_thread(args, thread);
	tid = start_process(args, thread);
	if (tid < 0) {
		thread_discard(thread);
		kfree(start);
	}
	return tid;
}
