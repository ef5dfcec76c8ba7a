/*
 * A virtio driver that a fuzzer's input drives. It negotiates as it should and knows good requests; the
 * input decides which ones, and what to break: rings, descriptors, registers, configuration space.
 *
 * One device lives through all inputs: making one costs a thread and more time than an input takes. It is reset
 * before each, and its guest's memory is wiped as far as drivers use it.
 */
#pragma once

#include "tests/support/driver.h"
#include "tests/support/fuzz_script.h"

enum {
	FUZZ_SLOT = 1,
	FUZZ_STEPS_MAX = 200,
	FUZZ_BUFFERS_AT = 0x100000,
	FUZZ_BUFFERS_BYTES = 0x10000,
};

struct fuzz_driver {
	struct pci_bench bench;
	struct virtio_pci *device;
	struct driver driver;
	/* A good request of the device's kind: what it is, is the script's choice. */
	void (*request)(struct fuzz_driver *fuzz, struct fuzz_script *script);
};

/* Once. Puts the device that @create makes on a bus. */
void fuzz_driver_start(struct fuzz_driver *fuzz,
		       struct virtio_dev *(*create)(const struct guest_memory *memory));

/* One input, from negotiation to the last byte. What must hold afterwards is checked. */
void fuzz_driver_run(struct fuzz_driver *fuzz, struct fuzz_script *script);

/* Offers @count buffers on @queue and kicks. */
void fuzz_driver_offer(struct fuzz_driver *fuzz, uint16_t queue, const struct ring_buffer *buffers,
		       uint32_t count);

/* Somewhere in memory that buffers may use, with @bytes behind it. */
uint64_t fuzz_driver_place(struct fuzz_script *script, uint32_t bytes);
