/*
 * Waiting on words of ring 3's memory.
 *
 * A word is known by its place: in memory that processes share, by the object and the offset in it, if @is_shared; else by the
 * address space and the address. Context: threads.
 */
#pragma once

#include "kernel/mem/mm.h"

/* Once, before ring 3 runs. */
void futex_init(void);

/* Wakes up to @count that wait with a bit of @mask. Returns how many; -EINVAL, -EFAULT. */
int futex_wake(struct mm *mm, uint64_t address, bool is_shared, uint32_t count, uint32_t mask);

/* While the word is @expected. @deadline_ns on the clock; UINT64_MAX: none. 0, -EAGAIN, -ETIMEDOUT, -EINTR, -EFAULT. */
MUST_CHECK int futex_wait(struct mm *mm, uint64_t address, bool is_shared, uint32_t expected,
			  uint64_t deadline_ns, uint32_t mask);
/* Wakes @count of @address's waiters and moves up to @move of the others to @to, if the word is @expected. */
MUST_CHECK int futex_requeue(struct mm *mm, uint64_t address, bool is_shared, uint32_t count,
			     uint32_t move, uint64_t to, const uint32_t *expected);
