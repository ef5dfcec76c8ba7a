/*
 * A processor's queue of threads: see runq.h.
 */
#include "kernel/cpu/clock.h"
#include "kernel/sched/runq.h"

struct runq runqs[CPUS_MAX];

/* --- shares --- */

static int64_t vtime_of(const struct thread *thread, int64_t ns)
{
	return ns * THREAD_WEIGHT / (int64_t)thread->weight;
}

/* Where everyone should be. */
static int64_t mean_vruntime(const struct runq *queue)
{
	if (!queue->weight)
		return queue->base;
	return queue->base + queue->weighted / (int64_t)queue->weight;
}

static void follow_mean(struct runq *queue)
{
	int64_t moved = mean_vruntime(queue) - queue->base;

	queue->base += moved;
	queue->weighted -= moved * (int64_t)queue->weight;
}

void runq_charge(struct runq *queue)
{
	struct thread *thread = queue->current;
	uint64_t now = clock_ns();
	int64_t ran = (int64_t)(now - thread->started_ns), moved;

	thread->started_ns = now;
	if (ran <= 0)
		return;
	thread->ran_ns += (uint64_t)ran;
	if (thread->is_idle)
		return;
	moved = vtime_of(thread, ran);
	thread->vruntime += moved;
	queue->weighted += (int64_t)thread->weight * moved;
	follow_mean(queue);
	if (thread->vruntime >= thread->vdeadline)
		thread->vdeadline = thread->vruntime + vtime_of(thread, SLICE_NS);
}

int64_t runq_slice_left(const struct thread *thread)
{
	int64_t left =
		(thread->vdeadline - thread->vruntime) * (int64_t)thread->weight / THREAD_WEIGHT;

	return left < FIRST_SLICE_NS ? FIRST_SLICE_NS : left;
}

void runq_yield(struct runq *queue)
{
	queue->current->vdeadline += vtime_of(queue->current, SLICE_NS);
}

/* --- the tree --- */

static struct thread *thread_of(struct rb_node *node)
{
	return rb_entry(node, struct thread, node);
}

static int64_t least(struct rb_node *node, int64_t otherwise)
{
	return node && thread_of(node)->min_vruntime < otherwise ? thread_of(node)->min_vruntime
								 : otherwise;
}

static void update_least(struct rb_node *node)
{
	struct thread *thread = thread_of(node);

	thread->min_vruntime = least(node->left, least(node->right, thread->vruntime));
}

void runq_insert(struct runq *queue, struct thread *thread)
{
	struct rb_node **link = &queue->tree.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = thread->vdeadline < thread_of(parent)->vdeadline ? &parent->left
									: &parent->right;
	}
	thread->min_vruntime = thread->vruntime;
	rb_insert(&queue->tree, &thread->node, parent, link);
	thread->is_queued = true;
	thread->queued_ns = clock_ns();
	__atomic_store_n(&queue->nr_queued, queue->nr_queued + 1, __ATOMIC_RELAXED);
}

void runq_remove(struct runq *queue, struct thread *thread)
{
	rb_remove(&queue->tree, &thread->node);
	thread->is_queued = false;
	thread->waited_ns += clock_ns() - thread->queued_ns;
	__atomic_store_n(&queue->nr_queued, queue->nr_queued - 1, __ATOMIC_RELAXED);
}

/* The earliest deadline among the eligible; rounding may leave nobody eligible: then the earliest of all. */
static struct thread *first_eligible(const struct runq *queue)
{
	int64_t mean = mean_vruntime(queue);
	struct rb_node *node = queue->tree.root;

	while (node) {
		if (node->left && thread_of(node->left)->min_vruntime <= mean)
			node = node->left;
		else if (thread_of(node)->vruntime <= mean)
			return thread_of(node);
		else
			node = node->right;
	}
	node = rb_first(&queue->tree);
	return node ? thread_of(node) : NULL;
}

struct thread *runq_pick(const struct runq *queue)
{
	struct thread *current = queue->current, *first = first_eligible(queue);

	if (current->state == THREAD_RUNNABLE && !current->is_idle &&
	    (!first ||
	     (current->vruntime <= mean_vruntime(queue) && current->vdeadline <= first->vdeadline)))
		return current;
	return first ? first : queue->idle;
}

bool runq_comes_before_current(const struct runq *queue, const struct thread *thread)
{
	if (queue->current->is_idle)
		return true;
	return thread->vruntime <= mean_vruntime(queue) &&
	       thread->vdeadline < queue->current->vdeadline;
}

struct thread *runq_oldest(const struct runq *queue, uint64_t weight_max)
{
	struct thread *oldest = NULL;

	for (struct rb_node *node = rb_first(&queue->tree); node; node = rb_next(node)) {
		struct thread *thread = thread_of(node);

		if (thread->weight <= weight_max &&
		    (!oldest || thread->joined_ns < oldest->joined_ns))
			oldest = thread;
	}
	return oldest;
}

/* --- coming and going --- */

static void change_weight(struct runq *queue, const struct thread *thread, int64_t weight)
{
	__atomic_store_n(&queue->weight, queue->weight + (uint64_t)weight, __ATOMIC_RELAXED);
	queue->weighted += weight * (thread->vruntime - queue->base);
}

/* Who ran ahead of its share before it slept waits no longer than until the others have caught up. */
static int64_t lag_at_return(const struct runq *queue, const struct thread *thread)
{
	int64_t caught_up = mean_vruntime(queue) - thread->vruntime;

	if (thread->lag >= 0 || thread->left != queue || caught_up <= thread->lag)
		return thread->lag;
	return caught_up < 0 ? caught_up : 0;
}

void runq_enter(struct runq *queue, struct thread *thread)
{
	uint64_t now = clock_ns();
	bool is_fresh = now - thread->started_ns > (uint64_t)FIRST_SLICE_NS;
	int64_t limit = vtime_of(thread, SLICE_NS), lag;

	/* While nobody waits nobody charges the one that runs: the mean may be old. */
	if (now - queue->current->started_ns > (uint64_t)FIRST_SLICE_NS)
		runq_charge(queue);
	lag = lag_at_return(queue, thread);
	if (lag > limit)
		lag = limit;
	if (lag < -limit)
		lag = -limit;
	thread->vruntime = mean_vruntime(queue) - lag;
	thread->vdeadline =
		thread->vruntime + (is_fresh ? vtime_of(thread, FIRST_SLICE_NS) : limit);
	change_weight(queue, thread, (int64_t)thread->weight);
}

void runq_join(struct runq *queue, struct thread *thread)
{
	runq_enter(queue, thread);
	runq_insert(queue, thread);
	thread->joined_ns = thread->queued_ns;
}

void runq_leave(struct runq *queue, struct thread *thread)
{
	int64_t mean = mean_vruntime(queue);

	thread->lag = mean - thread->vruntime;
	thread->left = queue;
	change_weight(queue, thread, -(int64_t)thread->weight);
	if (queue->weight)
		return;
	queue->base = mean;
	queue->weighted = 0;
}

void runq_init(struct runq *queue, struct thread *idle, void (*slice_over)(struct timer *slice))
{
	queue->tree.update = update_least;
	queue->idle = queue->current = idle;
	timer_init(&queue->slice, slice_over);
}
