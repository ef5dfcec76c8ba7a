/*
 * A virtio device for tests of what all devices share: it copies what it is sent into what it is given, and
 * does what the test tells it to.
 */
#pragma once

#include <semaphore.h>

#include "vmm/virtio/device.h"

enum { ECHO_QUEUES = 2, ECHO_CONFIG_BYTES = 12, ECHO_FEATURE = 5, ECHO_REQUESTS = 0 };

struct echo {
	struct virtio_dev dev;
	uint8_t config[ECHO_CONFIG_BYTES];
	int start_result;	 /* what starting returns */
	unsigned starts, resets; /* calls */
	bool is_slow;		 /* each request waits for @go on */
	sem_t has_begun, go_on;
};

/* The device belongs to the transport that it is given to; the pointer stays good as long. */
struct echo *echo_create(const char *id, const struct guest_memory *memory);
