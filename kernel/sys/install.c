/*
 * Descriptors for new files: see install.h.
 */
#include <asm/fcntl.h>

#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/install.h"

int64_t install_new(struct file *file, uint64_t flags)
{
	if (!file)
		return -ENOMEM;
	return fd_install(&current_process()->fds, file, flags & O_CLOEXEC, 0);
}

int64_t install_pair(struct file *a, struct file *b, uint64_t flags, uint64_t address)
{
	struct fdtable *fds = &current_process()->fds;
	int32_t pair[2];

	pair[0] = (int32_t)install_new(a, flags);
	if (pair[0] < 0) {
		file_put(b);
		return pair[0];
	}
	pair[1] = (int32_t)install_new(b, flags);
	if (pair[1] < 0) {
		fd_close(fds, (uint64_t)pair[0]);
		return pair[1];
	}
	if (!copy_to_user(address, pair, sizeof(pair)))
		return 0;
	fd_close(fds, (uint64_t)pair[0]);
	fd_close(fds, (uint64_t)pair[1]);
	return -EFAULT;
}
