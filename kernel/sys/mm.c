/*
 * System calls about memory.
 */
#include <asm/mman.h>
#include <linux/mman.h>

#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"

enum {
	PROT_KNOWN = PROT_READ | PROT_WRITE | PROT_EXEC,
};

static int map_file(struct file *file, const struct call *call, struct mm_request *request)
{
	bool is_shared_writable = (call->a[3] & MAP_SHARED) && (call->a[2] & PROT_WRITE);

	if ((file->flags & 3) == 1 || (is_shared_writable && (file->flags & 3) != 2))
		return -EACCES;
	if (!file->ops->map)
		return -ENODEV;
	return file->ops->map(file, request);
}

static int map_shared_anonymous(struct mm_request *request)
{
	request->object = memobj_create(align_up(request->size_bytes, PAGE_BYTES));
	request->offset = 0;
	return request->object ? 0 : -ENOMEM;
}

SYSCALL(mmap)
{
	struct mm_request request = {
		.address = call->a[0],
		.size_bytes = call->a[1],
		.flags = (uint32_t)call->a[2] & PROT_KNOWN,
		.is_fixed = call->a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE),
		.is_exclusive = call->a[3] & MAP_FIXED_NOREPLACE,
		.offset = call->a[5],
	};
	bool is_anonymous = call->a[3] & MAP_ANONYMOUS, is_shared = call->a[3] & MAP_SHARED;
	struct process *process = current_process();
	struct file *file = NULL;
	uint64_t at = 0;
	int err = 0;

	if (!request.size_bytes || request.offset % PAGE_BYTES ||
	    is_shared == !!(call->a[3] & MAP_PRIVATE))
		return -EINVAL;
	request.flags |= is_shared ? AREA_SHARED : 0u;
	if (!is_anonymous) {
		file = fd_get(&process->fds, call->a[4]);
		if (!file)
			return -EBADF;
		err = map_file(file, call, &request);
	} else if (is_shared) {
		err = map_shared_anonymous(&request);
	}
	if (!err)
		err = mm_map(process->mm, &request, &at);
	if (is_anonymous)
		memobj_put(request.object);
	file_put(file);
	return err ? err : (int64_t)at;
}

SYSCALL(munmap)
{
	return mm_unmap(current_process()->mm, call->a[0], call->a[1]);
}

SYSCALL(mprotect)
{
	if (call->a[2] & ~(uint64_t)PROT_KNOWN)
		return -EINVAL;
	return mm_protect(current_process()->mm, call->a[0], call->a[1], (uint32_t)call->a[2]);
}

SYSCALL(madvise)
{
	struct mm *mm = current_process()->mm;

	switch (call->a[2]) {
	case MADV_DONTNEED:
		return mm_discard(mm, call->a[0], call->a[1]);
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return mm_allow_huge(mm, call->a[0], call->a[1], call->a[2] == MADV_HUGEPAGE);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		return mm_check_mapped(mm, call->a[0], call->a[1]);
	default:
		return -EINVAL;
	}
}

SYSCALL(brk)
{
	return (int64_t)mm_set_brk(current_process()->mm, call->a[0]);
}
