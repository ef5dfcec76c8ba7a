/*
 * virtio-rng: random bytes into whatever the driver offers.
 */
#include <string.h>

#include "tests/support/cmocka.h"
#include "tests/support/driver.h"
#include "vmm/virtio/rng.h"

enum { SLOT = 2, MOST_AT_ONCE = 64 * 1024 };

struct bench {
	struct pci_bench pci;
	struct virtio_pci *device;
	struct driver driver;
};

static void start(struct bench *bench)
{
	struct virtio_pci_host host;
	struct errmsg why = { 0 };
	struct virtio_dev *dev;

	pci_bench_start(&bench->pci, DRIVER_MEMORY_BYTES);
	host = pci_bench_host(&bench->pci);
	assert_int_equal(virtio_rng_create("rng", &bench->pci.memory, &dev, &why), 0);
	assert_int_equal(virtio_pci_create(dev, &host, SLOT, &bench->device, &why), 0);
	driver_attach(&bench->driver, &bench->pci, bench->device, SLOT);
	driver_begin(&bench->driver, 0);
}

static void stop(struct bench *bench)
{
	driver_detach(&bench->driver);
	virtio_pci_destroy(bench->device);
	pci_bench_stop(&bench->pci);
}

static uint32_t ask(struct bench *bench, const struct ring_buffer *buffers, uint32_t count)
{
	struct ring *ring = &bench->driver.rings[0];
	struct vring_used_elem used;

	ring_offer(ring, ring_add(ring, buffers, count));
	driver_kick(&bench->driver, 0);
	assert_true(ring_wait(ring, &used));
	return used.len;
}

/* 64 bytes all zero would be as likely as any other: not to be seen in this universe's life. */
static bool is_zero(const uint8_t *bytes, size_t size)
{
	while (size)
		if (bytes[--size])
			return false;
	return true;
}

static void a_buffer_is_filled(void **state UNUSED)
{
	struct ring_buffer buffer = { 0, 64, true };
	uint8_t first[64];
	struct bench bench;

	start(&bench);
	buffer.at = driver_allocate(&bench.driver, 64);
	assert_int_equal(ask(&bench, &buffer, 1), 64);
	memcpy(first, driver_at(&bench.driver, buffer.at), 64);
	assert_false(is_zero(first, 64));
	assert_int_equal(ask(&bench, &buffer, 1), 64);
	assert_memory_not_equal(first, driver_at(&bench.driver, buffer.at), 64);
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE));
	stop(&bench);
}

static void scattered_buffers_are_filled_and_nothing_else(void **state UNUSED)
{
	struct ring_buffer buffers[2];
	uint8_t *bytes;
	struct bench bench;
	uint64_t at;

	start(&bench);
	at = driver_allocate(&bench.driver, 1024);
	bytes = driver_at(&bench.driver, at);
	buffers[0] = (struct ring_buffer){ at, 300, true };
	buffers[1] = (struct ring_buffer){ at + 600, 300, true };
	assert_int_equal(ask(&bench, buffers, 2), 600);
	assert_false(is_zero(bytes + 236, 64));
	assert_true(is_zero(bytes + 300, 300));
	assert_false(is_zero(bytes + 836, 64));
	assert_true(is_zero(bytes + 900, 124));
	stop(&bench);
}

static void a_greedy_request_is_filled_in_part(void **state UNUSED)
{
	struct ring_buffer buffer = { 0, 4 * MOST_AT_ONCE, true };
	uint8_t *bytes;
	struct bench bench;

	start(&bench);
	buffer.at = driver_allocate(&bench.driver, buffer.bytes);
	bytes = driver_at(&bench.driver, buffer.at);
	assert_int_equal(ask(&bench, &buffer, 1), MOST_AT_ONCE);
	assert_false(is_zero(bytes + MOST_AT_ONCE - 64, 64));
	assert_true(is_zero(bytes + MOST_AT_ONCE, 3 * MOST_AT_ONCE));
	stop(&bench);
}

static void a_request_without_room_gets_nothing(void **state UNUSED)
{
	struct ring_buffer buffer = { 0, 64, false };
	struct bench bench;

	start(&bench);
	buffer.at = driver_allocate(&bench.driver, 64);
	assert_int_equal(ask(&bench, &buffer, 1), 0);
	assert_true(is_zero(driver_at(&bench.driver, buffer.at), 64));
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

static void requests_and_bytes_are_counted(void **state UNUSED)
{
	struct ring_buffer buffer = { 0, 10, true };
	struct bench bench;

	start(&bench);
	buffer.at = driver_allocate(&bench.driver, 10);
	ask(&bench, &buffer, 1);
	ask(&bench, &buffer, 1);
	driver_settle(&bench.driver);
	assert_string_equal(bench.device->dev->ops->counters[0], "requests");
	assert_int_equal(bench.device->dev->counters[0], 2);
	assert_int_equal(bench.device->dev->counters[1], 20);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_is_filled),
		cmocka_unit_test(scattered_buffers_are_filled_and_nothing_else),
		cmocka_unit_test(a_greedy_request_is_filled_in_part),
		cmocka_unit_test(a_request_without_room_gets_nothing),
		cmocka_unit_test(requests_and_bytes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
