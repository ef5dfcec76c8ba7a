/*
 * ChaCha20's block function: see chacha20.h.
 */
#include <string.h>

#include "lib/chacha20.h"

static uint32_t rotate(uint32_t value, uint32_t bits)
{
	return value << bits | value >> (32 - bits);
}

static void quarter_round(uint32_t *s, int a, int b, int c, int d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		    const uint32_t nonce[3], uint32_t out[CHACHA20_BLOCK_WORDS])
{
	uint32_t start[CHACHA20_BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(start + 4, key, CHACHA20_KEY_WORDS * sizeof(uint32_t));
	start[12] = counter;
	memcpy(start + 13, nonce, 3 * sizeof(uint32_t));
	memcpy(out, start, sizeof(start));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			quarter_round(out, i, 4 + i, 8 + i, 12 + i);
		for (int i = 0; i < 4; i++)
			quarter_round(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
	}
	for (int i = 0; i < CHACHA20_BLOCK_WORDS; i++)
		out[i] += start[i];
}
