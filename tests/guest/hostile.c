/*
 * A guest that does everything wrong. Words of the command line choose what; without any, all in a row:
 *
 *   chains   descriptor chains that loop, lie outside memory, wrap, have no end
 *   resets   resets the device in the middle of its work
 *   msix     points the messages of interrupts anywhere
 *   bars     puts BARs over RAM, over each other, over the chipset
 *   ports    writes to every port
 *
 * After each of them every device must work, once it has been reset.
 */
#include "tests/guest/payload.h"

enum { SECTOR = 512, BLK_IN = 0, BLK_OUT = 1, BLK_OK = 0, BLK_IOERR = 1 };

static struct queue queue;
static uint8_t buffer[64 * 1024] __attribute__((aligned(4096)));

static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static volatile uint8_t blk_status;

static void set_desc(uint16_t index, uint64_t address, uint32_t length, uint16_t flags,
		     uint16_t next)
{
	queue.desc[index] = (struct desc){ address, length, flags, next };
}

/* A request that is right, from descriptor @first on. */
static void make_blk_request(uint16_t first, uint32_t type, uint64_t sector, uint32_t bytes)
{
	header.type = type;
	header.sector = sector;
	blk_status = 0xff;
	set_desc(first, (uintptr_t)&header, sizeof(header), DESC_NEXT, (uint16_t)(first + 1));
	set_desc((uint16_t)(first + 1), (uintptr_t)buffer, bytes,
		 DESC_NEXT | (type == BLK_IN ? DESC_WRITE : 0), (uint16_t)(first + 2));
	set_desc((uint16_t)(first + 2), (uintptr_t)&blk_status, 1, DESC_WRITE, 0);
}

static bool blk_works(const struct virtio *device)
{
	virtio_start(device, &queue);
	make_blk_request(0, BLK_IN, 0, SECTOR);
	virtio_offer(device, &queue, 0);
	return virtio_wait(device, &queue, 1) && blk_status == BLK_OK;
}

static bool rng_works(const struct virtio *device)
{
	virtio_start(device, &queue);
	set_desc(0, (uintptr_t)buffer, 64, DESC_WRITE, 0);
	virtio_offer(device, &queue, 0);
	return virtio_wait(device, &queue, 1) && queue.used.ring[0].length > 0;
}

static bool net_works(const struct virtio *device)
{
	virtio_start(device, &queue);
	return virtio_status(device) & STATUS_DRIVER_OK &&
	       !(virtio_status(device) & STATUS_NEEDS_RESET);
}

static bool works(const struct virtio *device)
{
	switch (device->type) {
	case VIRTIO_BLK:
		return blk_works(device);
	case VIRTIO_RNG:
		return rng_works(device);
	default:
		return net_works(device);
	}
}

static void check_all(const char *after)
{
	struct virtio device;

	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
		if (virtio_find(slot, &device)) {
			print("slot ");
			print_hex(slot);
			print(" ");
			report(works(&device), after);
		}
}

/* ---- chains ---- */

static void chain_loop(void)
{
	set_desc(0, (uintptr_t)buffer, 16, DESC_NEXT, 1);
	set_desc(1, (uintptr_t)buffer, 16, DESC_NEXT, 0);
}

static void chain_loop_on_itself(void)
{
	set_desc(0, (uintptr_t)buffer, 16, DESC_NEXT | DESC_WRITE, 0);
}

static void chain_out_of_range(void)
{
	set_desc(0, (uintptr_t)buffer, 16, DESC_NEXT, 60000);
}

static void chain_outside_memory(void)
{
	set_desc(0, 0xfee00000, 4096, DESC_WRITE, 0);
}

static void chain_into_the_hole(void)
{
	set_desc(0, 0xbffff000, 0x10000, DESC_WRITE, 0);
}

static void chain_that_wraps(void)
{
	set_desc(0, ~0ull - 15, 64, DESC_WRITE, 0);
}

static void chain_of_the_longest(void)
{
	set_desc(0, 0, UINT32_MAX, DESC_WRITE, 0);
}

static void chain_of_nothing(void)
{
	set_desc(0, (uintptr_t)buffer, 0, 0, 0);
}

static void chain_indirect_in_indirect(void)
{
	struct desc *table = (struct desc *)buffer;

	table[0] = (struct desc){ (uintptr_t)table, 32, DESC_INDIRECT | DESC_NEXT, 0 };
	set_desc(0, (uintptr_t)table, 32, DESC_INDIRECT, 0);
}

static void chain_only_a_header(void)
{
	set_desc(0, (uintptr_t)&header, sizeof(header), 0, 0);
}

/* Asks to read the disk over the virtqueue itself. */
static void chain_over_the_queue(void)
{
	make_blk_request(0, BLK_IN, 0, sizeof(queue) & ~511u);
	queue.desc[1].address = (uintptr_t)&queue;
}

static void (*const chains[])(void) = {
	chain_loop,	      chain_loop_on_itself, chain_out_of_range,
	chain_outside_memory, chain_into_the_hole,  chain_that_wraps,
	chain_of_the_longest, chain_of_nothing,	    chain_indirect_in_indirect,
	chain_only_a_header,  chain_over_the_queue,
};

static void misuse_queue(const struct virtio *device)
{
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		virtio_start(device, &queue);
		chains[i]();
		virtio_offer(device, &queue, 0);
		(void)virtio_wait(device, &queue, 1);
	}
	/* A head that doesn't exist, and more chains than the queue has. */
	virtio_start(device, &queue);
	virtio_offer(device, &queue, 9999);
	virtio_start(device, &queue);
	queue.avail.index = 30000;
	outw((uint16_t)device->notify_port, 0);
	(void)virtio_wait(device, &queue, 30000);
	/* Rings that lie nowhere. */
	virtio_start(device, (struct queue *)buffer);
	virtio_reset(device);
}

static void write_read_only(const struct virtio *device)
{
	uint64_t sectors = mmio32(device->device);

	virtio_start(device, &queue);
	make_blk_request(0, BLK_OUT, 0, SECTOR);
	virtio_offer(device, &queue, 0);
	report(virtio_wait(device, &queue, 1) && blk_status == BLK_IOERR,
	       "a read-only disk refuses a write");
	make_blk_request(3, BLK_IN, sectors, SECTOR);
	virtio_offer(device, &queue, 3);
	report(virtio_wait(device, &queue, 2) && blk_status == BLK_IOERR,
	       "there is nothing behind the end");
	make_blk_request(6, BLK_IN, ~0ull, SECTOR);
	virtio_offer(device, &queue, 6);
	report(virtio_wait(device, &queue, 3) && blk_status == BLK_IOERR,
	       "sector numbers don't wrap");
}

static void do_chains(void)
{
	struct virtio device;

	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++) {
		if (!virtio_find(slot, &device))
			continue;
		misuse_queue(&device);
		if (device.type == VIRTIO_BLK)
			write_read_only(&device);
	}
}

/* ---- resets ---- */

static void reset_while_busy(const struct virtio *device)
{
	for (int round = 0; round < 50; round++) {
		virtio_start(device, &queue);
		for (uint16_t i = 0; i < 4; i++) {
			make_blk_request((uint16_t)(3 * i), BLK_IN, 0, sizeof(buffer));
			virtio_offer(device, &queue, (uint16_t)(3 * i));
		}
		virtio_reset(device);
	}
}

static void do_resets(void)
{
	struct virtio device;

	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
		if (virtio_find(slot, &device))
			reset_while_busy(&device);
}

/* ---- MSI-X ---- */

static const uint64_t places[] = { 0,	       0x1000,	   0xfee00000,
				   0xfee00004, 0xfeeff00c, 0xfec00000,
				   0xe0000000, 0xffffffff, 0xfee0000000000000,
				   ~0ull };

static void scatter_messages(const struct virtio *device)
{
	uint64_t control = pci_at(device->slot, device->msix_capability + 2);
	uint32_t vectors = (mmio16(control) & 0x7ff) + 1u;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		mmio16(control) = 0x8000;
		for (uint32_t vector = 0; vector < vectors; vector++) {
			uint64_t entry = device->msix_table + 16 * vector;

			mmio32(entry) = (uint32_t)places[i];
			mmio32(entry + 4) = (uint32_t)(places[i] >> 32);
			mmio32(entry + 8) = (uint32_t)(i * 0x11111111);
			mmio32(entry + 12) = 0;
			mmio16(device->common + 0x1a) = (uint16_t)vector;
		}
		(void)works(device);
		mmio16(control) = 0xc000;
	}
	/* Beyond the table's end, and in odd sizes. */
	for (uint32_t offset = 0; offset < 0x1000; offset += 13)
		mmio8(device->msix_table + offset) = 0xff;
	mmio16(control) = 0;
}

static void do_msix(void)
{
	struct virtio device;

	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
		if (virtio_find(slot, &device) && device.msix_capability)
			scatter_messages(&device);
}

/* ---- BARs ---- */

static const uint32_t bases[] = { 0,	      0x1000,	  0x100000,   0xbffff000,
				  0xe0000000, 0xe0008000, 0xfec00000, 0xfee00000,
				  0xfffff000, 0xffffffff, 0xc001,     0x3f9,
				  0x605,      0xcf9,	  0xc0000000, 0xc0000000 };

static void move_bars(uint32_t slot)
{
	uint32_t saved[6], command = mmio16(pci_at(slot, PCI_COMMAND));

	for (uint32_t bar = 0; bar < 6; bar++)
		saved[bar] = mmio32(pci_at(slot, PCI_BAR0 + 4 * bar));
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		for (uint32_t bar = 0; bar < 6; bar++)
			mmio32(pci_at(slot, PCI_BAR0 + 4 * bar)) = bases[i];
		mmio16(pci_at(slot, PCI_COMMAND)) = 0;
		mmio16(pci_at(slot, PCI_COMMAND)) = 7;
	}
	for (uint32_t bar = 0; bar < 6; bar++)
		mmio32(pci_at(slot, PCI_BAR0 + 4 * bar)) = saved[bar];
	mmio16(pci_at(slot, PCI_COMMAND)) = (uint16_t)command;
}

/* All devices at one place, in every size of access. */
static void do_bars(void)
{
	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
		if (pci_is_virtio(slot))
			move_bars(slot);
	for (uint32_t offset = 0; offset < 0x1000; offset++)
		mmio8(pci_at(31, offset)) = (uint8_t)offset;
	for (uint32_t offset = 64; offset < 256; offset++)
		(void)mmio8(pci_at(0, offset));
}

/* ---- ports ---- */

/* All but the serial port (our voice), power and reset. */
static bool is_ours(uint16_t port)
{
	return (port >= 0x3f8 && port < 0x400) || (port >= 0x600 && port < 0x640) || port == 0x64 ||
	       port == 0x92 || (port >= 0xcf8 && port < 0xd00);
}

static void do_ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port++) {
		if (is_ours((uint16_t)port) || is_ours((uint16_t)(port + 3)))
			continue;
		(void)inl((uint16_t)port);
		outl((uint16_t)port, port * 0x9e3779b9u);
		outb((uint16_t)port, 0xff);
	}
}

static const struct {
	const char *word;
	void (*run)(void);
} misdeeds[] = {
	{ "chains", do_chains }, { "resets", do_resets }, { "msix", do_msix },
	{ "bars", do_bars },	 { "ports", do_ports },
};

void payload_main(const char *words)
{
	/* No firmware has done it. */
	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++)
		if (pci_is_virtio(slot))
			mmio16(pci_at(slot, PCI_COMMAND)) = 7;
	check_all("works at first");
	for (size_t i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++) {
		if (*words && !has_word(words, misdeeds[i].word))
			continue;
		print(misdeeds[i].word);
		print("\n");
		misdeeds[i].run();
		check_all("works afterwards");
	}
}
