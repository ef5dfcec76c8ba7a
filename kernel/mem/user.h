/*
 * Between the kernel and ring 3's memory. Every pointer that comes from ring 3 goes through here.
 *
 * Copy once, check the copy. Context: threads with an address space, interrupts on, no spinlocks: a page may have to be
 * fetched. Return 0, or -EFAULT with part of the copy done.
 */
#pragma once

#include "lib/compiler.h"

MUST_CHECK int copy_from_user(void *to, uint64_t from, size_t size);
MUST_CHECK int copy_to_user(uint64_t to, const void *from, size_t size);
MUST_CHECK int zero_user(uint64_t to, size_t size);

/* A number of so many bits. */
static inline MUST_CHECK int put_user_u32(uint64_t to, uint32_t value)
{
	return copy_to_user(to, &value, sizeof(value));
}

static inline MUST_CHECK int put_user_u64(uint64_t to, uint64_t value)
{
	return copy_to_user(to, &value, sizeof(value));
}

/* A terminated string with its end in @size bytes. Returns its length; -EFAULT; -ENAMETOOLONG. */
MUST_CHECK int copy_string_from_user(char *to, uint64_t from, size_t size);

/*
 * Do these words, which have been read by copy_from_user(), read the same again? Not if they have to be fetched. In any
 * context, as long as it is their address space: also where no other fault may happen.
 */
struct user_word {
	uint64_t at, value;
};
MUST_CHECK bool user_words_hold(const struct user_word *words, uint32_t count);

/* For futexes: an aligned 32-bit word, atomically. Don't fetch pages: -EFAULT if it isn't mapped, safe with locks held. */
MUST_CHECK int user_word_load(uint32_t *value, uint64_t address);
MUST_CHECK int user_word_exchange(uint64_t address, uint32_t expected, uint32_t desired,
				  uint32_t *found);
