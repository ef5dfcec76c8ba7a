/*
 * Fuzzer input read as a script: a device's harness takes bytes and numbers from it until it ends.
 * An exhausted script yields zeros.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "vmm/bus.h"

struct fuzz_script {
	const uint8_t *bytes;
	size_t left;
};

/* libFuzzer's entry point, which no header declares. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static inline bool fuzz_has_more(const struct fuzz_script *script)
{
	return script->left > 0;
}

/* @size bytes, 1 to 8, as a little-endian number. */
static inline uint64_t fuzz_take(struct fuzz_script *script, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size && script->left; i++, script->left--)
		value |= (uint64_t)*script->bytes++ << (8 * i);
	return value;
}

/* One access to a region of @region_bytes that lies wholly inside it, as the bus promises. */
static inline void fuzz_access(struct fuzz_script *script, const struct bus_ops *ops, void *device,
			       uint64_t region_bytes)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t size = 1u << (how & 3);
	uint64_t offset = fuzz_take(script, region_bytes > 256 ? 2 : 1);

	while (size > region_bytes)
		size /= 2;
	offset %= region_bytes - size + 1;
	if (how & 4)
		ops->write(device, offset, fuzz_take(script, size), size);
	else
		(void)ops->read(device, offset, size);
}

/* What must hold whatever the guest does. */
static inline void fuzz_claim(bool claim)
{
	if (!claim)
		abort();
}
