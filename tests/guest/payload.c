/*
 * What payloads stand on: see payload.h.
 */
#include "tests/guest/payload.h"

enum {
	COM1 = 0x3f8,
	COM1_LINE = COM1 + 3,
	COM1_8_BITS = 3,
	COM1_STATUS = COM1 + 5,
	COM1_IS_EMPTY = 0x20,
	PM1_CONTROL = 0x604,
	SLEEP_S5 = 5 << 10 | 1 << 13,
	WAIT_TURNS = 20000,

	CAPABILITY_MSIX = 0x11,
	CAPABILITY_VENDOR = 0x09,
	CFG_COMMON = 1,
	CFG_NOTIFY = 2,
	CFG_DEVICE = 4,

	COMMON_FEATURE_SELECT = 0x00,
	COMMON_FEATURE = 0x04,
	COMMON_DRIVER_FEATURE_SELECT = 0x08,
	COMMON_DRIVER_FEATURE = 0x0c,
	COMMON_STATUS = 0x14,
	COMMON_QUEUE_SELECT = 0x16,
	COMMON_QUEUE_SIZE = 0x18,
	COMMON_QUEUE_ENABLE = 0x1c,
	COMMON_QUEUE_DESC = 0x20,
	COMMON_QUEUE_AVAIL = 0x28,
	COMMON_QUEUE_USED = 0x30,
};

static const uint64_t ecam = 0xe0000000;

/* Of the PVH start info: all that is needed. */
struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline;
};

/* The compiler may call these for what the source says otherwise. */
void *memset(void *start, int byte, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);
void kmain(const struct pvh_start_info *info);

void *memset(void *start, int byte, size_t bytes)
{
	void *to = start;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(byte) : "memory");
	return start;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return start;
}

void clear(void *start, size_t bytes)
{
	memset(start, 0, bytes);
}

void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1_STATUS) & COM1_IS_EMPTY))
			;
		outb(COM1, (uint8_t)*text);
	}
}

void print_hex(uint64_t value)
{
	char text[] = "0x0000000000000000";

	for (int i = 17; i > 1; i--, value >>= 4)
		text[i] = "0123456789abcdef"[value & 15];
	print(text);
}

void report(bool claim, const char *what)
{
	print(claim ? "ok: " : "FAILED: ");
	print(what);
	print("\n");
}

bool has_word(const char *words, const char *word)
{
	for (; *words; words++) {
		const char *a = words, *b = word;

		while (*b && *a == *b) {
			a++;
			b++;
		}
		if (!*b && (!*a || *a == ' '))
			return true;
		while (words[1] && *words != ' ')
			words++;
	}
	return false;
}

void power_off(void)
{
	for (;;)
		outw(PM1_CONTROL, SLEEP_S5);
}

void kmain(const struct pvh_start_info *info)
{
	outb(COM1_LINE, COM1_8_BITS);
	payload_main((const char *)at(info->cmdline));
	print("payload: done\n");
	power_off();
}

/* ---- PCI ---- */

uint64_t pci_at(uint32_t slot, uint32_t offset)
{
	return ecam + (slot << 15) + offset;
}

/* ---- virtio ---- */

static uint64_t bar_base(uint32_t slot, uint32_t bar)
{
	uint32_t low = mmio32(pci_at(slot, PCI_BAR0 + 4 * bar));
	uint64_t high = (low & 7) == 4 ? mmio32(pci_at(slot, PCI_BAR0 + 4 * bar + 4)) : 0;

	return low & 1 ? low & ~3u : high << 32 | (low & ~15u);
}

static void take_capability(uint32_t slot, uint32_t offset, struct virtio *out)
{
	uint64_t here = pci_at(slot, offset);
	uint64_t base;

	if (mmio8(here) == CAPABILITY_MSIX) {
		out->msix_capability = offset;
		out->msix_table = bar_base(slot, mmio32(here + 4) & 7) + (mmio32(here + 4) & ~7u);
	}
	if (mmio8(here) != CAPABILITY_VENDOR)
		return;
	base = bar_base(slot, mmio8(here + 4)) + mmio32(here + 8);
	if (mmio8(here + 3) == CFG_COMMON)
		out->common = base;
	if (mmio8(here + 3) == CFG_DEVICE)
		out->device = base;
	if (mmio8(here + 3) == CFG_NOTIFY) {
		out->notify_port = base;
		out->notify_multiplier = mmio32(here + 16);
	}
}

bool virtio_find(uint32_t slot, struct virtio *out)
{
	uint32_t offset;

	*out = (struct virtio){ .slot = slot };
	if (!pci_is_virtio(slot))
		return false;
	out->type = (mmio32(pci_at(slot, 0)) >> 16) - 0x1040;
	offset = mmio8(pci_at(slot, PCI_CAPABILITIES));
	for (int i = 0; offset && i < 16; i++) {
		take_capability(slot, offset, out);
		offset = mmio8(pci_at(slot, offset + 1));
	}
	return true;
}

uint8_t virtio_status(const struct virtio *device)
{
	return mmio8(device->common + COMMON_STATUS);
}

void virtio_reset(const struct virtio *device)
{
	mmio8(device->common + COMMON_STATUS) = 0;
	while (virtio_status(device))
		;
}

static void accept_features(const struct virtio *device, uint32_t half)
{
	mmio32(device->common + COMMON_FEATURE_SELECT) = half;
	mmio32(device->common + COMMON_DRIVER_FEATURE_SELECT) = half;
	mmio32(device->common + COMMON_DRIVER_FEATURE) = mmio32(device->common + COMMON_FEATURE);
}

static void write64(uint64_t to, const volatile void *address)
{
	mmio32(to) = (uint32_t)(uintptr_t)address;
	mmio32(to + 4) = 0;
}

void virtio_start(const struct virtio *device, struct queue *queue)
{
	uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

	clear(queue, sizeof(*queue));
	virtio_reset(device);
	mmio8(device->common + COMMON_STATUS) = status;
	accept_features(device, 0);
	accept_features(device, 1);
	status |= STATUS_FEATURES_OK;
	mmio8(device->common + COMMON_STATUS) = status;
	mmio16(device->common + COMMON_QUEUE_SELECT) = device->queue;
	mmio16(device->common + COMMON_QUEUE_SIZE) = QUEUE_SIZE;
	write64(device->common + COMMON_QUEUE_DESC, queue->desc);
	write64(device->common + COMMON_QUEUE_AVAIL, &queue->avail);
	write64(device->common + COMMON_QUEUE_USED, &queue->used);
	mmio16(device->common + COMMON_QUEUE_ENABLE) = 1;
	mmio8(device->common + COMMON_STATUS) = status | STATUS_DRIVER_OK;
}

void virtio_offer(const struct virtio *device, struct queue *queue, uint16_t head)
{
	queue->avail.ring[queue->avail.index % QUEUE_SIZE] = head;
	__atomic_store_n(&queue->avail.index, (uint16_t)(queue->avail.index + 1), __ATOMIC_SEQ_CST);
	outw((uint16_t)(device->notify_port + device->queue * device->notify_multiplier),
	     device->queue);
}

bool virtio_wait(const struct virtio *device, const struct queue *queue, uint16_t index)
{
	for (int i = 0; i < WAIT_TURNS; i++) {
		if (__atomic_load_n(&queue->used.index, __ATOMIC_SEQ_CST) == index)
			return true;
		if (virtio_status(device) & STATUS_NEEDS_RESET)
			return false;
	}
	return false;
}
