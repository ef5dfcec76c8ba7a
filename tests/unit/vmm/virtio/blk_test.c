/*
 * virtio-blk: requests in every shape, and who may write what where.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "tests/support/driver.h"
#include "tests/support/scratch_file.h"
#include "vmm/virtio/blk.h"

enum {
	SLOT = 1,
	SECTOR = 512,
	SECTORS = 64,
	NOT_ANSWERED = 0xee, /* no status that a device gives */
	PIECES_MAX = 60,
};

static const uint64_t FLUSH = UINT64_C(1) << VIRTIO_BLK_F_FLUSH;

/* --- the host's side of flushing --- */

static unsigned syncs;
static int sync_error;

/* In place of the C library's: what reaches the medium can't be seen otherwise. */
int fdatasync(int fd UNUSED)
{
	syncs++;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

/* --- the bench --- */

struct bench {
	struct pci_bench pci;
	struct scratch_file file;
	struct disk_config config;
	struct virtio_pci *device;
	struct driver driver;
};

static char disk_id[] = "disk0";

static void prepare(struct bench *bench)
{
	*bench = (struct bench){ 0 };
	syncs = 0;
	sync_error = 0;
	pci_bench_start(&bench->pci, DRIVER_MEMORY_BYTES);
	scratch_create(&bench->file, SECTORS * SECTOR);
	bench->config = (struct disk_config){ .id = disk_id, .path = bench->file.path };
}

static void plug(struct bench *bench)
{
	struct virtio_pci_host host = pci_bench_host(&bench->pci);
	struct errmsg why = { 0 };
	struct virtio_dev *dev;

	assert_int_equal(virtio_blk_create(&bench->config, &bench->pci.memory, &dev, &why), 0);
	assert_int_equal(virtio_pci_create(dev, &host, SLOT, &bench->device, &why), 0);
	driver_attach(&bench->driver, &bench->pci, bench->device, SLOT);
}

static void start(struct bench *bench, uint64_t features)
{
	prepare(bench);
	plug(bench);
	driver_begin(&bench->driver, features);
}

static void stop(struct bench *bench)
{
	driver_detach(&bench->driver);
	virtio_pci_destroy(bench->device);
	scratch_remove(&bench->file);
	pci_bench_stop(&bench->pci);
}

static uint64_t counter(struct bench *bench, const char *name)
{
	const struct virtio_dev *dev = bench->device->dev;

	for (uint32_t i = 0; dev->ops->counters[i]; i++)
		if (!strcmp(dev->ops->counters[i], name))
			return dev->counters[i];
	fail();
	return 0;
}

/* --- requests --- */

struct request {
	uint32_t type;
	uint64_t sector;
	const void *out; /* data to the device */
	uint32_t out_bytes;
	uint32_t in_bytes;   /* room for data from the device */
	uint32_t cut;	     /* buffers of at most so many bytes; 0: as few as can be */
	void *in;	     /* filled with what came back, if not NULL */
	uint32_t used_bytes; /* filled: what the device says it has written */
};

/* Cuts [at, at + bytes) into buffers. */
static uint32_t add_pieces(struct ring_buffer *buffers, uint32_t count, uint64_t at, uint32_t bytes,
			   uint32_t cut, bool is_in)
{
	while (bytes) {
		uint32_t step = cut && cut < bytes ? cut : bytes;

		assert_true(count < PIECES_MAX);
		buffers[count++] = (struct ring_buffer){ at, step, is_in };
		at += step;
		bytes -= step;
	}
	return count;
}

/* Carries a request out and returns its status. */
static uint8_t carry_out(struct bench *bench, struct request *request)
{
	struct driver *driver = &bench->driver;
	struct ring *ring = &driver->rings[0];
	struct virtio_blk_outhdr header = { .type = request->type, .sector = request->sector };
	uint32_t out_bytes = (uint32_t)sizeof(header) + request->out_bytes;
	uint64_t out = driver_allocate(driver, out_bytes);
	uint64_t in = driver_allocate(driver, request->in_bytes + 1);
	struct ring_buffer buffers[PIECES_MAX];
	struct vring_used_elem used;
	uint8_t *answer = driver_at(driver, in);
	uint32_t count;

	memcpy(driver_at(driver, out), &header, sizeof(header));
	if (request->out_bytes)
		memcpy((char *)driver_at(driver, out) + sizeof(header), request->out,
		       request->out_bytes);
	answer[request->in_bytes] = NOT_ANSWERED;
	count = add_pieces(buffers, 0, out, out_bytes, request->cut, false);
	count = add_pieces(buffers, count, in, request->in_bytes + 1, request->cut, true);
	ring_offer(ring, ring_add(ring, buffers, count));
	driver_kick(driver, 0);
	assert_true(ring_wait(ring, &used));
	request->used_bytes = used.len;
	if (request->in)
		memcpy(request->in, answer, request->in_bytes);
	return answer[request->in_bytes];
}

static uint8_t read_sectors(struct bench *bench, uint64_t sector, uint32_t bytes, void *into)
{
	struct request request = {
		.type = VIRTIO_BLK_T_IN, .sector = sector, .in_bytes = bytes, .in = into
	};

	return carry_out(bench, &request);
}

static uint8_t write_sectors(struct bench *bench, uint64_t sector, const void *data, uint32_t bytes)
{
	struct request request = {
		.type = VIRTIO_BLK_T_OUT, .sector = sector, .out = data, .out_bytes = bytes
	};

	return carry_out(bench, &request);
}

static uint8_t flush(struct bench *bench)
{
	struct request request = { .type = VIRTIO_BLK_T_FLUSH };

	return carry_out(bench, &request);
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((i * 7 + seed) % 251);
}

/* --- what it looks like --- */

static void its_configuration_describes_the_disk(void **state UNUSED)
{
	struct bench bench;
	uint64_t at;

	start(&bench, 0);
	at = bench.driver.config_at;
	assert_int_equal(bench_load(&bench.pci, at, 8), SECTORS);
	assert_int_equal(bench_load(&bench.pci, at + offsetof(struct virtio_blk_config, seg_max),
				    4),
			 512 - 2);
	assert_int_equal(bench_load(&bench.pci, at + offsetof(struct virtio_blk_config, size_max),
				    4),
			 1 << 20);
	assert_int_equal(bench_load(&bench.pci, at + offsetof(struct virtio_blk_config, blk_size),
				    4),
			 SECTOR);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_CLASS_REVISION, 4) >> 8, 0x010000);
	assert_false(driver_offered(&bench.driver) & VIRTIO_BIT(VIRTIO_BLK_F_RO));
	assert_true(driver_offered(&bench.driver) & FLUSH);
	stop(&bench);
}

static void a_part_sector_at_the_end_is_not_the_guests(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench);
	assert_int_equal(ftruncate(bench.file.fd, 3 * SECTOR + 100), 0);
	plug(&bench);
	assert_int_equal(bench_load(&bench.pci, bench.driver.config_at, 8), 3);
	stop(&bench);
}

/* --- reads and writes --- */

static void what_is_on_the_disk_is_read(void **state UNUSED)
{
	uint8_t data[3 * SECTOR], got[sizeof(data)];
	struct bench bench;

	start(&bench, FLUSH);
	fill(data, sizeof(data), 1);
	scratch_write(&bench.file, 5 * SECTOR, data, sizeof(data));
	assert_int_equal(read_sectors(&bench, 5, sizeof(got), got), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(counter(&bench, "reads"), 1);
	assert_int_equal(counter(&bench, "read_bytes"), sizeof(data));
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE));
	stop(&bench);
}

static void what_is_written_is_on_the_disk(void **state UNUSED)
{
	uint8_t data[2 * SECTOR], got[sizeof(data)];
	struct bench bench;

	start(&bench, FLUSH);
	fill(data, sizeof(data), 2);
	assert_int_equal(write_sectors(&bench, SECTORS - 2, data, sizeof(data)), VIRTIO_BLK_S_OK);
	scratch_read(&bench.file, (SECTORS - 2) * SECTOR, got, sizeof(got));
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(counter(&bench, "writes"), 1);
	assert_int_equal(counter(&bench, "written_bytes"), sizeof(data));
	stop(&bench);
}

static void a_request_may_be_cut_anywhere(void **state UNUSED)
{
	static const uint32_t cuts[] = { 11, 15, 16, 17, 100, 511, 512, 513 };
	uint8_t data[SECTOR], got[SECTOR];
	struct bench bench;

	start(&bench, FLUSH);
	for (unsigned i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct request put = { .type = VIRTIO_BLK_T_OUT,
				       .sector = i,
				       .out = data,
				       .out_bytes = sizeof(data),
				       .cut = cuts[i] };
		struct request take = { .type = VIRTIO_BLK_T_IN,
					.sector = i,
					.in = got,
					.in_bytes = sizeof(got),
					.cut = cuts[i] };

		fill(data, sizeof(data), i);
		assert_int_equal(carry_out(&bench, &put), VIRTIO_BLK_S_OK);
		assert_int_equal(carry_out(&bench, &take), VIRTIO_BLK_S_OK);
		assert_memory_equal(got, data, sizeof(data));
	}
	stop(&bench);
}

static void the_used_length_covers_data_and_status(void **state UNUSED)
{
	struct request read = { .type = VIRTIO_BLK_T_IN, .in_bytes = 2 * SECTOR };
	struct request write = { .type = VIRTIO_BLK_T_FLUSH };
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(carry_out(&bench, &read), VIRTIO_BLK_S_OK);
	assert_int_equal(read.used_bytes, 2 * SECTOR + 1);
	assert_int_equal(carry_out(&bench, &write), VIRTIO_BLK_S_OK);
	assert_int_equal(write.used_bytes, 1);
	stop(&bench);
}

static void an_empty_transfer_is_fine(void **state UNUSED)
{
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(read_sectors(&bench, 0, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(read_sectors(&bench, SECTORS, 0, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(write_sectors(&bench, SECTORS, NULL, 0), VIRTIO_BLK_S_OK);
	stop(&bench);
}

static void sectors_out_of_range_fail_and_change_nothing(void **state UNUSED)
{
	static const struct {
		uint64_t sector;
		uint32_t sectors;
	} bad[] = {
		{ SECTORS, 1 },
		{ SECTORS - 1, 2 },
		{ SECTORS + 1, 0 },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX / SECTOR, 1 },
		{ UINT64_MAX / SECTOR + 1, 1 }, /* whose offset in bytes would wrap to 0 */
		{ UINT64_C(1) << 63, 1 },
	};
	uint8_t data[2 * SECTOR], got[sizeof(data)];
	struct bench bench;

	start(&bench, FLUSH);
	fill(data, sizeof(data), 3);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t bytes = bad[i].sectors * SECTOR;

		assert_int_equal(read_sectors(&bench, bad[i].sector, bytes, NULL),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(write_sectors(&bench, bad[i].sector, data, bytes),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(lseek(bench.file.fd, 0, SEEK_END), SECTORS * SECTOR);
	scratch_read(&bench.file, 0, got, sizeof(got));
	memset(data, 0, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(counter(&bench, "errors"), 2 * ARRAY_SIZE(bad));
	assert_int_equal(counter(&bench, "reads") + counter(&bench, "writes"), 0);
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

static void odd_lengths_fail(void **state UNUSED)
{
	static const uint32_t lengths[] = { 1, 511, 513, 1000 };
	uint8_t data[1024] = { 0 };
	struct bench bench;

	start(&bench, FLUSH);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_int_equal(read_sectors(&bench, 0, lengths[i], NULL), VIRTIO_BLK_S_IOERR);
		assert_int_equal(write_sectors(&bench, 0, data, lengths[i]), VIRTIO_BLK_S_IOERR);
	}
	stop(&bench);
}

static void a_failed_read_claims_no_data(void **state UNUSED)
{
	struct request request = { .type = VIRTIO_BLK_T_IN, .sector = SECTORS, .in_bytes = SECTOR };
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request.used_bytes, 1);
	stop(&bench);
}

static void a_file_that_has_shrunk_is_an_error_of_the_request(void **state UNUSED)
{
	uint8_t got[SECTOR];
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(ftruncate(bench.file.fd, 10 * SECTOR), 0);
	assert_int_equal(read_sectors(&bench, 20, sizeof(got), got), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_sectors(&bench, 9, sizeof(got), got), VIRTIO_BLK_S_OK);
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

/* --- flushing --- */

static void with_the_flush_feature_the_driver_says_when(void **state UNUSED)
{
	uint8_t data[SECTOR] = { 1 };
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(write_sectors(&bench, 0, data, sizeof(data)), VIRTIO_BLK_S_OK);
	assert_int_equal(syncs, 0);
	assert_int_equal(flush(&bench), VIRTIO_BLK_S_OK);
	assert_int_equal(syncs, 1);
	assert_int_equal(counter(&bench, "flushes"), 1);
	stop(&bench);
}

static void without_the_flush_feature_every_write_is_flushed(void **state UNUSED)
{
	uint8_t data[SECTOR] = { 1 };
	struct bench bench;

	start(&bench, 0);
	assert_int_equal(write_sectors(&bench, 0, data, sizeof(data)), VIRTIO_BLK_S_OK);
	assert_int_equal(write_sectors(&bench, 1, data, sizeof(data)), VIRTIO_BLK_S_OK);
	assert_int_equal(syncs, 2);
	assert_int_equal(read_sectors(&bench, 1, sizeof(data), data), VIRTIO_BLK_S_OK);
	assert_int_equal(syncs, 2);
	stop(&bench);
}

static void a_failed_flush_is_said(void **state UNUSED)
{
	uint8_t data[SECTOR] = { 1 };
	struct bench bench;

	start(&bench, FLUSH);
	sync_error = EIO;
	assert_int_equal(flush(&bench), VIRTIO_BLK_S_IOERR);
	driver_begin(&bench.driver, 0);
	assert_int_equal(write_sectors(&bench, 0, data, sizeof(data)), VIRTIO_BLK_S_IOERR);
	stop(&bench);
}

/* --- read-only disks --- */

static void a_read_only_disk_says_so_and_takes_no_write(void **state UNUSED)
{
	uint8_t data[SECTOR], got[SECTOR];
	struct bench bench;

	prepare(&bench);
	bench.config.readonly = true;
	fill(data, sizeof(data), 4);
	scratch_write(&bench.file, 0, data, sizeof(data));
	plug(&bench);
	assert_true(driver_offered(&bench.driver) & VIRTIO_BIT(VIRTIO_BLK_F_RO));
	driver_begin(&bench.driver, FLUSH); /* RO not accepted: nothing changes by that */
	memset(got, 0, sizeof(got));
	assert_int_equal(write_sectors(&bench, 0, got, sizeof(got)), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_sectors(&bench, 0, sizeof(got), got), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(flush(&bench), VIRTIO_BLK_S_OK);
	assert_int_equal(syncs, 0);
	stop(&bench);
}

/* --- other requests --- */

static void its_serial_number_is_padded_with_zeroes(void **state UNUSED)
{
	static const char expected[VIRTIO_BLK_ID_BYTES] = "WD-1234";
	char got[VIRTIO_BLK_ID_BYTES];
	struct request request = { .type = VIRTIO_BLK_T_GET_ID,
				   .in_bytes = sizeof(got),
				   .in = got };
	char serial[] = "WD-1234";
	struct bench bench;

	prepare(&bench);
	bench.config.serial = serial;
	plug(&bench);
	driver_begin(&bench.driver, FLUSH);
	assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, expected, sizeof(got));
	stop(&bench);
}

static void a_serial_number_of_full_length_has_no_end_mark(void **state UNUSED)
{
	char got[VIRTIO_BLK_ID_BYTES];
	struct request request = { .type = VIRTIO_BLK_T_GET_ID,
				   .in_bytes = sizeof(got),
				   .in = got };
	char serial[] = "01234567890123456789";
	struct bench bench;

	prepare(&bench);
	bench.config.serial = serial;
	plug(&bench);
	driver_begin(&bench.driver, FLUSH);
	assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, "01234567890123456789", sizeof(got));
	stop(&bench);
}

static void without_a_serial_number_its_id_serves(void **state UNUSED)
{
	char got[VIRTIO_BLK_ID_BYTES];
	struct request request = { .type = VIRTIO_BLK_T_GET_ID,
				   .in_bytes = sizeof(got),
				   .in = got };
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_OK);
	assert_string_equal(got, "disk0");
	stop(&bench);
}

static void a_short_buffer_gets_the_start_of_the_serial_number(void **state UNUSED)
{
	char got[3];
	struct request request = { .type = VIRTIO_BLK_T_GET_ID,
				   .in_bytes = sizeof(got),
				   .in = got };
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, "dis", sizeof(got));
	stop(&bench);
}

static void unknown_requests_are_unsupported(void **state UNUSED)
{
	static const uint32_t types[] = { 2,
					  3,
					  5,
					  7,
					  VIRTIO_BLK_T_DISCARD,
					  VIRTIO_BLK_T_WRITE_ZEROES,
					  VIRTIO_BLK_T_SECURE_ERASE,
					  0x80000000,
					  UINT32_MAX };
	struct bench bench;

	start(&bench, FLUSH);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct request request = { .type = types[i], .in_bytes = SECTOR };

		assert_int_equal(carry_out(&bench, &request), VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(request.used_bytes, 1);
	}
	assert_false(driver_sees_failure(&bench.driver));
	stop(&bench);
}

/* --- what isn't a request --- */

static void assert_fails(struct bench *bench, const struct ring_buffer *buffers, uint32_t count)
{
	struct ring *ring = &bench->driver.rings[0];

	ring_offer(ring, ring_add(ring, buffers, count));
	driver_kick(&bench->driver, 0);
	assert_true(driver_sees_failure(&bench->driver));
	driver_begin(&bench->driver, FLUSH);
	assert_int_equal(flush(bench), VIRTIO_BLK_S_OK);
}

static void a_chain_without_a_status_byte_fails_the_device(void **state UNUSED)
{
	struct ring_buffer only_out;
	struct bench bench;

	start(&bench, FLUSH);
	only_out = (struct ring_buffer){ driver_allocate(&bench.driver, SECTOR), SECTOR, false };
	assert_fails(&bench, &only_out, 1);
	stop(&bench);
}

static void a_chain_without_a_whole_header_fails_the_device(void **state UNUSED)
{
	struct ring_buffer buffers[2];
	struct bench bench;

	start(&bench, FLUSH);
	buffers[0] = (struct ring_buffer){ driver_allocate(&bench.driver, 16), 15, false };
	buffers[1] = (struct ring_buffer){ driver_allocate(&bench.driver, SECTOR), SECTOR, true };
	assert_fails(&bench, buffers, 2);
	assert_fails(&bench, buffers + 1, 1);
	stop(&bench);
}

/* The disk and the memory are large enough: it is for those who wait for the device that it is refused. */
static void a_request_that_would_take_too_long_is_refused(void **state UNUSED)
{
	const uint32_t mib = 1 << 20;
	struct ring_buffer buffers[2];
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	struct vring_used_elem used;
	struct bench bench;

	prepare(&bench);
	assert_int_equal(ftruncate(bench.file.fd, 128 * mib), 0);
	memory_destroy(&bench.pci.memory);
	assert_int_equal(
		memory_create(UINT64_C(128) * mib, &bench.pci.memory, &(struct errmsg){ 0 }), 0);
	plug(&bench);
	driver_begin(&bench.driver, FLUSH);
	buffers[0] = (struct ring_buffer){ driver_allocate(&bench.driver, 16), 16, false };
	buffers[1] = (struct ring_buffer){ 4 * mib, 64 * mib + SECTOR + 1, true };
	memcpy(driver_at(&bench.driver, buffers[0].at), &header, sizeof(header));
	ring_offer(&bench.driver.rings[0], ring_add(&bench.driver.rings[0], buffers, 2));
	driver_kick(&bench.driver, 0);
	assert_true(ring_wait(&bench.driver.rings[0], &used));
	assert_int_equal(*(uint8_t *)driver_at(&bench.driver, buffers[1].at + buffers[1].bytes - 1),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(counter(&bench, "reads"), 0);
	stop(&bench);
}

/* 64 buffers of 1 MiB over the same memory would be fine; 4 GiB of them say nothing a used length could. */
static void a_chain_of_more_than_4_gib_fails_the_device(void **state UNUSED)
{
	uint32_t mib = 1 << 20;
	struct vring_desc *table;
	struct bench bench;
	uint64_t at, table_at;

	prepare(&bench);
	memory_destroy(&bench.pci.memory);
	assert_int_equal(
		memory_create(UINT64_C(128) * mib, &bench.pci.memory, &(struct errmsg){ 0 }), 0);
	plug(&bench);
	driver_begin(&bench.driver, FLUSH);
	at = driver_allocate(&bench.driver, 16);
	table_at = driver_allocate(&bench.driver, 64 * 16);
	table = driver_at(&bench.driver, table_at);
	table[0] = (struct vring_desc){ at, 16, VRING_DESC_F_NEXT, 1 };
	for (uint16_t i = 1; i < 64; i++)
		table[i] = (struct vring_desc){ 4 * mib, 100 * mib,
						(uint16_t)(VRING_DESC_F_WRITE |
							   (i < 63 ? VRING_DESC_F_NEXT : 0)),
						(uint16_t)(i + 1) };
	ring_set_desc(&bench.driver.rings[0], 0, table_at, 64 * 16, VRING_DESC_F_INDIRECT, 0);
	ring_offer(&bench.driver.rings[0], 0);
	driver_kick(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	stop(&bench);
}

/* --- direct I/O --- */

static void direct_io_takes_buffers_at_any_address(void **state UNUSED)
{
	uint8_t data[4096], got[4096];
	struct request put, take;
	struct bench bench;

	prepare(&bench);
	bench.config.direct = true;
	plug(&bench);
	driver_begin(&bench.driver, FLUSH);
	fill(data, sizeof(data), 5);
	put = (struct request){ .type = VIRTIO_BLK_T_OUT,
				.sector = 8,
				.out = data,
				.out_bytes = sizeof(data),
				.cut = 999 };
	take = (struct request){
		.type = VIRTIO_BLK_T_IN, .sector = 8, .in = got, .in_bytes = sizeof(got), .cut = 777
	};
	assert_int_equal(carry_out(&bench, &put), VIRTIO_BLK_S_OK);
	assert_int_equal(carry_out(&bench, &take), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(
		bench_load(&bench.pci,
			   bench.driver.config_at + offsetof(struct virtio_blk_config, blk_size),
			   4),
		4096);
	stop(&bench);
}

/* --- coming and going --- */

static void a_machine_reset_loses_no_disk(void **state UNUSED)
{
	uint8_t data[SECTOR], got[SECTOR];
	struct bench bench;

	start(&bench, FLUSH);
	fill(data, sizeof(data), 6);
	assert_int_equal(write_sectors(&bench, 1, data, sizeof(data)), VIRTIO_BLK_S_OK);
	virtio_pci_reset(bench.device);
	driver_begin(&bench.driver, FLUSH);
	assert_int_equal(read_sectors(&bench, 1, sizeof(got), got), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, data, sizeof(data));
	stop(&bench);
}

static void a_disk_in_use_is_not_opened_again(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct virtio_dev *dev;
	struct bench bench;

	start(&bench, FLUSH);
	assert_int_equal(virtio_blk_create(&bench.config, &bench.pci.memory, &dev, &why), -EBUSY);
	assert_int_equal(why.blame, BLAME_USER);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_configuration_describes_the_disk),
		cmocka_unit_test(a_part_sector_at_the_end_is_not_the_guests),
		cmocka_unit_test(what_is_on_the_disk_is_read),
		cmocka_unit_test(what_is_written_is_on_the_disk),
		cmocka_unit_test(a_request_may_be_cut_anywhere),
		cmocka_unit_test(the_used_length_covers_data_and_status),
		cmocka_unit_test(an_empty_transfer_is_fine),
		cmocka_unit_test(sectors_out_of_range_fail_and_change_nothing),
		cmocka_unit_test(odd_lengths_fail),
		cmocka_unit_test(a_failed_read_claims_no_data),
		cmocka_unit_test(a_file_that_has_shrunk_is_an_error_of_the_request),
		cmocka_unit_test(with_the_flush_feature_the_driver_says_when),
		cmocka_unit_test(without_the_flush_feature_every_write_is_flushed),
		cmocka_unit_test(a_failed_flush_is_said),
		cmocka_unit_test(a_read_only_disk_says_so_and_takes_no_write),
		cmocka_unit_test(its_serial_number_is_padded_with_zeroes),
		cmocka_unit_test(a_serial_number_of_full_length_has_no_end_mark),
		cmocka_unit_test(without_a_serial_number_its_id_serves),
		cmocka_unit_test(a_short_buffer_gets_the_start_of_the_serial_number),
		cmocka_unit_test(unknown_requests_are_unsupported),
		cmocka_unit_test(a_chain_without_a_status_byte_fails_the_device),
		cmocka_unit_test(a_chain_without_a_whole_header_fails_the_device),
		cmocka_unit_test(a_request_that_would_take_too_long_is_refused),
		cmocka_unit_test(a_chain_of_more_than_4_gib_fails_the_device),
		cmocka_unit_test(direct_io_takes_buffers_at_any_address),
		cmocka_unit_test(a_machine_reset_loses_no_disk),
		cmocka_unit_test(a_disk_in_use_is_not_opened_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
