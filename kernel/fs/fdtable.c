/*
 * A process's descriptors: see fdtable.h.
 */
#include <string.h>

#include "kernel/fs/fdtable.h"
#include "kernel/mem/object.h"

enum { CAPACITY_FIRST = 64 };

void fdtable_init(struct fdtable *table)
{
	*table = (struct fdtable){ 0 };
	mutex_init(&table->lock);
	table->limit = FDS_LIMIT_FIRST;
}

void fdtable_set_limit(struct fdtable *table, uint32_t limit)
{
	__atomic_store_n(&table->limit, limit, __ATOMIC_RELAXED);
}

static uint32_t limit_of(const struct fdtable *table)
{
	return __atomic_load_n(&table->limit, __ATOMIC_RELAXED);
}

/* Takes the file out of its place; the caller drops it outside the lock. */
static struct file *take(struct fdtable *table, uint64_t fd)
{
	struct file *file;

	if (fd >= table->capacity)
		return NULL;
	file = table->fds[fd].file;
	table->fds[fd] = (struct fd){ 0 };
	return file;
}

void fdtable_destroy(struct fdtable *table)
{
	for (uint32_t fd = 0; fd < table->capacity; fd++)
		file_put(take(table, fd));
	kfree(table->fds);
	table->fds = NULL;
	table->capacity = 0;
}

static int grow(struct fdtable *table, uint32_t needed)
{
	uint32_t capacity = table->capacity ? table->capacity : CAPACITY_FIRST;
	struct fd *fds;

	while (capacity < needed)
		capacity *= 2;
	fds = kmalloc(capacity * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	if (table->capacity)
		memcpy(fds, table->fds, table->capacity * sizeof(*fds));
	kfree(table->fds);
	table->fds = fds;
	table->capacity = capacity;
	return 0;
}

int fdtable_copy(struct fdtable *to, struct fdtable *from)
{
	int err = 0;

	fdtable_init(to);
	mutex_lock(&from->lock);
	to->limit = from->limit;
	if (from->capacity)
		err = grow(to, from->capacity);
	for (uint32_t fd = 0; !err && fd < from->capacity; fd++) {
		to->fds[fd] = from->fds[fd];
		file_get(to->fds[fd].file);
	}
	mutex_unlock(&from->lock);
	return err;
}

void fdtable_close_on_exec(struct fdtable *table)
{
	for (uint32_t fd = 0; fd < table->capacity; fd++)
		if (table->fds[fd].file && table->fds[fd].closes_on_exec)
			fd_close(table, fd);
}

struct file *fd_get(struct fdtable *table, uint64_t fd)
{
	struct file *file = NULL;

	mutex_lock(&table->lock);
	if (fd < table->capacity)
		file = file_get(table->fds[fd].file);
	mutex_unlock(&table->lock);
	return file;
}

static int find_free(struct fdtable *table, uint32_t lowest)
{
	uint32_t fd = lowest;
	int err;

	while (fd < table->capacity && table->fds[fd].file)
		fd++;
	if (fd >= limit_of(table))
		return -EMFILE;
	if (fd >= table->capacity) {
		err = grow(table, fd + 1);
		if (err)
			return err;
	}
	return (int)fd;
}

int fd_install(struct fdtable *table, struct file *file, bool closes_on_exec, uint32_t lowest)
{
	int fd;

	mutex_lock(&table->lock);
	fd = find_free(table, lowest);
	if (fd >= 0)
		table->fds[fd] = (struct fd){ file, closes_on_exec };
	mutex_unlock(&table->lock);
	if (fd < 0)
		file_put(file);
	return fd;
}

int fd_install_at(struct fdtable *table, struct file *file, bool closes_on_exec, uint32_t fd)
{
	struct file *dropped = file;
	int err = fd < limit_of(table) ? 0 : -EBADF;

	mutex_lock(&table->lock);
	if (!err && fd >= table->capacity)
		err = grow(table, fd + 1);
	if (!err) {
		dropped = take(table, fd);
		table->fds[fd] = (struct fd){ file, closes_on_exec };
	}
	mutex_unlock(&table->lock);
	file_put(dropped);
	return err ? err : (int)fd;
}

int fd_close(struct fdtable *table, uint64_t fd)
{
	struct file *file;

	mutex_lock(&table->lock);
	file = take(table, fd);
	mutex_unlock(&table->lock);
	if (!file)
		return -EBADF;
	file_put(file);
	return 0;
}

int fd_get_flag(struct fdtable *table, uint64_t fd)
{
	int flag = -EBADF;

	mutex_lock(&table->lock);
	if (fd < table->capacity && table->fds[fd].file)
		flag = table->fds[fd].closes_on_exec;
	mutex_unlock(&table->lock);
	return flag;
}

int fd_set_flag(struct fdtable *table, uint64_t fd, bool closes_on_exec)
{
	int err = -EBADF;

	mutex_lock(&table->lock);
	if (fd < table->capacity && table->fds[fd].file) {
		table->fds[fd].closes_on_exec = closes_on_exec;
		err = 0;
	}
	mutex_unlock(&table->lock);
	return err;
}
