/*
 * Eventfds that raise interrupts: see irqfd.h.
 *
 * An irqfd waits on its eventfd like a reader, and takes the count when it is woken: in the context of whoever wrote, with
 * the eventfd's wait queue locked. From there on the way to the APIC has no locks but the routes'.
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/fs/eventfd.h"
#include "kernel/kvm/irqfd.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

struct irqfd {
	struct list node;     /* [L] */
	struct waiter waiter; /* in the eventfd's queue */
	struct vm *vm;	      /* [I] borrowed: it owns this */
	struct file *eventfd; /* [I] counted */
	uint32_t gsi;	      /* [I] */
};

static struct object_cache irqfd_cache = OBJECT_CACHE("irqfd", struct irqfd);

void irqfds_create(struct irqfds *irqfds)
{
	list_init(&irqfds->list);
	irqfds->count = 0;
}

static void fire(const struct irqfd *irqfd)
{
	if (eventfd_take(irqfd->eventfd))
		vm_raise_gsi(irqfd->vm, irqfd->gsi);
}

static void woken(struct waiter *waiter)
{
	fire(container_of(waiter, struct irqfd, waiter));
}

static struct irqfd *first_of(struct irqfds *irqfds)
{
	return list_is_empty(&irqfds->list) ? NULL
					    : list_entry(irqfds->list.next, struct irqfd, node);
}

static struct irqfd *next_of(const struct irqfds *irqfds, const struct irqfd *irqfd)
{
	return irqfd->node.next == &irqfds->list ? NULL
						 : list_entry(irqfd->node.next, struct irqfd, node);
}

/* Once it is off the queue nobody is in woken() any more: that runs with the queue's lock held. */
static void destroy(struct irqfds *irqfds, struct irqfd *irqfd)
{
	waiter_remove(&irqfd->waiter);
	list_remove(&irqfd->node);
	irqfds->count--;
	file_put(irqfd->eventfd);
	object_free(&irqfd_cache, irqfd);
}

void irqfds_destroy(struct irqfds *irqfds)
{
	struct irqfd *irqfd;

	while ((irqfd = first_of(irqfds)))
		destroy(irqfds, irqfd);
}

static int64_t assign(struct vm *vm, struct file *eventfd, uint32_t gsi)
{
	struct irqfds *irqfds = &vm->irqfds;
	struct irqfd *irqfd;

	for (irqfd = first_of(irqfds); irqfd; irqfd = next_of(irqfds, irqfd))
		if (irqfd->eventfd == eventfd)
			return -EBUSY;
	if (irqfds->count == IRQFDS_MAX)
		return -ENOSPC;
	irqfd = object_alloc(&irqfd_cache);
	if (!irqfd)
		return -ENOMEM;
	file_get(eventfd);
	irqfd->vm = vm;
	irqfd->eventfd = eventfd;
	irqfd->gsi = gsi;
	irqfd->waiter.woken = woken;
	list_append(&irqfds->list, &irqfd->node);
	irqfds->count++;
	waiter_add(eventfd->ready, &irqfd->waiter);
	/* What was written before counts. */
	fire(irqfd);
	return 0;
}

/* None such is fine: so KVM has it. */
static int64_t deassign(struct vm *vm, struct file *eventfd, uint32_t gsi)
{
	struct irqfd *irqfd, *next;

	for (irqfd = first_of(&vm->irqfds); irqfd; irqfd = next) {
		next = next_of(&vm->irqfds, irqfd);
		if (irqfd->eventfd == eventfd && irqfd->gsi == gsi)
			destroy(&vm->irqfds, irqfd);
	}
	return 0;
}

static int64_t change(struct vm *vm, const struct kvm_irqfd *args, struct file *eventfd)
{
	int64_t err;

	if (!eventfd_is(eventfd))
		return -EINVAL;
	mutex_lock(&vm->lock);
	err = args->flags & KVM_IRQFD_FLAG_DEASSIGN ? deassign(vm, eventfd, args->gsi)
						    : assign(vm, eventfd, args->gsi);
	mutex_unlock(&vm->lock);
	return err;
}

int64_t irqfd_user(struct vm *vm, uint64_t argument)
{
	struct kvm_irqfd args;
	struct file *eventfd;
	int64_t err;

	if (copy_from_user(&args, argument, sizeof(args)))
		return -EFAULT;
	if (args.flags & ~(uint32_t)(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	/* Resampling is for an I/O APIC in the kernel. */
	if (!(args.flags & KVM_IRQFD_FLAG_DEASSIGN) &&
	    (!vm_has_irqchip(vm) || (args.flags & KVM_IRQFD_FLAG_RESAMPLE)))
		return -EINVAL;
	eventfd = fd_get(&current_process()->fds, args.fd);
	if (!eventfd)
		return -EBADF;
	err = change(vm, &args, eventfd);
	file_put(eventfd);
	return err;
}
