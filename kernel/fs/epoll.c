/*
 * Sets of files that tell which of them are ready: see epoll.h.
 *
 * Every item is a waiter on its file's queue. A wake-up there puts the item on its set's ready list and wakes the set's own
 * queue; whoever collects events asks each ready item's file what holds, so a wake-up for nothing costs a look. An item
 * that is level-triggered and ready goes back to the list.
 *
 * Locks, in this order: watches_lock; set->lock, outer sets first; the files' own; a queue's lock; set->ready_lock.
 */
#include <asm/fcntl.h>

#include "kernel/sched/deadline.h"
#include "kernel/fs/epoll.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"

#define PRIVATE_BITS (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define ALWAYS_BITS  (EPOLLERR | EPOLLHUP)

enum { NESTING_MAX = 5 };

/* Fields: [W] watches_lock  [L] lock  [R] ready_lock  [I] immutable */
struct epoll {
	struct file *file; /* [I] whose data it is */
	struct mutex lock;
	struct list items; /* [W and L] */
	struct spinlock ready_lock;
	struct list ready; /* [R] items */
	struct waitq waiters;
};

/* Fields: as above, of its set  [a] atomic */
struct epoll_item {
	struct list siblings; /* [W and L] in its set */
	struct list watches;  /* [W] in its file */
	struct list ready;    /* [R] */
	struct epoll *set;    /* [I] */
	struct file *file;    /* [I] valid as long as the item: epoll_forget() */
	uint32_t fd;	      /* [I] */
	uint32_t events;      /* [L, a] that are wanted, and how */
	uint64_t data;	      /* [L] */
	struct waiter waiter;
};

static struct object_cache epoll_cache = OBJECT_CACHE("epoll", struct epoll);
static struct object_cache item_cache = OBJECT_CACHE("epoll item", struct epoll_item);

/* Guards who watches whom. */
static struct mutex watches_lock = MUTEX(watches_lock);

static const struct file_ops epoll_ops;

bool epoll_is(const struct file *file)
{
	return file->ops == &epoll_ops;
}

/* --- items --- */

/* By the file's side: there are fewer sets that watch a file than files in a set. watches_lock is held. */
static struct epoll_item *find_item(const struct epoll *set, const struct file *file, uint32_t fd)
{
	list_for_each(node, &file->watches) {
		struct epoll_item *item = list_entry(node, struct epoll_item, watches);

		if (item->set == set && item->fd == fd)
			return item;
	}
	return NULL;
}

/* Onto its set's list of ready ones. */
static void put_back(struct epoll_item *item)
{
	uint64_t flags = spin_lock_irqsave(&item->set->ready_lock);

	if (list_is_empty(&item->ready))
		list_append(&item->set->ready, &item->ready);
	spin_unlock_irqrestore(&item->set->ready_lock, flags);
}

static void make_ready(struct epoll_item *item)
{
	put_back(item);
	waitq_wake_for(&item->set->waiters, EPOLLIN);
}

static void woken(struct waiter *waiter)
{
	struct epoll_item *item = container_of(waiter, struct epoll_item, waiter);

	if (waiter->events & __atomic_load_n(&item->events, __ATOMIC_RELAXED))
		make_ready(item);
}

/* What holds now of what is wanted. set->lock is held. */
static uint32_t ready_events(const struct epoll_item *item)
{
	return item->events & ~PRIVATE_BITS & file_poll(item->file);
}

static void set_event(struct epoll_item *item, const struct epoll_event *event)
{
	item->data = event->data;
	__atomic_store_n(&item->events, event->events | ALWAYS_BITS, __ATOMIC_RELEASE);
	if (ready_events(item))
		make_ready(item);
}

/* watches_lock and the set's lock are held. */
static void remove_item(struct epoll_item *item)
{
	struct epoll *set = item->set;
	uint64_t flags;

	if (item->waiter.queue)
		waiter_remove(&item->waiter); /* woken() doesn't run any more */
	flags = spin_lock_irqsave(&set->ready_lock);
	list_remove(&item->ready);
	spin_unlock_irqrestore(&set->ready_lock, flags);
	list_remove(&item->siblings);
	list_remove(&item->watches);
	object_free(&item_cache, item);
}

/* --- nesting; watches_lock is held --- */

/* How deep sets lie below @set, or more than NESTING_MAX if @wanted is among them. */
static uint32_t depth_below(struct file *file, const struct file *wanted, uint32_t level)
{
	struct epoll *set = file->data;
	uint32_t deepest = level;

	if (file == wanted || level > NESTING_MAX)
		return NESTING_MAX + 1;
	list_for_each(node, &set->items) {
		struct file *inner = list_entry(node, struct epoll_item, siblings)->file;
		uint32_t depth = epoll_is(inner) ? depth_below(inner, wanted, level + 1) : 0;

		if (depth > deepest)
			deepest = depth;
	}
	return deepest;
}

/* How many sets lie above @file, one in the other. */
static uint32_t height_above(const struct file *file)
{
	uint32_t highest = 0;

	list_for_each(node, &file->watches) {
		uint32_t height =
			1 + height_above(list_entry(node, struct epoll_item, watches)->set->file);

		if (height > highest)
			highest = height;
	}
	return highest;
}

/* --- changing a set --- */

static int add_item(struct epoll *set, struct file *file, uint32_t fd,
		    const struct epoll_event *event)
{
	struct epoll_item *item = object_alloc(&item_cache);

	if (!item)
		return -ENOMEM;
	item->set = set;
	item->file = file;
	item->fd = fd;
	item->waiter.woken = woken;
	list_init(&item->ready);
	__atomic_store_n(&file->is_watched, true, __ATOMIC_RELEASE);
	list_append(&file->watches, &item->watches);
	list_append(&set->items, &item->siblings);
	if (file->ready)
		waiter_add(file->ready, &item->waiter);
	/* A wake-up before this found no event wanted: set_event() looks itself. */
	set_event(item, event);
	return 0;
}

static int change_locked(struct epoll *set, uint32_t operation, struct file *file, uint32_t fd,
			 const struct epoll_event *event)
{
	struct epoll_item *item = find_item(set, file, fd);

	if (operation == EPOLL_CTL_ADD)
		return item ? -EEXIST : add_item(set, file, fd, event);
	if (!item)
		return -ENOENT;
	if (operation == EPOLL_CTL_DEL) {
		remove_item(item);
		return 0;
	}
	if (item->events & EPOLLEXCLUSIVE)
		return -EINVAL;
	set_event(item, event);
	return 0;
}

int epoll_change(struct file *set_file, uint32_t operation, struct file *file, uint32_t fd,
		 const struct epoll_event *event)
{
	struct epoll *set = set_file->data;
	int err = 0;

	if (!file->ops->poll)
		return -EPERM;
	if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_DEL && operation != EPOLL_CTL_MOD)
		return -EINVAL;
	if (operation != EPOLL_CTL_DEL && (event->events & EPOLLEXCLUSIVE) &&
	    (operation == EPOLL_CTL_MOD || epoll_is(file) || (event->events & EPOLLONESHOT)))
		return -EINVAL;
	mutex_lock(&watches_lock);
	if (operation == EPOLL_CTL_ADD && epoll_is(file) &&
	    height_above(set_file) + 1 + depth_below(file, set_file, 1) > NESTING_MAX)
		err = -ELOOP;
	if (!err) {
		mutex_lock(&set->lock);
		err = change_locked(set, operation, file, fd, event);
		mutex_unlock(&set->lock);
	}
	mutex_unlock(&watches_lock);
	return err;
}

void epoll_forget(struct file *file)
{
	mutex_lock(&watches_lock);
	list_for_each(node, &file->watches) {
		struct epoll_item *item = list_entry(node, struct epoll_item, watches);
		struct epoll *set = item->set;

		mutex_lock(&set->lock);
		remove_item(item);
		mutex_unlock(&set->lock);
	}
	mutex_unlock(&watches_lock);
}

/* --- collecting --- */

static struct epoll_item *take_ready(struct epoll *set, struct list *pending)
{
	uint64_t flags = spin_lock_irqsave(&set->ready_lock);
	struct list *node = list_take_first(pending);

	spin_unlock_irqrestore(&set->ready_lock, flags);
	return node ? list_entry(node, struct epoll_item, ready) : NULL;
}

/* Moves what is ready from @from to the end of @to: a look at each item once. */
static void move_ready(struct epoll *set, struct list *to, struct list *from, bool to_front)
{
	uint64_t flags = spin_lock_irqsave(&set->ready_lock);

	if (!list_is_empty(from)) {
		struct list *first = from->next, *last = from->previous;
		struct list *where = to_front ? to->next : to;

		list_init(from);
		first->previous = where->previous;
		where->previous->next = first;
		last->next = where;
		where->previous = last;
	}
	spin_unlock_irqrestore(&set->ready_lock, flags);
}

/* One event to ring 3; what its item does next depends on its trigger. */
static int deliver(struct epoll_item *item, uint32_t ready, uint64_t address)
{
	const struct epoll_event out = { .events = ready, .data = item->data };

	if (copy_to_user(address, &out, sizeof(out))) {
		put_back(item);
		return -EFAULT;
	}
	if (item->events & EPOLLONESHOT)
		__atomic_store_n(&item->events, item->events & PRIVATE_BITS, __ATOMIC_RELEASE);
	else if (!(item->events & EPOLLET))
		put_back(item);
	return 0;
}

static int64_t collect(struct epoll *set, uint64_t events, uint32_t max)
{
	struct list pending;
	struct epoll_item *item;
	int64_t count = 0;
	int err = 0;

	list_init(&pending);
	mutex_lock(&set->lock);
	move_ready(set, &pending, &set->ready, false);
	while (count < max && !err && (item = take_ready(set, &pending))) {
		uint32_t ready = ready_events(item);

		if (!ready)
			continue;
		err = deliver(item, ready, events + (uint64_t)count * sizeof(struct epoll_event));
		count += !err;
	}
	move_ready(set, &set->ready, &pending, true);
	mutex_unlock(&set->lock);
	return count ? count : err;
}

static bool may_have_events(struct epoll *set)
{
	uint64_t flags = spin_lock_irqsave(&set->ready_lock);
	bool has_some = !list_is_empty(&set->ready);

	spin_unlock_irqrestore(&set->ready_lock, flags);
	return has_some;
}

int64_t epoll_wait_events(struct file *set_file, uint64_t events, uint32_t max,
			  uint64_t deadline_ns)
{
	struct epoll *set = set_file->data;
	struct deadline deadline;
	int64_t count;
	int err = 0;

	count = collect(set, events, max);
	if (count || !deadline_ns)
		return count;
	deadline_start(&deadline, deadline_ns);
	while (!count && !err) {
		err = waitq_wait_killable(&set->waiters,
					  may_have_events(set) || deadline_has_passed(&deadline));
		if (!err)
			count = collect(set, events, max);
		if (!count && deadline_has_passed(&deadline))
			break;
	}
	deadline_stop(&deadline);
	return count ? count : err;
}

/* A set is readable while one of its files is ready. Takes those that aren't off the list. */
static uint32_t epoll_poll(struct file *file)
{
	struct epoll *set = file->data;
	struct list pending;
	struct epoll_item *item;
	bool is_ready = false;

	if (!may_have_events(set))
		return 0;
	list_init(&pending);
	mutex_lock(&set->lock);
	move_ready(set, &pending, &set->ready, false);
	while (!is_ready && (item = take_ready(set, &pending))) {
		is_ready = ready_events(item);
		if (is_ready)
			put_back(item);
	}
	move_ready(set, &set->ready, &pending, true);
	mutex_unlock(&set->lock);
	return is_ready ? EPOLLIN | EPOLLRDNORM : 0;
}

/* --- the file --- */

static void epoll_release(struct file *file)
{
	struct epoll *set = file->data;

	mutex_lock(&watches_lock);
	mutex_lock(&set->lock);
	list_for_each(node, &set->items) {
		remove_item(list_entry(node, struct epoll_item, siblings));
	}
	mutex_unlock(&set->lock);
	mutex_unlock(&watches_lock);
	object_free(&epoll_cache, set);
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.release = epoll_release,
};

struct file *epoll_create(void)
{
	struct epoll *set = object_alloc(&epoll_cache);

	if (!set)
		return NULL;
	mutex_init(&set->lock);
	list_init(&set->items);
	list_init(&set->ready);
	waitq_init(&set->waiters);
	set->file = file_create(&epoll_ops, set, &set->waiters, O_RDWR);
	if (set->file)
		return set->file;
	object_free(&epoll_cache, set);
	return NULL;
}
