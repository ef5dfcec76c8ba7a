/*
 * Filters of system calls: see seccomp.h.
 */
#include <asm/signal.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "kernel/dev/print.h"
#include "kernel/mem/object.h"
#include "kernel/proc/bpf.h"
#include "kernel/proc/process.h"
#include "kernel/proc/seccomp.h"

enum {
	CALLS_KNOWN = 512,	   /* numbers for which there is a bit */
	CHAIN_STEPS_MAX = 1 << 15, /* instructions, each filter counting as FILTER_STEPS more */
	FILTER_STEPS = 4,
	ERRNO_MAX = 4095,
	CODE_SECCOMP = 1, /* SYS_SECCOMP, of the C library */
};

/* Fields: [I] but what is [a], atomic */
struct seccomp {
	uint32_t refs;	       /* [a] threads and newer filters */
	struct seccomp *older; /* counted; NULL: the first */
	uint32_t steps;	       /* of the chain */
	bool logs;	       /* what isn't allowed */
	/* [a] By the whole chain, whatever the arguments; known from a call's first time on. */
	uint64_t always_allowed[CALLS_KNOWN / 64];
	uint32_t count;
	struct sock_filter *program;
};

static struct object_cache seccomp_cache = OBJECT_CACHE("seccomp", struct seccomp);

static void get(struct seccomp *seccomp)
{
	if (seccomp)
		__atomic_fetch_add(&seccomp->refs, 1, __ATOMIC_RELAXED);
}

void seccomp_put(struct seccomp *seccomp)
{
	while (seccomp && !__atomic_sub_fetch(&seccomp->refs, 1, __ATOMIC_ACQ_REL)) {
		struct seccomp *older = seccomp->older;

		kfree(seccomp->program);
		object_free(&seccomp_cache, seccomp);
		seccomp = older;
	}
}

/* The calling thread's; another of its process may be adding to it. */
static struct seccomp *own(void)
{
	return __atomic_load_n(&current_thread()->seccomp, __ATOMIC_ACQUIRE);
}

void seccomp_inherit(struct thread *thread)
{
	struct seccomp *seccomp = own();

	get(seccomp);
	thread->seccomp = seccomp;
	thread->has_no_new_privileges = current_thread()->has_no_new_privileges;
}

/* --- adding: process->lock is held, so that nobody joins, leaves or adds --- */

static bool is_ancestor(const struct seccomp *ancestor, const struct seccomp *of)
{
	while (of && of != ancestor)
		of = of->older;
	return of == ancestor;
}

/* A thread of the process whose filters aren't among the caller's; 0: there is none.*/
static uint32_t find_diverged(struct process *process, const struct seccomp *mine)
{
	list_for_each(node, &process->threads) {
		const struct thread *thread = list_entry(node, struct thread, siblings);

		if (thread->seccomp && !is_ancestor(thread->seccomp, mine))
			return thread->tid;
	}
	return 0;
}

static void set(struct thread *thread, struct seccomp *seccomp)
{
	struct seccomp *old = thread->seccomp;

	get(seccomp);
	thread->has_no_new_privileges |= current_thread()->has_no_new_privileges;
	__atomic_store_n(&thread->seccomp, seccomp, __ATOMIC_RELEASE);
	seccomp_put(old); /* in the new chain, which keeps it: nothing ends here */
}

/* Returns 0 or the number of a thread that has other filters. */
static uint32_t attach(struct process *process, struct seccomp *seccomp, bool to_all)
{
	uint32_t diverged;

	if (!to_all) {
		set(current_thread(), seccomp);
		return 0;
	}
	diverged = find_diverged(process, current_thread()->seccomp);
	if (diverged)
		return diverged;
	list_for_each(node, &process->threads) {
		set(list_entry(node, struct thread, siblings), seccomp);
	}
	return 0;
}

static struct seccomp *create(struct sock_filter *program, uint32_t count, bool logs)
{
	struct seccomp *seccomp = object_alloc(&seccomp_cache);

	if (!seccomp)
		return NULL;
	seccomp->refs = 1;
	seccomp->older = own();
	get(seccomp->older);
	seccomp->steps = count + (seccomp->older ? seccomp->older->steps + FILTER_STEPS : 0);
	seccomp->logs = logs;
	seccomp->count = count;
	seccomp->program = program;
	return seccomp;
}

static int add_locked(struct process *process, struct sock_filter *program, uint32_t count,
		      uint64_t flags)
{
	struct seccomp *seccomp = create(program, count, flags & SECCOMP_FILTER_FLAG_LOG);
	int result = -ENOMEM;

	if (!seccomp)
		return result;
	if (seccomp->steps <= CHAIN_STEPS_MAX)
		result = (int)attach(process, seccomp, flags & SECCOMP_FILTER_FLAG_TSYNC);
	if (result)
		seccomp->program = NULL; /* still the caller's */
	seccomp_put(seccomp);
	return result;
}

static int check(const struct sock_filter *program, uint32_t count)
{
	struct bpf_scratch *scratch = kmalloc(sizeof(*scratch));
	int err = scratch ? bpf_check(program, count, scratch) : -ENOMEM;

	kfree(scratch);
	return err;
}

int seccomp_add(struct sock_filter *program, uint32_t count, uint64_t flags)
{
	struct process *process = current_process();
	int result = check(program, count);

	if (result)
		return result;
	mutex_lock(&process->lock);
	result = add_locked(process, program, count, flags);
	mutex_unlock(&process->lock);
	if (result > 0 && (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -ESRCH;
	return result;
}

/* --- asking --- */

static bool is_always_allowed(const struct seccomp *seccomp, uint32_t number)
{
	return number < CALLS_KNOWN &&
	       (__atomic_load_n(&seccomp->always_allowed[number / 64], __ATOMIC_RELAXED) &
		UINT64_C(1) << number % 64);
}

static void allow_always(struct seccomp *seccomp, uint32_t number)
{
	if (number < CALLS_KNOWN)
		__atomic_fetch_or(&seccomp->always_allowed[number / 64], UINT64_C(1) << number % 64,
				  __ATOMIC_RELAXED);
}

/* The strictest answer of the chain, that of the newest filter first. */
static uint32_t ask(struct seccomp *newest, const struct seccomp_data *data)
{
	uint32_t strictest = SECCOMP_RET_ALLOW;
	bool has_seen_more = false;

	for (const struct seccomp *seccomp = newest; seccomp; seccomp = seccomp->older) {
		uint32_t answer = bpf_run(seccomp->program, data, &has_seen_more);

		if ((int32_t)(answer & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = answer;
	}
	if (strictest == SECCOMP_RET_ALLOW && !has_seen_more)
		allow_always(newest, (uint32_t)data->nr);
	return strictest;
}

static void say(const struct seccomp_data *data, const char *what)
{
	const struct process *process = current_process();

	print("%s (process %u): system call %d isn't allowed: %s", process->name, process->pid,
	      data->nr, what);
}

static void trap(struct trap_frame *frame, const struct seccomp_data *data, uint32_t answer)
{
	const struct signal_info info = {
		.number = SIGSYS,
		.code = CODE_SECCOMP,
		.error = (int)(answer & SECCOMP_RET_DATA),
		.status = data->nr,
		.value = data->instruction_pointer,
	};

	frame->rax = (uint64_t)data->nr; /* a handler may make another result of it */
	signal_force(&info);
}

static _Noreturn void end_thread(const struct seccomp_data *data)
{
	say(data, "the thread ends");
	if (__atomic_load_n(&current_process()->nr_threads, __ATOMIC_RELAXED) == 1)
		process_exit_all(SIGSYS);
	process_exit_thread(SIGSYS);
}

static bool act(struct trap_frame *frame, const struct seccomp_data *data, uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_LOG:
		say(data, "logged");
		return true;
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_ERRNO:
		frame->rax = -min_u64(answer & SECCOMP_RET_DATA, ERRNO_MAX);
		return false;
	case SECCOMP_RET_TRAP:
		trap(frame, data, answer);
		return false;
	case SECCOMP_RET_TRACE:	     /* nobody traces, */
	case SECCOMP_RET_USER_NOTIF: /* and nobody listens */
		frame->rax = (uint64_t)-ENOSYS;
		return false;
	case SECCOMP_RET_KILL_THREAD:
		end_thread(data);
	default:
		say(data, "the process ends");
		process_exit_all(SIGSYS);
	}
}

static NOINLINE bool ask_and_act(struct seccomp *seccomp, struct trap_frame *frame)
{
	const struct seccomp_data data = {
		.nr = (int)frame->rax,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = frame->rip,
		.args = { frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9 },
	};
	uint32_t answer = ask(seccomp, &data);

	if (seccomp->logs && (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		say(&data, "it fails");
	return act(frame, &data, answer);
}

bool seccomp_allows(struct trap_frame *frame)
{
	struct seccomp *seccomp = own();

	return is_always_allowed(seccomp, (uint32_t)frame->rax) || ask_and_act(seccomp, frame);
}
