/*
 * The Internet's checksum: see checksum.h.
 */
#include <string.h>

#include "kernel/net/checksum.h"

/* One's complement sums are the same in either order of bytes, with their bytes swapped: so words are added as they lie. */
uint16_t checksum_sum(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	if (size >= sizeof(half)) {
		memcpy(&half, bytes, sizeof(half));
		sum += half;
		bytes += sizeof(half);
		size -= sizeof(half);
	}
	if (size)
		sum += *bytes;
	return __builtin_bswap16(checksum_fold(sum));
}
