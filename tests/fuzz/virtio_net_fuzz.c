/*
 * virtio-net under any driver, with frames of any length arriving meanwhile.
 */
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/fuzz_driver.h"
#include "vmm/virtio/net.h"

enum { RX, TX, FRAME_MAX = 2048 };

static int cable;

static struct virtio_dev *create(const struct guest_memory *memory)
{
	static char id[] = "net0";
	static struct net_config config = { .id = id, .mac = { 2 } };
	struct errmsg why = { 0 };
	struct virtio_dev *dev;
	int ends[2];

	fuzz_claim(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	cable = ends[1];
	fuzz_claim(!virtio_net_create_on(ends[0], &config, memory, &dev, &why));
	return dev;
}

/* A buffer to receive into, a frame to transmit, or a frame from the host. */
static void request(struct fuzz_driver *fuzz, struct fuzz_script *script)
{
	static const uint8_t frame[FRAME_MAX];
	uint8_t kind = (uint8_t)fuzz_take(script, 1);
	uint32_t bytes = 1 + (uint32_t)fuzz_take(script, 2) % FRAME_MAX;
	struct ring_buffer buffer = { fuzz_driver_place(script, bytes), bytes, kind % 3 == RX };

	if (kind % 3 == RX || kind % 3 == TX)
		fuzz_driver_offer(fuzz, kind % 3, &buffer, 1);
	else if (send(cable, frame, bytes, 0) < 0)
		return; /* the cable is full */
}

static void drain(void)
{
	uint8_t frame[FRAME_MAX];

	while (recv(cable, frame, sizeof(frame), 0) >= 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct fuzz_driver fuzz = { .request = request };
	struct fuzz_script script = { bytes, n };

	if (!fuzz.device)
		fuzz_driver_start(&fuzz, create);
	fuzz_driver_run(&fuzz, &script);
	drain();
	return 0;
}
