/*
 * Eventfds that a guest's writes to a port or an address signal, without ring 3.
 *
 * Fields: [L] lock
 * Source: KVM API, "KVM_IOEVENTFD".
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/spinlock.h"
#include "lib/compiler.h"

struct eventfd;
struct vm;

enum { IOEVENTFDS_MAX = 1000 }; /* as KVM's buses */

struct ioeventfd {
	uint64_t address, datamatch;
	struct eventfd *eventfd; /* counted */
	uint8_t bytes;		 /* 0: writes of any size, and any value */
	uint8_t bus;		 /* enum ioeventfd_bus */
	bool has_datamatch;
};

/* Ascending by bus and address. */
struct ioeventfds {
	struct spinlock lock;
	uint32_t count, capacity; /* [L] */
	struct ioeventfd *items;  /* [L] */
};

enum ioeventfd_bus { IOEVENTFD_MMIO, IOEVENTFD_PIO, IOEVENTFD_OTHER };

/* --- pure --- */

/* From ring 3's words, without the eventfd. -EINVAL. */
MUST_CHECK int ioeventfd_parse(const struct kvm_ioeventfd *args, struct ioeventfd *out);

/* The one that a write of @bytes of @value to @address means; NULL. */
const struct ioeventfd *ioeventfds_match(const struct ioeventfds *table, uint8_t bus,
					 uint64_t address, uint32_t bytes, uint64_t value);

/* Would @wanted be in the way of one that is there? */
bool ioeventfds_collide(const struct ioeventfds *table, const struct ioeventfd *wanted);

/*
 * One caller at a time; the lock is taken for the moment of the change. Add: 0, and the reference to the eventfd is the
 * table's; -EEXIST, -ENOSPC, -ENOMEM. Remove: 0, and the reference is the caller's; -ENOENT.
 */
MUST_CHECK int ioeventfds_add(struct ioeventfds *table, const struct ioeventfd *wanted);
MUST_CHECK int ioeventfds_remove(struct ioeventfds *table, const struct ioeventfd *wanted);

/* --- of a VM --- */

void ioeventfds_destroy(struct ioeventfds *table);

/* KVM_IOEVENTFD. -EINVAL, -EBADF, -EEXIST, -ENOENT, -ENOSPC, -ENOMEM. Takes vm->lock. */
int64_t ioeventfd_user(struct vm *vm, uint64_t argument);

/* A guest's write: true: an eventfd was signalled, and that is all. Any context that may take a spinlock. */
bool vm_ioeventfd_signal(struct vm *vm, bool is_port, uint64_t address, uint32_t bytes,
			 uint64_t value);
