/*
 * What all virtio devices share: negotiation, queues, failure, reset, pause.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "tests/support/driver.h"
#include "tests/support/echo.h"

enum {
	SLOT = 3,
	ACKNOWLEDGE = VIRTIO_CONFIG_S_ACKNOWLEDGE,
	DRIVER = VIRTIO_CONFIG_S_DRIVER,
	FEATURES_OK = VIRTIO_CONFIG_S_FEATURES_OK,
	DRIVER_OK = VIRTIO_CONFIG_S_DRIVER_OK,
	NEEDS_RESET = VIRTIO_CONFIG_S_NEEDS_RESET,
};

static const uint64_t VERSION_1 = UINT64_C(1) << VIRTIO_F_VERSION_1;
static const uint64_t EVENT_IDX = UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;

struct bench {
	struct pci_bench pci;
	struct echo *echo;
	struct virtio_pci *device;
	struct driver driver;
};

static void start(struct bench *bench)
{
	struct virtio_pci_host host;
	struct errmsg why = { 0 };

	pci_bench_start(&bench->pci, DRIVER_MEMORY_BYTES);
	host = pci_bench_host(&bench->pci);
	bench->echo = echo_create("echo0", &bench->pci.memory);
	assert_int_equal(virtio_pci_create(&bench->echo->dev, &host, SLOT, &bench->device, &why),
			 0);
	driver_attach(&bench->driver, &bench->pci, bench->device, SLOT);
}

static void stop(struct bench *bench)
{
	driver_detach(&bench->driver);
	virtio_pci_destroy(bench->device);
	assert_int_equal(message_count_routes(&bench->pci.messages), 0);
	assert_int_equal(bench->pci.kicks.count, 0);
	pci_bench_stop(&bench->pci);
}

/* Makes a request of @text available and returns where its answer will be. */
static const char *offer(struct bench *bench, uint16_t queue, const char *text)
{
	struct driver *driver = &bench->driver;
	uint32_t bytes = (uint32_t)strlen(text) + 1;
	struct ring_buffer buffers[] = {
		{ driver_allocate(driver, bytes), bytes, false },
		{ driver_allocate(driver, bytes), bytes, true },
	};
	struct ring *ring = &driver->rings[queue];

	strcpy(driver_at(driver, buffers[0].at), text);
	ring_offer(ring, ring_add(ring, buffers, ARRAY_SIZE(buffers)));
	return driver_at(driver, buffers[1].at);
}

static void assert_serves(struct bench *bench, uint16_t queue)
{
	struct vring_used_elem used;
	const char *answer = offer(bench, queue, "ping");

	driver_kick(&bench->driver, queue);
	assert_true(ring_wait(&bench->driver.rings[queue], &used));
	assert_int_equal(used.len, 5);
	assert_string_equal(answer, "ping");
}

/* --- negotiation --- */

static void what_is_offered_can_be_read(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(driver_offered(&bench.driver),
			 VERSION_1 | EVENT_IDX | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
				 VIRTIO_BIT(ECHO_FEATURE));
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_DFSELECT, 2, 4);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_DF, 4), 0);
	stop(&bench);
}

static void a_subset_with_version_1_is_agreed_on(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_true(driver_negotiate(&bench.driver, VERSION_1 | VIRTIO_BIT(ECHO_FEATURE)));
	assert_int_equal(driver_status(&bench.driver), ACKNOWLEDGE | DRIVER | FEATURES_OK);
	assert_true(virtio_dev_has(&bench.echo->dev, ECHO_FEATURE));
	stop(&bench);
}

static void features_without_version_1_are_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_false(driver_negotiate(&bench.driver, VIRTIO_BIT(ECHO_FEATURE)));
	assert_false(driver_negotiate(&bench.driver, 0));
	stop(&bench);
}

static void features_that_were_not_offered_are_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_false(driver_negotiate(&bench.driver, VERSION_1 | VIRTIO_BIT(ECHO_FEATURE + 1)));
	assert_false(driver_negotiate(&bench.driver, UINT64_MAX));
	assert_true(driver_negotiate(&bench.driver, VERSION_1));
	stop(&bench);
}

static void features_stand_once_agreed_on(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_true(driver_negotiate(&bench.driver, VERSION_1));
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_GF, UINT32_MAX, 4);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_GF, 4), 0);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_GF, 4), VERSION_1 >> 32);
	stop(&bench);
}

static void there_are_no_features_beyond_64(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_GFSELECT, 2, 4);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_GF, UINT32_MAX, 4);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_GF, 4), 0);
	assert_int_equal(bench.echo->dev.state.driver_features, 0);
	stop(&bench);
}

static void a_driver_cannot_start_before_features_are_agreed_on(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_set_status(&bench.driver, DRIVER_OK);
	assert_int_equal(driver_status(&bench.driver), 0);
	driver_set_status(&bench.driver, ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK);
	assert_int_equal(driver_status(&bench.driver), ACKNOWLEDGE | DRIVER);
	assert_int_equal(bench.echo->starts, 0);
	stop(&bench);
}

static void status_bits_stay_until_the_reset(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_STATUS, ACKNOWLEDGE, 1);
	assert_int_equal(driver_status(&bench.driver),
			 ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	assert_int_equal(bench.echo->starts, 1);
	driver_set_status(&bench.driver, DRIVER_OK);
	assert_int_equal(bench.echo->starts, 1);
	driver_reset(&bench.driver);
	assert_int_equal(driver_status(&bench.driver), 0);
	stop(&bench);
}

static void only_the_device_says_that_it_needs_a_reset(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_set_status(&bench.driver, ACKNOWLEDGE | NEEDS_RESET);
	assert_int_equal(driver_status(&bench.driver), ACKNOWLEDGE);
	stop(&bench);
}

static void a_device_that_cannot_start_needs_a_reset(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.echo->start_result = -EIO;
	driver_negotiate(&bench.driver, VERSION_1);
	driver_enable_msix(&bench.driver);
	driver_set_status(&bench.driver, DRIVER_OK);
	assert_true(driver_status(&bench.driver) & NEEDS_RESET);
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_CONFIG));
	bench.echo->start_result = 0;
	driver_begin(&bench.driver, 0);
	assert_serves(&bench, 0);
	stop(&bench);
}

/* --- queues --- */

static void requests_are_served_on_every_queue(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, EVENT_IDX);
	for (uint16_t queue = 0; queue < ECHO_QUEUES; queue++) {
		assert_serves(&bench, queue);
		assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE + queue));
	}
	assert_int_equal(bench.echo->dev.counters[ECHO_REQUESTS], 2);
	stop(&bench);
}

static void what_was_available_before_the_start_is_served(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_negotiate(&bench.driver, VERSION_1);
	driver_place_queue(&bench.driver, 0, DRIVER_RING_SIZE);
	driver_enable_queue(&bench.driver, 0);
	offer(&bench, 0, "early");
	driver_kick(&bench.driver, 0);
	assert_false(ring_take(&bench.driver.rings[0], &used));
	driver_set_status(&bench.driver, DRIVER_OK);
	assert_true(ring_wait(&bench.driver.rings[0], &used));
	assert_int_equal(used.len, 6);
	stop(&bench);
}

static void a_queue_that_was_not_enabled_is_not_served(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_negotiate(&bench.driver, VERSION_1);
	driver_place_queue(&bench.driver, 0, DRIVER_RING_SIZE);
	driver_set_status(&bench.driver, DRIVER_OK);
	offer(&bench, 0, "nobody there");
	driver_kick(&bench.driver, 0);
	assert_false(driver_sees_failure(&bench.driver));
	assert_false(ring_take(&bench.driver.rings[0], &used));
	stop(&bench);
}

static void a_queue_cannot_be_changed_once_enabled(void **state UNUSED)
{
	struct driver *driver;
	struct bench bench;

	start(&bench);
	driver = &bench.driver;
	driver_negotiate(driver, VERSION_1);
	driver_place_queue(driver, 0, DRIVER_RING_SIZE);
	driver_enable_queue(driver, 0);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SIZE, 8, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 0x1000, 4);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_AVAILHI, 1, 4);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_USEDLO, 0x3000, 4);
	driver_enable_queue(driver, 0);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), DRIVER_RING_SIZE);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 4),
			 driver->rings[0].desc_at);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_AVAILHI, 4), 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_USEDLO, 4),
			 driver->rings[0].used_at);
	assert_false(driver_sees_failure(driver));
	driver_set_status(driver, DRIVER_OK);
	assert_serves(&bench, 0);
	stop(&bench);
}

static void a_queue_cannot_be_added_to_a_running_device(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_negotiate(&bench.driver, VERSION_1);
	driver_set_status(&bench.driver, DRIVER_OK);
	driver_place_queue(&bench.driver, 0, DRIVER_RING_SIZE);
	driver_enable_queue(&bench.driver, 0);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	stop(&bench);
}

static void a_bad_ring_fails_the_device_until_its_reset(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_negotiate(&bench.driver, VERSION_1);
	driver_place_queue(&bench.driver, 0, DRIVER_RING_SIZE);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_USEDHI, 0x80000000, 4);
	driver_enable_queue(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	driver_begin(&bench.driver, 0);
	assert_serves(&bench, 0);
	stop(&bench);
}

static void a_size_out_of_spec_fails_the_device(void **state UNUSED)
{
	static const uint16_t sizes[] = { 0, 48, 2 * VIRTQ_SIZE_MAX, 0xffff };
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		driver_negotiate(&bench.driver, VERSION_1);
		driver_place_queue(&bench.driver, 0, DRIVER_RING_SIZE);
		driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SIZE, sizes[i], 2);
		driver_enable_queue(&bench.driver, 0);
		assert_true(driver_sees_failure(&bench.driver));
	}
	stop(&bench);
}

static void kicks_for_queues_that_do_not_exist_are_ignored(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	virtio_dev_notify(&bench.echo->dev, ECHO_QUEUES);
	virtio_dev_notify(&bench.echo->dev, UINT16_MAX);
	assert_serves(&bench, 1);
	stop(&bench);
}

/* --- failure --- */

static void a_broken_chain_fails_the_device_and_interrupts(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	ring_offer(&bench.driver.rings[0], DRIVER_RING_SIZE);
	driver_kick(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_CONFIG));
	offer(&bench, 1, "too late");
	driver_kick(&bench.driver, 1);
	driver_settle(&bench.driver);
	assert_false(ring_take(&bench.driver.rings[1], &used));
	stop(&bench);
}

static void a_malformed_request_fails_the_device(void **state UNUSED)
{
	struct ring_buffer only_in;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	only_in = (struct ring_buffer){ driver_allocate(&bench.driver, 8), 8, true };
	ring_offer(&bench.driver.rings[0], ring_add(&bench.driver.rings[0], &only_in, 1));
	driver_kick(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	stop(&bench);
}

static void a_failed_device_works_again_after_its_reset(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	ring_advance(&bench.driver.rings[0], DRIVER_RING_SIZE + 1);
	driver_kick(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	driver_begin(&bench.driver, 0);
	assert_false(driver_sees_failure(&bench.driver));
	assert_serves(&bench, 0);
	assert_serves(&bench, 1);
	stop(&bench);
}

/* --- interrupts --- */

/* The callback that pushed has returned, so its interrupt has been sent, or will never be. */
static bool has_interrupt(struct bench *bench, uint16_t queue)
{
	driver_settle(&bench->driver);
	return driver_has_interrupt(&bench->driver, VECTOR_QUEUE + queue);
}

static void a_driver_that_polls_gets_no_interrupts(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	bench.driver.rings[0].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_serves(&bench, 0);
	assert_false(has_interrupt(&bench, 0));
	bench.driver.rings[0].avail->flags = 0;
	assert_serves(&bench, 0);
	assert_true(has_interrupt(&bench, 0));
	stop(&bench);
}

static void a_used_event_delays_the_interrupt(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, EVENT_IDX);
	ring_set_used_event(&bench.driver.rings[0], 1);
	assert_serves(&bench, 0);
	assert_false(has_interrupt(&bench, 0));
	assert_serves(&bench, 0);
	assert_true(has_interrupt(&bench, 0));
	stop(&bench);
}

static void the_avail_event_asks_for_the_next_kick(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, EVENT_IDX);
	for (uint16_t i = 1; i <= 3; i++) {
		assert_serves(&bench, 0);
		driver_settle(&bench.driver);
		assert_int_equal(ring_avail_event(&bench.driver.rings[0]), i);
	}
	stop(&bench);
}

/* --- reset, pause --- */

static void a_reset_forgets_queues_and_features(void **state UNUSED)
{
	struct driver *driver;
	struct bench bench;

	start(&bench);
	driver = &bench.driver;
	driver_begin(driver, VIRTIO_BIT(ECHO_FEATURE));
	driver_reset(driver);
	assert_int_equal(bench.echo->dev.state.driver_features, 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	for (uint16_t queue = 0; queue < ECHO_QUEUES; queue++) {
		driver_write(driver, VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
		assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), VIRTQ_SIZE_MAX);
		assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
		assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_MSIX, 2),
				 VIRTIO_MSI_NO_VECTOR);
	}
	assert_true(bench.echo->resets >= 1);
	stop(&bench);
}

static void *reset_it(void *context)
{
	struct bench *bench = context;

	driver_reset(&bench->driver);
	return NULL;
}

/* The reset waits for the request that is being carried out; nothing is touched after it. */
static void a_reset_in_the_middle_of_a_request_lets_it_end_first(void **state UNUSED)
{
	struct vring_used_elem used;
	pthread_t resetter;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	bench.echo->is_slow = true;
	offer(&bench, 0, "one");
	offer(&bench, 0, "two");
	driver_kick(&bench.driver, 0);
	sem_wait(&bench.echo->has_begun);
	assert_int_equal(pthread_create(&resetter, NULL, reset_it, &bench), 0);
	while (!worker_should_yield(&bench.echo->dev.worker))
		sched_yield();
	sem_post(&bench.echo->go_on);
	pthread_join(resetter, NULL);
	assert_int_equal(driver_status(&bench.driver), 0);
	assert_true(ring_take(&bench.driver.rings[0], &used));
	assert_false(ring_take(&bench.driver.rings[0], &used));
	bench.echo->is_slow = false;
	driver_begin(&bench.driver, 0);
	assert_serves(&bench, 0);
	stop(&bench);
}

static void a_paused_device_touches_nothing_and_goes_on_afterwards(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	virtio_dev_pause(&bench.echo->dev);
	offer(&bench, 0, "later");
	driver_kick(&bench.driver, 0);
	assert_false(ring_take(&bench.driver.rings[0], &used));
	virtio_dev_resume(&bench.echo->dev);
	assert_true(ring_wait(&bench.driver.rings[0], &used));
	stop(&bench);
}

static void a_pause_in_the_middle_of_a_queue_loses_nothing(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, EVENT_IDX);
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < 8; i++)
			offer(&bench, 0, "x");
		driver_kick(&bench.driver, 0);
		virtio_dev_pause(&bench.echo->dev);
		virtio_dev_resume(&bench.echo->dev);
		for (unsigned i = 0; i < 8; i++)
			assert_true(ring_wait(&bench.driver.rings[0], &used));
	}
	stop(&bench);
}

static void a_device_reset_while_paused_stays_still(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	virtio_dev_pause(&bench.echo->dev);
	driver_begin(&bench.driver, 0);
	assert_true(worker_should_yield(&bench.echo->dev.worker));
	virtio_dev_resume(&bench.echo->dev);
	assert_serves(&bench, 0);
	stop(&bench);
}

/* --- the device's own configuration --- */

static void the_configuration_is_read_at_any_width(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	memcpy(bench.echo->config, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c",
	       ECHO_CONFIG_BYTES);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at, 8), 0x0807060504030201);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at + 3, 1), 4);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at + 10, 4), 0x0c0b);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at + ECHO_CONFIG_BYTES, 4), 0);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at + 0xffc, 4), 0);
	stop(&bench);
}

static void a_write_beyond_the_configuration_is_lost(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench_store(&bench.pci, bench.driver.config_at + 8, 0x44332211, 4);
	bench_store(&bench.pci, bench.driver.config_at + 10, UINT32_MAX, 4);
	bench_store(&bench.pci, bench.driver.config_at + 0x800, UINT32_MAX, 4);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at + 8, 4), 0x44332211);
	stop(&bench);
}

static void a_configuration_write_does_not_stall_a_queue(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	for (unsigned round = 0; round < 500; round++) {
		offer(&bench, 0, "x");
		driver_kick(&bench.driver, 0);
		bench_store(&bench.pci, bench.driver.config_at, round, 4);
		assert_true(ring_wait(&bench.driver.rings[0], &used));
	}
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_offered_can_be_read),
		cmocka_unit_test(a_subset_with_version_1_is_agreed_on),
		cmocka_unit_test(features_without_version_1_are_refused),
		cmocka_unit_test(features_that_were_not_offered_are_refused),
		cmocka_unit_test(features_stand_once_agreed_on),
		cmocka_unit_test(there_are_no_features_beyond_64),
		cmocka_unit_test(a_driver_cannot_start_before_features_are_agreed_on),
		cmocka_unit_test(status_bits_stay_until_the_reset),
		cmocka_unit_test(only_the_device_says_that_it_needs_a_reset),
		cmocka_unit_test(a_device_that_cannot_start_needs_a_reset),
		cmocka_unit_test(requests_are_served_on_every_queue),
		cmocka_unit_test(what_was_available_before_the_start_is_served),
		cmocka_unit_test(a_queue_that_was_not_enabled_is_not_served),
		cmocka_unit_test(a_queue_cannot_be_changed_once_enabled),
		cmocka_unit_test(a_queue_cannot_be_added_to_a_running_device),
		cmocka_unit_test(a_bad_ring_fails_the_device_until_its_reset),
		cmocka_unit_test(a_size_out_of_spec_fails_the_device),
		cmocka_unit_test(kicks_for_queues_that_do_not_exist_are_ignored),
		cmocka_unit_test(a_broken_chain_fails_the_device_and_interrupts),
		cmocka_unit_test(a_malformed_request_fails_the_device),
		cmocka_unit_test(a_failed_device_works_again_after_its_reset),
		cmocka_unit_test(a_driver_that_polls_gets_no_interrupts),
		cmocka_unit_test(a_used_event_delays_the_interrupt),
		cmocka_unit_test(the_avail_event_asks_for_the_next_kick),
		cmocka_unit_test(a_reset_forgets_queues_and_features),
		cmocka_unit_test(a_reset_in_the_middle_of_a_request_lets_it_end_first),
		cmocka_unit_test(a_paused_device_touches_nothing_and_goes_on_afterwards),
		cmocka_unit_test(a_pause_in_the_middle_of_a_queue_loses_nothing),
		cmocka_unit_test(a_device_reset_while_paused_stays_still),
		cmocka_unit_test(the_configuration_is_read_at_any_width),
		cmocka_unit_test(a_write_beyond_the_configuration_is_lost),
		cmocka_unit_test(a_configuration_write_does_not_stall_a_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
