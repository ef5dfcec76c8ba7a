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
	int32_t pair[2] = { (int32_t)install_new(a, flags), (int32_t)install_new(b, flags) };
	int64_t err = pair[0] < 0 ? pair[0] : pair[1] < 0 ? pair[1] : 0;

	if (!err)
		err = copy_to_user(address, pair, sizeof(pair));
	for (int i = 0; err && i < 2; i++)
		if (pair[i] >= 0)
			fd_close(&current_process()->fds, (uint64_t)pair[i]);
	return err;
}
