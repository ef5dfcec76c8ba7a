/*
 * What lies where in the headers of IP and TCP, and numbers as networks have them. (RFC 791, RFC 8200, RFC 9293.)
 */
#pragma once

#include "lib/compiler.h"

enum {
	IPV4_HEADER_BYTES = 20, /* without options */
	IPV4_LENGTH = 2,	/* of the packet */
	IPV4_ID = 4,
	IPV4_PROTOCOL = 9,
	IPV4_CHECKSUM = 10,

	IPV6_HEADER_BYTES = 40,
	IPV6_LENGTH = 4, /* of what follows the header */

	TCP_HEADER_BYTES = 20, /* without options */
	TCP_SEQUENCE = 4,
	TCP_OFFSET = 12, /* of the payload, in 32-bit words: the upper half of the byte */
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	TCP_FIN = 1 << 0,
	TCP_PSH = 1 << 3,
	TCP_CWR = 1 << 7,
};

static inline uint16_t get_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)get_be16(at) << 16 | get_be16(at + 2);
}

static inline void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, (uint16_t)(value >> 16));
	put_be16(at + 2, (uint16_t)value);
}
