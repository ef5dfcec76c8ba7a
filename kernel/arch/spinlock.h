/*
 * A ticket lock: first come, first served. Held with interrupts off, for a short time.
 *
 * The plain forms are for code that has them off already.
 */
#pragma once

#include <stdint.h>

#include "kernel/arch/regs.h"

struct spinlock {
	uint16_t next;	  /* [a] the ticket that the next one takes */
	uint16_t serving; /* [a] */
};

static inline void spin_lock(struct spinlock *lock)
{
	uint16_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->serving, (uint16_t)(lock->serving + 1), __ATOMIC_RELEASE);
}

static inline uint64_t spin_lock_irqsave(struct spinlock *lock)
{
	uint64_t flags = irq_save();

	spin_lock(lock);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *lock, uint64_t flags)
{
	spin_unlock(lock);
	irq_restore(flags);
}
