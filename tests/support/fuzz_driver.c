/*
 * A virtio driver that a fuzzer's input drives: see fuzz_driver.h.
 */
#include <string.h>

#include "tests/support/fuzz_driver.h"

enum {
	RINGS_AT = 0x10000,
	MEMORY_BAR_BYTES = 0x4000,
	CONFIG_ACCESS_BYTES = 0x110, /* a bit of extended space too */
};

void fuzz_driver_start(struct fuzz_driver *fuzz,
		       struct virtio_dev *(*create)(const struct guest_memory *memory))
{
	struct virtio_pci_host host;
	struct errmsg why = { 0 };
	int err;

	pci_bench_start(&fuzz->bench, DRIVER_MEMORY_BYTES);
	host = pci_bench_host(&fuzz->bench);
	err = virtio_pci_create(create(&fuzz->bench.memory), &host, FUZZ_SLOT, &fuzz->device, &why);
	fuzz_claim(!err);
	driver_attach(&fuzz->driver, &fuzz->bench, fuzz->device, FUZZ_SLOT);
}

uint64_t fuzz_driver_place(struct fuzz_script *script, uint32_t bytes)
{
	uint64_t offset = fuzz_take(script, 2);

	return FUZZ_BUFFERS_AT + offset % (FUZZ_BUFFERS_BYTES - bytes);
}

void fuzz_driver_offer(struct fuzz_driver *fuzz, uint16_t queue, const struct ring_buffer *buffers,
		       uint32_t count)
{
	struct ring *ring = &fuzz->driver.rings[queue];

	ring_offer(ring, ring_add(ring, buffers, count));
	driver_kick(&fuzz->driver, queue);
}

static struct ring *choose_ring(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	return &fuzz->driver.rings[fuzz_take(script, 1) % fuzz->device->dev->nr_queues];
}

/* An address that is often good, and otherwise bad in the ways that matter. */
static uint64_t take_address(struct fuzz_script *script)
{
	switch (fuzz_take(script, 1) % 6) {
	case 0:
		return fuzz_take(script, 8);
	case 1:
		return DRIVER_MEMORY_BYTES - fuzz_take(script, 1);
	case 2:
		return RINGS_AT + fuzz_take(script, 2);
	case 3:
		return -fuzz_take(script, 2);
	default:
		return fuzz_driver_place(script, 0);
	}
}

static void set_descriptor(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	struct ring *ring = choose_ring(fuzz, script);
	uint16_t index = (uint16_t)(fuzz_take(script, 1) % ring->size);
	uint64_t address = take_address(script);
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t bytes = (uint32_t)fuzz_take(script, how & 0x80 ? 4 : 2);

	ring_set_desc(ring, index, address, bytes, how & 7, (uint16_t)fuzz_take(script, 1));
}

static void spoil_memory(struct fuzz_script *script, const struct guest_memory *memory)
{
	uint64_t address = take_address(script);
	uint64_t value = fuzz_take(script, 8);

	if (memory_write(memory, gpa(address), &value, sizeof(value)))
		return;
}

static void touch_registers(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t size = 1u << (how & 3);
	uint64_t offset = fuzz_take(script, how & 8 ? 1 : 2) % (MEMORY_BAR_BYTES - size + 1);

	if (how & 4)
		bench_store(&fuzz->bench, fuzz->driver.common_at + offset, fuzz_take(script, size),
			    size);
	else
		(void)bench_load(&fuzz->bench, fuzz->driver.common_at + offset, size);
}

static void touch_configuration(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t size = 1u << (how & 1 ? 2 : how & 2 ? 1 : 0);
	uint32_t offset = (uint32_t)fuzz_take(script, 2) % (CONFIG_ACCESS_BYTES - size);

	if (how & 4)
		bench_config_write(&fuzz->bench, FUZZ_SLOT, offset,
				   (uint32_t)fuzz_take(script, size), size);
	else
		(void)bench_config_read(&fuzz->bench, FUZZ_SLOT, offset, size);
}

static void settle(struct fuzz_driver *fuzz)
{
	if (fuzz->device->dev->is_live)
		driver_settle(&fuzz->driver);
}

static void offer_head(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	struct ring *ring = choose_ring(fuzz, script);

	ring_offer(ring, (uint16_t)fuzz_take(script, 1));
}

static void step(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	switch (fuzz_take(script, 1) % 16) {
	case 0:
		set_descriptor(fuzz, script);
		break;
	case 1:
		offer_head(fuzz, script);
		break;
	case 2:
		driver_kick(&fuzz->driver, (uint16_t)fuzz_take(script, 1));
		break;
	case 3:
		settle(fuzz);
		break;
	case 4:
		spoil_memory(script, &fuzz->bench.memory);
		break;
	case 5:
		touch_registers(fuzz, script);
		break;
	case 6:
		touch_configuration(fuzz, script);
		break;
	case 7:
		ring_advance(choose_ring(fuzz, script), (uint16_t)fuzz_take(script, 2));
		break;
	case 8:
		driver_try_to_begin(&fuzz->driver, fuzz_take(script, 8));
		break;
	case 9:
		driver_reset(&fuzz->driver);
		break;
	case 10:
		driver_mask_vector(&fuzz->driver, (uint32_t)fuzz_take(script, 1),
				   fuzz_take(script, 1));
		break;
	default:
		fuzz->request(fuzz, script);
	}
}

static void begin(struct fuzz_driver *fuzz, uint64_t features)
{
	virtio_pci_reset(fuzz->device);
	memset(memory_at(&fuzz->bench.memory, gpa(FUZZ_BUFFERS_AT), FUZZ_BUFFERS_BYTES), 0,
	       FUZZ_BUFFERS_BYTES);
	/* What was not offered is not for a good driver to ask. */
	driver_begin(&fuzz->driver, features & driver_offered(&fuzz->driver));
}

void fuzz_driver_run(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	begin(fuzz, fuzz_take(script, 8));
	for (unsigned i = 0; i < FUZZ_STEPS_MAX && fuzz_has_more(script); i++)
		step(fuzz, script);
	settle(fuzz);

	/* Whatever happened, a reset of the machine makes all good again. */
	virtio_pci_reset(fuzz->device);
	fuzz_claim(driver_status(&fuzz->driver) == 0);
	fuzz_claim(driver_read(&fuzz->driver, VIRTIO_PCI_COMMON_NUMQ, 2) ==
		   fuzz->device->dev->nr_queues);
	fuzz_claim(message_count_routes(&fuzz->bench.messages) == 0);
	fuzz_claim(!fuzz->bench.intx.level);
}
