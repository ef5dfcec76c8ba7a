/*
 * flock(): see flock.h.
 *
 * All locks are in one list: there are few of them, a handful per virtual machine.
 */
#include "kernel/fs/flock.h"
#include "kernel/mem/object.h"

/* Fields: [I] immutable once listed */
struct flock {
	struct list node; /* [locks lock] */
	const struct file *file;
	/* [I] What the file stands for: files of the same thing have the same. */
	const void *subject;
	bool is_exclusive; /* [I] */
};

static struct object_cache flock_cache = OBJECT_CACHE("flock", struct flock);
static struct spinlock locks_lock;
static struct list locks = { &locks, &locks };
static struct waitq dropped = WAITQ(dropped);

static bool is_free(const struct flock *wanted)
{
	list_for_each(node, &locks) {
		const struct flock *held = list_entry(node, struct flock, node);

		if (held->subject == wanted->subject &&
		    (held->is_exclusive || wanted->is_exclusive))
			return false;
	}
	return true;
}

static bool try_take(struct flock *wanted)
{
	uint64_t flags = spin_lock_irqsave(&locks_lock);
	bool taken = is_free(wanted);

	if (taken)
		list_append(&locks, &wanted->node);
	spin_unlock_irqrestore(&locks_lock, flags);
	return taken;
}

int flock_take(struct file *file, bool is_exclusive, bool waits)
{
	struct flock *wanted = object_alloc(&flock_cache);
	int err = 0;

	if (!wanted)
		return -ENOMEM;
	*wanted = (struct flock){ .file = file,
				  .subject = file->node ? file->node : file->data,
				  .is_exclusive = is_exclusive };
	__atomic_store_n(&file->has_flock, true, __ATOMIC_RELEASE);
	flock_drop(file);
	if (waits)
		err = waitq_wait_killable(&dropped, try_take(wanted));
	else if (!try_take(wanted))
		err = -EWOULDBLOCK;
	if (err)
		object_free(&flock_cache, wanted);
	return err;
}

void flock_drop(struct file *file)
{
	uint64_t flags = spin_lock_irqsave(&locks_lock);
	bool had_any = false;

	list_for_each(node, &locks) {
		struct flock *held = list_entry(node, struct flock, node);

		if (held->file != file)
			continue;
		list_remove(&held->node);
		object_free(&flock_cache, held);
		had_any = true;
	}
	spin_unlock_irqrestore(&locks_lock, flags);
	if (had_any)
		waitq_wake(&dropped);
}
