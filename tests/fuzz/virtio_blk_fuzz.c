/*
 * virtio-blk under any driver. The first input decides nothing about the disk: it is 32 KiB in memory, and
 * neither grows nor shrinks.
 */
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fuzz_driver.h"
#include "vmm/virtio/blk.h"

enum { DISK_BYTES = 64 * 512, DATA_MAX = 4096 };

static int disk;

static struct virtio_dev *create(const struct guest_memory *memory)
{
	static char id[] = "disk0", path[32];
	static struct disk_config config = { .id = id, .path = path };
	struct errmsg why = { 0 };
	struct virtio_dev *dev;

	disk = memfd_create("disk", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
	fuzz_claim(!ftruncate(disk, DISK_BYTES));
	fuzz_claim(!virtio_blk_create(&config, memory, &dev, &why));
	return dev;
}

/* Header, data either way, status: cut where the script says. */
static void request(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
					  VIRTIO_BLK_T_GET_ID };
	uint8_t kind = (uint8_t)fuzz_take(script, 1);
	struct virtio_blk_outhdr header = {
		.type = kind & 0x80 ? (uint32_t)fuzz_take(script, 4)
				    : types[kind % ARRAY_SIZE(types)],
		.sector = fuzz_take(script, kind & 0x40 ? 8 : 1),
	};
	uint32_t data = (uint32_t)fuzz_take(script, kind & 0x20 ? 2 : 1) * (kind & 0x10 ? 1 : 512) %
			DATA_MAX;
	uint32_t cut = 1 + (uint32_t)fuzz_take(script, 1) % (sizeof(header) - 1);
	uint64_t at = fuzz_driver_place(script, DATA_MAX + 64);
	bool is_in = header.type != VIRTIO_BLK_T_OUT;
	const struct ring_buffer buffers[] = {
		{ at, cut, false },
		{ at + cut, (uint32_t)sizeof(header) - cut, false },
		{ at + sizeof(header), data ? data : 1, is_in },
		{ at + 32 + data, 1, true },
	};

	memcpy(driver_at(&fuzz->driver, at), &header, sizeof(header));
	fuzz_driver_offer(fuzz, 0, buffers, ARRAY_SIZE(buffers));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct fuzz_driver fuzz = { .request = request };
	struct fuzz_script script = { bytes, n };
	struct stat status;

	if (!fuzz.device)
		fuzz_driver_start(&fuzz, create);
	fuzz_driver_run(&fuzz, &script);
	fuzz_claim(!fstat(disk, &status) && status.st_size == DISK_BYTES);
	return 0;
}
