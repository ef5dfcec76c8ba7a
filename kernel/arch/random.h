/*
 * Random numbers for keys, addresses and whoever asks by getrandom(). Any context.
 *
 * A ChaCha20 generator with fast key erasure, seeded from the processor's generator where there is one, and from the jitter of
 * the time-stamp counter always.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_init(void);
void random_bytes(void *buffer, size_t size);
uint64_t random_u64(void);
