/*
 * virtio-net: frames both ways, with a socket in the tap's place. Whole messages go in and out of it, as
 * of a tap; what it can't do is be told of offloads.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/captured_stderr.h"
#include "tests/support/cmocka.h"
#include "tests/support/driver.h"
#include "vmm/virtio/net.h"

enum {
	SLOT = 2,
	RX = 0,
	TX = 1,
	HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	LONGEST_PLAIN = HEADER + ETH_FRAME_LEN + 4,
	LONGEST = HEADER + UINT16_MAX + ETH_HLEN + 4,
};

static const uint64_t MRG_RXBUF = UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF;
static const uint64_t GUEST_TSO = UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM |
				  UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4;

struct bench {
	struct pci_bench pci;
	struct net_config config;
	struct virtio_pci *device;
	struct driver driver;
	int cable; /* the host's end */
	struct captured_stderr stderr;
};

static char net_id[] = "net0";

static void plug(struct bench *bench)
{
	struct virtio_pci_host host;
	struct errmsg why = { 0 };
	struct virtio_dev *dev;
	int room = 1 << 20, ends[2];

	pci_bench_start(&bench->pci, DRIVER_MEMORY_BYTES);
	host = pci_bench_host(&bench->pci);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned i = 0; i < 2; i++)
		(void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	bench->cable = ends[1];
	assert_int_equal(
		virtio_net_create_on(ends[0], &bench->config, &bench->pci.memory, &dev, &why), 0);
	assert_int_equal(virtio_pci_create(dev, &host, SLOT, &bench->device, &why), 0);
	driver_attach(&bench->driver, &bench->pci, bench->device, SLOT);
}

static void prepare(struct bench *bench)
{
	*bench = (struct bench){ .config = { .id = net_id,
					     .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } } };
	capture_start(&bench->stderr);
	plug(bench);
}

static void start(struct bench *bench, uint64_t features)
{
	prepare(bench);
	driver_begin(&bench->driver, features);
}

static const char *stop(struct bench *bench)
{
	driver_detach(&bench->driver);
	virtio_pci_destroy(bench->device);
	if (bench->cable >= 0)
		close(bench->cable);
	pci_bench_stop(&bench->pci);
	return capture_stop(&bench->stderr);
}

static uint64_t counter(struct bench *bench, const char *name)
{
	const struct virtio_dev *dev = bench->device->dev;

	for (uint32_t i = 0; dev->ops->counters[i]; i++)
		if (!strcmp(dev->ops->counters[i], name))
			return __atomic_load_n(&dev->counters[i], __ATOMIC_RELAXED);
	fail();
	return 0;
}

/* --- the host's end of the cable --- */

static void fill(uint8_t *frame, size_t size, unsigned seed)
{
	memset(frame, 0, HEADER);
	for (size_t i = HEADER; i < size; i++)
		frame[i] = (uint8_t)((i * 3 + seed) % 251);
}

/* Puts a frame of @size bytes with its header on the cable. */
static void send_frame(struct bench *bench, uint32_t size, unsigned seed)
{
	static uint8_t frame[LONGEST];

	fill(frame, size, seed);
	assert_int_equal(send(bench->cable, frame, size, 0), size);
}

static ssize_t receive_frame(struct bench *bench, void *frame, size_t size)
{
	struct pollfd poll_fd = { .fd = bench->cable, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, DRIVER_PATIENCE_MS), 1);
	return recv(bench->cable, frame, size, 0);
}

static bool is_cable_silent(struct bench *bench)
{
	uint8_t byte;

	return recv(bench->cable, &byte, 1, 0) < 0 && errno == EAGAIN;
}

/* --- the driver's end --- */

/* Offers a buffer of @bytes for frames from the host; returns where it is. */
static uint64_t offer_buffer(struct bench *bench, uint32_t bytes)
{
	struct ring_buffer buffer = { driver_allocate(&bench->driver, bytes), bytes, true };

	ring_offer(&bench->driver.rings[RX], ring_add(&bench->driver.rings[RX], &buffer, 1));
	return buffer.at;
}

static void kick_rx(struct bench *bench)
{
	driver_kick(&bench->driver, RX);
}

/* Waits for a frame's first or next buffer; returns how many bytes it holds. */
static uint32_t await_buffer(struct bench *bench)
{
	struct vring_used_elem used;

	assert_true(ring_wait(&bench->driver.rings[RX], &used));
	return used.len;
}

static bool has_buffer(struct bench *bench)
{
	struct vring_used_elem used;

	driver_settle(&bench->driver);
	return ring_take(&bench->driver.rings[RX], &used);
}

static uint16_t num_buffers(struct bench *bench, uint64_t at)
{
	const struct virtio_net_hdr_mrg_rxbuf *header = driver_at(&bench->driver, at);

	return header->num_buffers;
}

static void assert_holds_frame(struct bench *bench, uint64_t at, uint32_t size, unsigned seed)
{
	static uint8_t expected[LONGEST];

	fill(expected, size, seed);
	assert_memory_equal((uint8_t *)driver_at(&bench->driver, at) + HEADER, expected + HEADER,
			    size - HEADER);
}

/* Transmits @size bytes in pieces of at most @cut, and waits until they are the device's no more. */
static void transmit(struct bench *bench, const uint8_t *bytes, uint32_t size, uint32_t cut)
{
	struct ring *ring = &bench->driver.rings[TX];
	uint64_t at = driver_allocate(&bench->driver, size);
	struct ring_buffer buffers[DRIVER_RING_SIZE];
	uint32_t count = 0;

	memcpy(driver_at(&bench->driver, at), bytes, size);
	for (uint32_t done = 0; done < size; done += cut) {
		uint32_t step = size - done < cut ? size - done : cut;

		buffers[count++] = (struct ring_buffer){ at + done, step, false };
	}
	ring_offer(ring, ring_add(ring, buffers, count));
	driver_kick(&bench->driver, TX);
}

static void await_transmitted(struct bench *bench)
{
	struct vring_used_elem used;

	assert_true(ring_wait(&bench->driver.rings[TX], &used));
	assert_int_equal(used.len, 0);
}

/* --- what it looks like --- */

static void its_configuration_has_the_mac_and_a_link(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = bench.driver.config_at;
	assert_int_equal(bench_load(&bench.pci, at, 4), 0x12005452);
	assert_int_equal(bench_load(&bench.pci, at + 4, 2), 0x5634);
	assert_int_equal(bench_load(&bench.pci, at + offsetof(struct virtio_net_config, status), 2),
			 VIRTIO_NET_S_LINK_UP);
	assert_false(driver_offered(&bench.driver) & VIRTIO_BIT(VIRTIO_NET_F_MTU));
	stop(&bench);
}

static void an_mtu_is_offered_when_there_is_one(void **state UNUSED)
{
	struct bench bench = { .config = { .id = net_id, .mtu = 9000 } };

	capture_start(&bench.stderr);
	plug(&bench);
	assert_true(driver_offered(&bench.driver) & VIRTIO_BIT(VIRTIO_NET_F_MTU));
	assert_int_equal(
		bench_load(&bench.pci,
			   bench.driver.config_at + offsetof(struct virtio_net_config, mtu), 2),
		9000);
	stop(&bench);
}

static void a_tap_without_offloads_is_only_a_line_in_the_log(void **state UNUSED)
{
	struct bench bench;

	start(&bench, GUEST_TSO);
	assert_false(driver_sees_failure(&bench.driver));
	assert_non_null(
		strstr(stop(&bench), "guest: net0: the tap refuses offloads; plain frames only\n"));
}

/* --- guest to host --- */

static void a_frame_goes_out_with_its_header(void **state UNUSED)
{
	uint8_t frame[HEADER + 60], got[sizeof(frame) + 1];
	struct bench bench;

	start(&bench, 0);
	fill(frame, sizeof(frame), 1);
	frame[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	transmit(&bench, frame, sizeof(frame), sizeof(frame));
	await_transmitted(&bench);
	assert_int_equal(receive_frame(&bench, got, sizeof(got)), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
	assert_int_equal(counter(&bench, "tx_frames"), 1);
	assert_int_equal(counter(&bench, "tx_bytes"), 60);
	assert_true(driver_take_interrupt(&bench.driver, driver_vector(&bench.driver, TX)));
	stop(&bench);
}

static void a_frame_may_be_cut_anywhere(void **state UNUSED)
{
	static const uint32_t cuts[] = { 7, 11, 12, 13, 25, 26 };
	uint8_t frame[HEADER + 200], got[sizeof(frame)];
	struct bench bench;

	start(&bench, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cuts); i++) {
		fill(frame, sizeof(frame), i);
		transmit(&bench, frame, sizeof(frame), cuts[i]);
		await_transmitted(&bench);
		assert_int_equal(receive_frame(&bench, got, sizeof(got)), sizeof(frame));
		assert_memory_equal(got, frame, sizeof(frame));
	}
	stop(&bench);
}

static void the_shortest_and_the_longest_frame_go_out(void **state UNUSED)
{
	static const uint32_t sizes[] = { HEADER + ETH_HLEN, LONGEST };
	static uint8_t frame[LONGEST], got[LONGEST];
	struct bench bench;

	start(&bench, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(frame, sizes[i], i);
		transmit(&bench, frame, sizes[i], sizes[i]);
		await_transmitted(&bench);
		assert_int_equal(receive_frame(&bench, got, sizeof(got)), sizes[i]);
		assert_memory_equal(got, frame, sizes[i]);
	}
	stop(&bench);
}

static void frames_of_impossible_length_fail_the_device(void **state UNUSED)
{
	static const uint32_t sizes[] = { 1, HEADER - 1, HEADER, HEADER + ETH_HLEN - 1,
					  LONGEST + 1 };
	static uint8_t frame[LONGEST + 1];
	struct bench bench;

	start(&bench, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		transmit(&bench, frame, sizes[i], sizes[i]);
		assert_true(driver_sees_failure(&bench.driver));
		assert_true(is_cable_silent(&bench));
		driver_begin(&bench.driver, 0);
	}
	stop(&bench);
}

static void what_the_host_does_not_take_is_dropped(void **state UNUSED)
{
	uint8_t frame[HEADER + 1000];
	struct bench bench;
	unsigned sent = 0;

	start(&bench, 0);
	fill(frame, sizeof(frame), 1);
	while (!counter(&bench, "tx_dropped")) {
		transmit(&bench, frame, sizeof(frame), sizeof(frame));
		await_transmitted(&bench);
		driver_settle(&bench.driver);
		bench.driver.next_free -= align_up(sizeof(frame), 64);
		assert_true(sent++ < 10000);
	}
	assert_int_equal(counter(&bench, "tx_frames"), sent - 1);
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

/* --- host to guest --- */

static void a_frame_comes_in_with_its_header(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 100, 1);
	assert_int_equal(await_buffer(&bench), HEADER + 100);
	assert_holds_frame(&bench, at, HEADER + 100, 1);
	assert_int_equal(num_buffers(&bench, at), 1);
	assert_true(driver_take_interrupt(&bench.driver, driver_vector(&bench.driver, RX)));
	assert_int_equal(counter(&bench, "rx_frames"), 1);
	assert_int_equal(counter(&bench, "rx_bytes"), 100);
	stop(&bench);
}

static void frames_come_in_order(void **state UNUSED)
{
	uint64_t at[40];
	struct bench bench;

	start(&bench, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		send_frame(&bench, HEADER + 60 + i, i);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(await_buffer(&bench), HEADER + 60 + i);
		assert_holds_frame(&bench, at[i], HEADER + 60 + i, i);
	}
	stop(&bench);
}

static void frames_that_came_early_wait_for_buffers(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	send_frame(&bench, HEADER + 64, 1);
	send_frame(&bench, HEADER + 65, 2);
	assert_false(has_buffer(&bench));
	at = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	assert_int_equal(await_buffer(&bench), HEADER + 64);
	assert_holds_frame(&bench, at, HEADER + 64, 1);
	assert_false(has_buffer(&bench));
	at = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	assert_int_equal(await_buffer(&bench), HEADER + 65);
	assert_holds_frame(&bench, at, HEADER + 65, 2);
	stop(&bench);
}

static void a_short_buffer_is_enough_for_a_short_frame(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = offer_buffer(&bench, HEADER + 60);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 3);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	assert_holds_frame(&bench, at, HEADER + 60, 3);
	assert_int_equal(num_buffers(&bench, at), 1);
	stop(&bench);
}

static void a_frame_too_long_for_the_only_buffer_is_dropped(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = offer_buffer(&bench, HEADER + 60);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 61, 4);
	send_frame(&bench, HEADER + 60, 5);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	assert_holds_frame(&bench, at, HEADER + 60, 5);
	assert_int_equal(counter(&bench, "rx_dropped"), 1);
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

static void without_mergeable_buffers_a_frame_uses_one(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	offer_buffer(&bench, HEADER + 60);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 200, 1);
	send_frame(&bench, HEADER + 60, 2);
	at = bench.driver.next_free;
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	assert_false(has_buffer(&bench));
	assert_int_equal(counter(&bench, "rx_dropped"), 1);
	assert_int_equal(at, bench.driver.next_free);
	stop(&bench);
}

static void a_long_frame_spans_mergeable_buffers(void **state UNUSED)
{
	uint8_t frame[HEADER + 1500], got[sizeof(frame)];
	uint64_t at[4];
	struct bench bench;
	uint32_t done = 0;

	start(&bench, MRG_RXBUF);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = offer_buffer(&bench, 500);
	kick_rx(&bench);
	send_frame(&bench, sizeof(frame), 6);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		uint32_t bytes = await_buffer(&bench);

		assert_int_equal(bytes, i < 3 ? 500 : sizeof(frame) - 1500);
		memcpy(got + done, driver_at(&bench.driver, at[i]), bytes);
		done += bytes;
	}
	fill(frame, sizeof(frame), 6);
	assert_memory_equal(got + HEADER, frame + HEADER, sizeof(frame) - HEADER);
	assert_int_equal(num_buffers(&bench, at[0]), 4);
	stop(&bench);
}

static void buffers_that_a_frame_does_not_need_serve_the_next(void **state UNUSED)
{
	uint64_t at[8];
	struct bench bench;

	start(&bench, MRG_RXBUF);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = offer_buffer(&bench, 500);
	kick_rx(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		send_frame(&bench, HEADER + 100, i);
		assert_int_equal(await_buffer(&bench), HEADER + 100);
		assert_holds_frame(&bench, at[i], HEADER + 100, i);
		assert_int_equal(num_buffers(&bench, at[i]), 1);
	}
	stop(&bench);
}

static void the_longest_frame_fits_into_mergeable_buffers(void **state UNUSED)
{
	struct bench bench;
	uint32_t total = 0;
	uint64_t first;

	start(&bench, MRG_RXBUF | GUEST_TSO);
	first = offer_buffer(&bench, 4096);
	for (unsigned i = 1; i < 17; i++)
		offer_buffer(&bench, 4096);
	kick_rx(&bench);
	send_frame(&bench, LONGEST, 7);
	while (total < LONGEST)
		total += await_buffer(&bench);
	assert_int_equal(total, LONGEST);
	assert_int_equal(num_buffers(&bench, first), 17);
	stop(&bench);
}

/* The first is longer than expected, the second isn't: they come in by different ways. */
static void long_frames_come_whole_expected_or_not(void **state UNUSED)
{
	static uint8_t frame[HEADER + 9000], got[sizeof(frame)];
	struct bench bench;

	start(&bench, MRG_RXBUF | GUEST_TSO);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t at[5];
		uint32_t done = 0;

		for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
			at[i] = offer_buffer(&bench, 2000);
		kick_rx(&bench);
		send_frame(&bench, sizeof(frame), round);
		for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
			uint32_t bytes = await_buffer(&bench);

			assert_true(bytes <= sizeof(got) - done);
			memcpy(got + done, driver_at(&bench.driver, at[i]), bytes);
			done += bytes;
		}
		assert_int_equal(done, sizeof(frame));
		fill(frame, sizeof(frame), round);
		assert_memory_equal(got + HEADER, frame + HEADER, sizeof(frame) - HEADER);
		assert_int_equal(num_buffers(&bench, at[0]), ARRAY_SIZE(at));
	}
	stop(&bench);
}

static void a_frame_waits_until_there_are_buffers_enough(void **state UNUSED)
{
	struct bench bench;
	uint64_t first;

	start(&bench, MRG_RXBUF);
	first = offer_buffer(&bench, 500);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 1200, 8);
	assert_false(has_buffer(&bench));
	offer_buffer(&bench, 500);
	kick_rx(&bench);
	assert_false(has_buffer(&bench));
	offer_buffer(&bench, 500);
	kick_rx(&bench);
	assert_int_equal(await_buffer(&bench), 500);
	assert_int_equal(await_buffer(&bench), 500);
	assert_int_equal(await_buffer(&bench), HEADER + 200);
	assert_int_equal(num_buffers(&bench, first), 3);
	stop(&bench);
}

static void the_header_itself_may_span_buffers(void **state UNUSED)
{
	uint8_t got[HEADER + 40], frame[sizeof(got)];
	uint64_t at[5];
	struct bench bench;

	start(&bench, MRG_RXBUF);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = offer_buffer(&bench, i < 4 ? 5 : LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, sizeof(got), 9);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		uint32_t bytes = await_buffer(&bench);

		assert_int_equal(bytes, i < 4 ? 5 : sizeof(got) - 20);
		memcpy(got + 5 * i, driver_at(&bench.driver, at[i]), bytes);
	}
	fill(frame, sizeof(frame), 9);
	assert_int_equal(got[10] | got[11] << 8, 5);
	assert_memory_equal(got + HEADER, frame + HEADER, sizeof(got) - HEADER);
	stop(&bench);
}

static void runts_from_the_host_are_not_delivered(void **state UNUSED)
{
	uint8_t runt[HEADER - 1] = { 0 };
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	assert_int_equal(send(bench.cable, runt, sizeof(runt), 0), sizeof(runt));
	send_frame(&bench, HEADER + 60, 1);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	assert_holds_frame(&bench, at, HEADER + 60, 1);
	stop(&bench);
}

static void a_receive_buffer_that_is_readable_fails_the_device(void **state UNUSED)
{
	struct ring_buffer buffer;
	struct bench bench;

	start(&bench, 0);
	buffer = (struct ring_buffer){ driver_allocate(&bench.driver, 2000), 2000, false };
	ring_offer(&bench.driver.rings[RX], ring_add(&bench.driver.rings[RX], &buffer, 1));
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 1);
	assert_true(driver_sees_failure(&bench.driver));
	stop(&bench);
}

static void a_broken_receive_queue_fails_the_device(void **state UNUSED)
{
	struct bench bench;

	start(&bench, MRG_RXBUF);
	offer_buffer(&bench, 100);
	ring_offer(&bench.driver.rings[RX], DRIVER_RING_SIZE);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 1);
	assert_true(driver_sees_failure(&bench.driver));
	driver_begin(&bench.driver, MRG_RXBUF);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 1);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	stop(&bench);
}

static void no_interrupt_comes_for_frames_that_the_driver_polls(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 0);
	bench.driver.rings[RX].avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 1);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	driver_settle(&bench.driver);
	assert_false(driver_has_interrupt(&bench.driver, driver_vector(&bench.driver, RX)));
	stop(&bench);
}

/* --- reset, failure, and the other end --- */

static void a_reset_drops_the_frame_that_waits(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, MRG_RXBUF);
	offer_buffer(&bench, 100);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 1000, 1);
	assert_false(has_buffer(&bench));
	driver_begin(&bench.driver, MRG_RXBUF);
	at = offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	send_frame(&bench, HEADER + 60, 2);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	assert_holds_frame(&bench, at, HEADER + 60, 2);
	stop(&bench);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Frames that nobody will fetch must not keep the worker busy. */
static void a_failed_device_costs_no_processor_time(void **state UNUSED)
{
	const struct timespec while_frames_wait = { .tv_nsec = 300 * 1000 * 1000 };
	uint8_t bad[HEADER] = { 0 };
	struct bench bench;
	uint64_t before;

	start(&bench, 0);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	driver_settle(&bench.driver);
	transmit(&bench, bad, sizeof(bad), sizeof(bad));
	assert_true(driver_sees_failure(&bench.driver));
	send_frame(&bench, HEADER + 60, 1);
	before = cpu_ns();
	nanosleep(&while_frames_wait, NULL);
	assert_true(cpu_ns() - before < 30u * 1000 * 1000);
	driver_begin(&bench.driver, 0);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	stop(&bench);
}

static void an_interface_that_is_gone_leaves_a_dead_cable(void **state UNUSED)
{
	uint8_t frame[HEADER + 60];
	struct bench bench;

	start(&bench, 0);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	close(bench.cable);
	bench.cable = -1;
	fill(frame, sizeof(frame), 1);
	transmit(&bench, frame, sizeof(frame), sizeof(frame));
	await_transmitted(&bench);
	assert_false(driver_sees_failure(&bench.driver));
	assert_false(has_buffer(&bench));
	driver_begin(&bench.driver, 0);
	kick_rx(&bench);
	assert_false(driver_sees_failure(&bench.driver));
	assert_non_null(strstr(stop(&bench),
			       "warning: net0: the host's interface is gone; the cable is dead\n"));
}

static void a_paused_card_leaves_frames_on_the_cable(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench, 0);
	offer_buffer(&bench, LONGEST_PLAIN);
	kick_rx(&bench);
	driver_settle(&bench.driver);
	virtio_dev_pause(bench.device->dev);
	send_frame(&bench, HEADER + 60, 1);
	assert_false(ring_take(&bench.driver.rings[RX], &used));
	virtio_dev_resume(bench.device->dev);
	assert_int_equal(await_buffer(&bench), HEADER + 60);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_configuration_has_the_mac_and_a_link),
		cmocka_unit_test(an_mtu_is_offered_when_there_is_one),
		cmocka_unit_test(a_tap_without_offloads_is_only_a_line_in_the_log),
		cmocka_unit_test(a_frame_goes_out_with_its_header),
		cmocka_unit_test(a_frame_may_be_cut_anywhere),
		cmocka_unit_test(the_shortest_and_the_longest_frame_go_out),
		cmocka_unit_test(frames_of_impossible_length_fail_the_device),
		cmocka_unit_test(what_the_host_does_not_take_is_dropped),
		cmocka_unit_test(a_frame_comes_in_with_its_header),
		cmocka_unit_test(frames_come_in_order),
		cmocka_unit_test(frames_that_came_early_wait_for_buffers),
		cmocka_unit_test(a_short_buffer_is_enough_for_a_short_frame),
		cmocka_unit_test(a_frame_too_long_for_the_only_buffer_is_dropped),
		cmocka_unit_test(without_mergeable_buffers_a_frame_uses_one),
		cmocka_unit_test(a_long_frame_spans_mergeable_buffers),
		cmocka_unit_test(buffers_that_a_frame_does_not_need_serve_the_next),
		cmocka_unit_test(the_longest_frame_fits_into_mergeable_buffers),
		cmocka_unit_test(long_frames_come_whole_expected_or_not),
		cmocka_unit_test(a_frame_waits_until_there_are_buffers_enough),
		cmocka_unit_test(the_header_itself_may_span_buffers),
		cmocka_unit_test(runts_from_the_host_are_not_delivered),
		cmocka_unit_test(a_receive_buffer_that_is_readable_fails_the_device),
		cmocka_unit_test(a_broken_receive_queue_fails_the_device),
		cmocka_unit_test(no_interrupt_comes_for_frames_that_the_driver_polls),
		cmocka_unit_test(a_reset_drops_the_frame_that_waits),
		cmocka_unit_test(a_failed_device_costs_no_processor_time),
		cmocka_unit_test(an_interface_that_is_gone_leaves_a_dead_cable),
		cmocka_unit_test(a_paused_card_leaves_frames_on_the_cable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
