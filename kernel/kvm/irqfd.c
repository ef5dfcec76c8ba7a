/*
 * Eventfds that raise interrupts: see irqfd.h.
 *
 * An irqfd waits on its eventfd like a reader, and takes the count when it is woken: in the context of whoever wrote, with
 * the eventfd's wait queue locked. From there on the way to the APIC has no locks but the routes'.
 */
#include <errno.h>
#include <linux/eventpoll.h>
#include <stddef.h>

#include "kernel/fs/eventfd.h"
#include "kernel/kvm/irqfd.h"
#include "kernel/kvm/vm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

struct irqfd {
	struct list node;	 /* [L] */
	struct waiter waiter;	 /* in the eventfd's queue */
	struct vm *vm;		 /* [I] borrowed: it owns this */
	struct eventfd *eventfd; /* [I] counted */
	uint32_t gsi;		 /* [I] */
	bool is_closed;		 /* [a] no descriptor leads to the eventfd any more */
};

static struct object_cache irqfd_cache = OBJECT_CACHE("irqfd", struct irqfd);

void irqfds_create(struct irqfds *irqfds)
{
	*irqfds = (struct irqfds){ 0 };
	list_init(&irqfds->list);
}

static void fire(const struct irqfd *irqfd)
{
	if (eventfd_take(irqfd->eventfd))
		vm_raise_gsi(irqfd->vm, irqfd->gsi);
}

static void woken(struct waiter *waiter)
{
	struct irqfd *irqfd = container_of(waiter, struct irqfd, waiter);

	if (waiter->events & EPOLLHUP) {
		__atomic_store_n(&irqfd->is_closed, true, __ATOMIC_RELEASE);
		__atomic_store_n(&irqfd->vm->irqfds.has_closed, true, __ATOMIC_RELEASE);
	} else {
		fire(irqfd);
	}
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
	eventfd_put(irqfd->eventfd);
	object_free(&irqfd_cache, irqfd);
}

void irqfds_destroy(struct irqfds *irqfds)
{
	struct irqfd *irqfd;

	while ((irqfd = first_of(irqfds)))
		destroy(irqfds, irqfd);
}

static void destroy_closed(struct irqfds *irqfds)
{
	struct irqfd *irqfd, *next;

	if (!__atomic_exchange_n(&irqfds->has_closed, false, __ATOMIC_ACQ_REL))
		return;
	for (irqfd = first_of(irqfds); irqfd; irqfd = next) {
		next = next_of(irqfds, irqfd);
		if (__atomic_load_n(&irqfd->is_closed, __ATOMIC_ACQUIRE))
			destroy(irqfds, irqfd);
	}
}

/* Takes over the reference to the eventfd if it works. */
static int64_t assign(struct vm *vm, struct eventfd *eventfd, uint32_t gsi)
{
	struct irqfds *irqfds = &vm->irqfds;
	struct irqfd *irqfd;

	destroy_closed(irqfds);
	for (irqfd = first_of(irqfds); irqfd; irqfd = next_of(irqfds, irqfd))
		if (irqfd->eventfd == eventfd)
			return -EBUSY;
	if (irqfds->count == IRQFDS_MAX)
		return -ENOSPC;
	irqfd = object_alloc(&irqfd_cache);
	if (!irqfd)
		return -ENOMEM;
	irqfd->vm = vm;
	irqfd->eventfd = eventfd;
	irqfd->gsi = gsi;
	irqfd->waiter.woken = woken;
	list_append(&irqfds->list, &irqfd->node);
	irqfds->count++;
	waiter_add(eventfd_ready(eventfd), &irqfd->waiter);
	/* What was written before counts. */
	fire(irqfd);
	return 0;
}

/* None such is fine: so KVM has it. */
static int64_t deassign(struct vm *vm, struct eventfd *eventfd, uint32_t gsi)
{
	struct irqfd *irqfd, *next;

	for (irqfd = first_of(&vm->irqfds); irqfd; irqfd = next) {
		next = next_of(&vm->irqfds, irqfd);
		if (irqfd->eventfd == eventfd && irqfd->gsi == gsi)
			destroy(&vm->irqfds, irqfd);
	}
	return 0;
}

static int64_t change(struct vm *vm, const struct kvm_irqfd *args, struct eventfd *eventfd)
{
	int64_t err;

	mutex_lock(&vm->lock);
	err = args->flags & KVM_IRQFD_FLAG_DEASSIGN ? deassign(vm, eventfd, args->gsi)
						    : assign(vm, eventfd, args->gsi);
	mutex_unlock(&vm->lock);
	return err;
}

int64_t irqfd_user(struct vm *vm, uint64_t argument)
{
	struct kvm_irqfd args;
	struct eventfd *eventfd;
	int64_t err;

	if (copy_from_user(&args, argument, sizeof(args)))
		return -EFAULT;
	if (args.flags & ~(uint32_t)(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	/* Resampling is for an I/O APIC in the kernel. */
	if (!(args.flags & KVM_IRQFD_FLAG_DEASSIGN) &&
	    (!vm_has_irqchip(vm) || (args.flags & KVM_IRQFD_FLAG_RESAMPLE)))
		return -EINVAL;
	err = eventfd_get(&current_process()->fds, args.fd, &eventfd);
	if (err)
		return err;
	err = change(vm, &args, eventfd);
	if (err || (args.flags & KVM_IRQFD_FLAG_DEASSIGN))
		eventfd_put(eventfd);
	return err;
}
