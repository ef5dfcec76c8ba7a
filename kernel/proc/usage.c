/*
 * What processes have used: see usage.h.
 */
#include <string.h>

#include "kernel/mem/area.h"
#include "kernel/proc/usage.h"

/* With process->lock. */
static struct process_usage usage_locked(struct process *process)
{
	struct process_usage usage = process->ended;

	list_for_each(node, &process->threads) {
		usage.ran_ns += thread_ran_ns(list_entry(node, struct thread, siblings));
	}
	if (process->mm && process->mm->nr_pages_max > usage.pages_max)
		usage.pages_max = process->mm->nr_pages_max;
	return usage;
}

struct process_usage process_usage(struct process *process)
{
	struct process_usage usage;

	mutex_lock(&process->lock);
	usage = usage_locked(process);
	mutex_unlock(&process->lock);
	return usage;
}

static char letter_of(const struct process *process)
{
	if (process->has_ended)
		return 'Z';
	list_for_each(node, &process->threads) {
		const struct thread *thread = list_entry(node, struct thread, siblings);

		if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_RUNNABLE)
			return 'R';
	}
	return 'S';
}

/* With process->lock. @mm: its address space, counted; NULL: none any more. */
static void read_locked(struct process *process, struct process_state *out, struct mm **mm)
{
	const struct process *parent = process->parent;

	*out = (struct process_state){
		.pid = process->pid,
		.parent = parent ? parent->pid : 0,
		.group = process->group,
		.session = process->session,
		.nr_threads = process->nr_threads,
		.letter = letter_of(process),
		.usage = usage_locked(process),
		.children = process->children_usage,
		.started_ns = process->started_ns,
	};
	memcpy(out->name, process->name, sizeof(out->name));
	*mm = mm_get(process->mm);
}

static uint64_t virtual_bytes(struct mm *mm)
{
	uint64_t bytes = 0;

	mutex_lock(&mm->lock);
	for (const struct area *area = area_first_ending_after(mm, 0); area; area = area_next(area))
		bytes += area->end - area->start;
	mutex_unlock(&mm->lock);
	return bytes;
}

int process_state_read(uint32_t pid, struct process_state *out)
{
	struct process *process = process_find(pid);
	struct mm *mm;

	if (!process)
		return -ESRCH;
	mutex_lock(&process->lock);
	read_locked(process, out, &mm);
	mutex_unlock(&process->lock);
	process_put(process);
	if (!mm)
		return 0;
	out->nr_pages = mm->nr_pages;
	out->virtual_bytes = virtual_bytes(mm);
	mm_put(mm);
	return 0;
}
