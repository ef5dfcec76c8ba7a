/*
 * Random numbers: see random.h.
 */
#include <stdbool.h>
#include <string.h>

#include "kernel/arch/random.h"
#include "kernel/arch/regs.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/print.h"
#include "lib/chacha20.h"
#include "lib/compiler.h"

enum {
	RDRAND_TRIES = 10,
	JITTER_ROUNDS = 64, /* per word of the key */
	BLOCK_BYTES = 4 * CHACHA20_BLOCK_WORDS,
	KEY_BYTES = 4 * CHACHA20_KEY_WORDS,
};

static struct spinlock lock;
static uint32_t key[CHACHA20_KEY_WORDS]; /* [lock] */

static bool processor_random(uint64_t *out)
{
	for (int i = 0; i < RDRAND_TRIES; i++) {
		uint8_t is_good;

		__asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(is_good));
		if (is_good)
			return true;
	}
	return false;
}

/* How long a CPUID takes is never quite the same. */
static uint64_t jitter(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < JITTER_ROUNDS; i++) {
		(void)cpuid(0, 0);
		sum = (sum << 7 | sum >> 57) ^ rdtsc();
	}
	return sum;
}

void random_init(void)
{
	bool has_rdrand = cpuid(1, 0).ecx >> 30 & 1;
	uint64_t word;

	for (int i = 0; i < CHACHA20_KEY_WORDS / 2; i++) {
		uint64_t mixed = jitter();

		if (has_rdrand && processor_random(&word))
			mixed ^= word;
		memcpy(&key[2 * i], &mixed, sizeof(mixed));
	}
	if (!has_rdrand)
		print_warn(
			"this processor has no random number generator: the first random numbers are weaker");
}

/* Every block's first half is the next key: what was given out can't be worked out backwards. */
void random_bytes(void *buffer, size_t size)
{
	static const uint32_t nonce[3];
	uint32_t block[CHACHA20_BLOCK_WORDS];
	uint8_t *at = buffer;

	while (size) {
		size_t step = min_u64(size, BLOCK_BYTES - KEY_BYTES);
		uint64_t flags = spin_lock_irqsave(&lock);

		chacha20_block(key, 0, nonce, block);
		memcpy(key, block, sizeof(key));
		spin_unlock_irqrestore(&lock, flags);
		memcpy(at, block + CHACHA20_KEY_WORDS, step);
		at += step;
		size -= step;
	}
	memset(block, 0, sizeof(block));
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}
