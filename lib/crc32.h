/*
 * The CRC-32 of Ethernet, GPT and zip: reflected polynomial 0x04c11db7. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint32_t crc32(const void *data, size_t size);
