/*
 * A file that lives as long as its test: see scratch_file.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/support/scratch_file.h"

void scratch_create(struct scratch_file *file, uint64_t size_bytes)
{
	int err;

	/* Not /tmp, which may be in memory: direct I/O wants a disk. */
	strcpy(file->path, "/var/tmp/bulkhead-test-XXXXXX");
	file->fd = mkostemp(file->path, 0);
	assert(file->fd >= 0);
	err = ftruncate(file->fd, (off_t)size_bytes);
	assert(!err);
}

void scratch_remove(struct scratch_file *file)
{
	close(file->fd);
	unlink(file->path);
}

void scratch_write(struct scratch_file *file, uint64_t offset, const void *bytes, size_t size)
{
	ssize_t put = pwrite(file->fd, bytes, size, (off_t)offset);

	assert(put == (ssize_t)size);
}

void scratch_read(struct scratch_file *file, uint64_t offset, void *bytes, size_t size)
{
	ssize_t got = pread(file->fd, bytes, size, (off_t)offset);

	assert(got == (ssize_t)size);
}
