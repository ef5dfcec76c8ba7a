/*
 * Memory has run out: see oom.h.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/proc/oom.h"
#include "kernel/proc/process.h"

enum { TURNS = 500, ENOUGH_FRAMES = 256, PAGES_PER_MIB = 256 };

struct search {
	struct process *largest; /* counted */
	uint64_t pages;
	bool is_one_ending;
};

/* No locks: memory of an address space that goes meanwhile stays with its cache, and a wrong number makes at worst a bad choice. */
static void compare(struct process *process, void *context)
{
	struct search *search = context;
	const struct mm *mm = __atomic_load_n(&process->mm, __ATOMIC_ACQUIRE);

	if (!mm || process->pid == 1)
		return;
	if (__atomic_load_n(&process->is_ending, __ATOMIC_ACQUIRE) ||
	    (__atomic_load_n(&process->signals_pending, __ATOMIC_ACQUIRE) & signal_bit(SIGKILL)))
		search->is_one_ending = true;
	if (mm->nr_pages <= search->pages)
		return;
	search->pages = mm->nr_pages;
	process_put(search->largest);
	search->largest = process_get(process);
}

static uint64_t free_frames(void)
{
	struct frame_counts frames;

	frame_count(&frames);
	return frames.free;
}

bool oom_make_room(void)
{
	const struct signal_info info = { .number = SIGKILL, .code = SI_KERNEL };
	struct search search = { 0 };

	process_for_each(compare, &search);
	if (!search.largest)
		return search.is_one_ending;
	if (!search.is_one_ending) {
		print_warn("out of memory: %s (process %u, %lu MiB) is ended", search.largest->name,
			   search.largest->pid, search.pages / PAGES_PER_MIB);
		signal_send(search.largest, &info);
	}
	process_put(search.largest);
	for (int i = 0; i < TURNS && free_frames() < ENOUGH_FRAMES; i++)
		thread_yield();
	return true;
}
