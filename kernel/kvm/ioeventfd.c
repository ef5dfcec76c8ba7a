/*
 * Eventfds that a guest's writes signal: see ioeventfd.h.
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/fs/eventfd.h"
#include "kernel/kvm/ioeventfd.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

void ioeventfds_destroy(struct ioeventfds *table)
{
	for (uint32_t i = 0; i < table->count; i++)
		eventfd_put(table->items[i].eventfd);
	kfree(table->items);
	*table = (struct ioeventfds){ 0 };
}

static int64_t change(struct vm *vm, const struct kvm_ioeventfd *args, struct eventfd *eventfd)
{
	bool is_deassign = args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	struct ioeventfd wanted;
	int64_t err = ioeventfd_parse(args, &wanted);

	/* Of one that can't have been there. */
	if (err)
		return is_deassign ? -ENOENT : err;
	wanted.eventfd = eventfd;
	mutex_lock(&vm->lock);
	err = is_deassign ? ioeventfds_remove(&vm->ioeventfds, &wanted)
			  : ioeventfds_add(&vm->ioeventfds, &wanted);
	mutex_unlock(&vm->lock);
	if (is_deassign && !err)
		eventfd_put(eventfd); /* the table's */
	return err;
}

int64_t ioeventfd_user(struct vm *vm, uint64_t argument)
{
	struct kvm_ioeventfd args;
	struct ioeventfd parsed;
	struct eventfd *eventfd;
	int64_t err;

	if (copy_from_user(&args, argument, sizeof(args)))
		return -EFAULT;
	if (!(args.flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
		err = ioeventfd_parse(&args, &parsed);
		if (err)
			return err;
	}
	err = eventfd_get(&current_process()->fds, (uint32_t)args.fd, &eventfd);
	if (err)
		return err;
	err = change(vm, &args, eventfd);
	if (err || (args.flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		eventfd_put(eventfd);
	return err;
}

bool vm_ioeventfd_signal(struct vm *vm, bool is_port, uint64_t address, uint32_t bytes,
			 uint64_t value)
{
	struct ioeventfds *table = &vm->ioeventfds;
	const struct ioeventfd *item;
	uint64_t flags;

	if (!__atomic_load_n(&table->count, __ATOMIC_RELAXED))
		return false;
	flags = spin_lock_irqsave(&table->lock);
	item = ioeventfds_match(table, is_port ? IOEVENTFD_PIO : IOEVENTFD_MMIO, address, bytes,
				value);
	if (item)
		eventfd_signal(item->eventfd, 1);
	spin_unlock_irqrestore(&table->lock, flags);
	return item;
}
