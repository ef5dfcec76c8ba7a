/*
 * System calls that make files without names: pipes and memory.
 */
#include <asm/fcntl.h>
#include <linux/memfd.h>

#include "kernel/fs/node.h"
#include "kernel/fs/pipe.h"
#include "kernel/mem/user.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/install.h"

SYSCALL(pipe2)
{
	struct file *reader, *writer;
	int err;

	if (call->a[1] & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = pipe_create((uint32_t)call->a[1], &reader, &writer);
	return err ? err : install_pair(reader, writer, call->a[1], call->a[0]);
}

/* Its name is for people who look into /proc: it is checked and forgotten. */
SYSCALL(memfd_create)
{
	char name[NODE_NAME_MAX + 1 - sizeof("memfd:") + 1];
	int length;

	if (call->a[1] & ~(uint64_t)MFD_CLOEXEC)
		return -EINVAL;
	length = copy_string_from_user(name, call->a[0], sizeof(name));
	if (length < 0)
		return length == -ENAMETOOLONG ? -EINVAL : length;
	return install_new(node_create_memory(), call->a[1] & MFD_CLOEXEC ? O_CLOEXEC : 0);
}
