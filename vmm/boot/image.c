/*
 * A file that a guest is started from: see image.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot/image.h"

int image_open(const char *path, const char *what, struct image *out, struct errmsg *why)
{
	struct image image = { .path = path, .what = what };
	struct stat status;
	int err;

	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	image.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (image.fd < 0)
		return errmsg_user(why, -errno, "%s: cannot open the %s: %s", path, what,
				   strerror(errno));
	if (fstat(image.fd, &status) < 0) {
		err = errmsg_system(why, -errno, "%s: cannot be examined: %s", path,
				    strerror(errno));
		goto err_close;
	}
	if (!S_ISREG(status.st_mode)) {
		err = errmsg_user(why, -EINVAL,
				  "%s: expected the %s as a regular file, found another kind", path,
				  what);
		goto err_close;
	}
	image.size_bytes = (uint64_t)status.st_size;
	*out = image;
	return 0;

err_close:
	close(image.fd);
	return err;
}

void image_close(struct image *image)
{
	if (image->path)
		close(image->fd);
	image->path = NULL;
}

int image_read(const struct image *image, uint64_t offset, void *buffer, uint64_t size,
	       struct errmsg *why)
{
	uint64_t done = 0;
	ssize_t got;

	if (offset > image->size_bytes || size > image->size_bytes - offset)
		return errmsg_user(
			why, -EINVAL,
			"%s: the %s is truncated: expected %llu bytes at %llu, found a file of %llu",
			image->path, image->what, (unsigned long long)size,
			(unsigned long long)offset, (unsigned long long)image->size_bytes);
	while (done < size) {
		got = pread(image->fd, (char *)buffer + done, size - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errmsg_system(why, -errno, "%s: cannot read the %s: %s", image->path,
					     image->what, strerror(errno));
		if (!got)
			return errmsg_user(why, -EINVAL, "%s: the %s has shrunk while it was read",
					   image->path, image->what);
		done += (uint64_t)got;
	}
	return 0;
}

int image_load(const struct image *image, uint64_t offset, uint64_t size,
	       const struct guest_memory *memory, gpa_t to, struct errmsg *why)
{
	void *target = memory_at(memory, to, size);

	if (!target)
		return errmsg_user(
			why, -EINVAL,
			"%s: the %s wants %llu bytes at %#llx, where the VM's %llu MiB of "
			"memory have no room; give it more memory",
			image->path, image->what, (unsigned long long)size,
			(unsigned long long)to.v, (unsigned long long)(memory->size_bytes >> 20));
	return image_read(image, offset, target, size, why);
}
