/*
 * Eventfds that raise interrupts: a write to one sends its GSI's message, without ring 3.
 *
 * An irqfd whose eventfd's last descriptor has been closed is of no use to anybody: it goes when the next one comes, or with the VM.
 *
 * Fields: [L] vm->lock  [I] immutable  [a] atomic
 * Source: KVM API, "KVM_IRQFD".
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"

struct vm;

enum { IRQFDS_MAX = 4096 };

struct irqfds {
	struct list list; /* [L] */
	uint32_t count;	  /* [L] */
	bool has_closed;  /* [a] some can go */
};

void irqfds_create(struct irqfds *irqfds);
/* When the VM goes: none fires any more when it returns. */
void irqfds_destroy(struct irqfds *irqfds);

/* KVM_IRQFD. -EINVAL, -EBADF, -EBUSY (the eventfd has one), -ENOMEM. Takes vm->lock. */
int64_t irqfd_user(struct vm *vm, uint64_t argument);
