/*
 * ChaCha20's block function (RFC 8439, 2.3), for random numbers. Pure.
 */
#pragma once

#include <stdint.h>

enum { CHACHA20_KEY_WORDS = 8, CHACHA20_BLOCK_WORDS = 16 };

/* @nonce: three words. */
void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		    const uint32_t nonce[3], uint32_t out[CHACHA20_BLOCK_WORDS]);
