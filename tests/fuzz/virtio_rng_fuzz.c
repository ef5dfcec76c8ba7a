/*
 * virtio-rng under any driver.
 */
#include <string.h>
#include <sys/random.h>

#include "tests/support/fuzz_driver.h"
#include "vmm/virtio/rng.h"

/* In place of the C library's: the same every time, and cheap. */
ssize_t getrandom(void *buffer, size_t size, unsigned flags UNUSED)
{
	memset(buffer, 0x5a, size);
	return (ssize_t)size;
}

static struct virtio_dev *create(const struct guest_memory *memory)
{
	struct errmsg why = { 0 };
	struct virtio_dev *dev;
	int err = virtio_rng_create("rng", memory, &dev, &why);

	fuzz_claim(!err);
	return dev;
}

static void request(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	uint32_t bytes = (uint32_t)fuzz_take(script, 1) + 1;
	const struct ring_buffer buffer = { fuzz_driver_place(script, bytes), bytes, true };

	fuzz_driver_offer(fuzz, 0, &buffer, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct fuzz_driver fuzz = { .request = request };
	struct fuzz_script script = { bytes, n };

	if (!fuzz.device)
		fuzz_driver_start(&fuzz, create);
	fuzz_driver_run(&fuzz, &script);
	return 0;
}
