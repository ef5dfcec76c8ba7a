/*
 * Memory has run out: see oom.h.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/cpu/clock.h"
#include "kernel/dev/print.h"
#include "kernel/proc/oom.h"
#include "kernel/proc/process.h"
#include "kernel/sched/waitq.h"

enum { TRIES = 20, PATIENCE_NS = 100 * 1000 * 1000, PAGES_PER_MIB = 256 };

struct search {
	struct process *largest, *ending; /* counted */
	uint64_t pages;
};

static void keep(struct process **kept, struct process *process)
{
	process_put(*kept);
	*kept = process_get(process);
}

/* No locks: memory of an address space that goes meanwhile stays with its cache, and a wrong number makes at worst a bad choice. */
static void compare(struct process *process, void *context)
{
	struct search *search = context;
	const struct mm *mm = __atomic_load_n(&process->mm, __ATOMIC_ACQUIRE);

	if (process->has_ended || process->pid == 1)
		return;
	if (__atomic_load_n(&process->is_ending, __ATOMIC_ACQUIRE) ||
	    (__atomic_load_n(&process->signals_pending, __ATOMIC_ACQUIRE) & signal_bit(SIGKILL)))
		keep(&search->ending, process);
	if (!mm || mm->nr_pages <= search->pages)
		return;
	search->pages = mm->nr_pages;
	keep(&search->largest, process);
}

static void end(struct process *process, uint64_t pages)
{
	const struct signal_info info = { .number = SIGKILL, .code = SI_KERNEL };

	print_warn("out of memory: %s (process %u, %lu MiB) is ended; run less, or give it less",
		   process->name, process->pid, pages / PAGES_PER_MIB);
	signal_send(process, &info);
}

/* The caller may have a lock that @process needs to end. */
static void wait_for_end_of(struct process *process)
{
	uint64_t deadline = clock_ns() + PATIENCE_NS;

	while (!__atomic_load_n(&process->has_ended, __ATOMIC_ACQUIRE) &&
	       !thread_is_interrupted() && clock_ns() < deadline)
		thread_yield();
}

bool oom_make_room(uint32_t *tries)
{
	struct search search = { 0 };

	if (thread_is_interrupted() || ++*tries > TRIES)
		return false;
	process_for_each(compare, &search);
	if (!search.ending && search.largest) {
		end(search.largest, search.pages);
		keep(&search.ending, search.largest);
	}
	process_put(search.largest);
	if (!search.ending)
		return false;
	wait_for_end_of(search.ending);
	process_put(search.ending);
	return true;
}
