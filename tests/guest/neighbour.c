/*
 * A guest among others. Words of the command line choose what it is like:
 *
 *   answer   works on its memory, checks it, and answers each number on the console
 *   once     works for a moment, says `payload: done` and powers off
 *   spin     loops with interrupts off
 *   broken   lets a device be written to by an instruction that nobody carries out for it
 *   disk     reads its disk as fast as it can, all of the queue at once
 *   net      sends frames to everybody as fast as it can
 *   console  writes to the console without waiting for anything
 *   touchN   writes to each page of its memory from 16 MiB to N MiB, then does as `answer`
 */
#include "tests/guest/payload.h"

enum {
	MIB = 1 << 20,
	PAGE = 4096,
	COM1 = 0x3f8,
	COM1_STATUS = COM1 + 5,
	COM1_HAS_DATA = 1,
	BLOCK_WORDS = 64 * 1024 / 8,
	SECTOR = 512,
	CHAIN = 3,
	TOUCH_FROM = 16,
};

static uint64_t block[BLOCK_WORDS];
static struct queue queue;
static uint8_t buffer[64 * 1024] __attribute__((aligned(4096)));

/* ---- work that shows when memory or registers are another's ---- */

static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
	return value ^ (value >> 27);
}

static bool work(uint64_t round)
{
	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		block[i] = mix(round + i);
	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		if (block[i] != mix(round + i))
			return false;
	return true;
}

/* A line of digits, of which not all need have come yet. */
static bool has_line(uint64_t *number)
{
	static uint64_t so_far;

	while (inb(COM1_STATUS) & COM1_HAS_DATA) {
		uint8_t byte = inb(COM1);

		if (byte == '\r') {
			*number = so_far;
			so_far = 0;
			return true;
		}
		so_far = so_far * 10 + (uint64_t)(byte - '0');
	}
	return false;
}

static void answer(void)
{
	bool works = true;

	for (uint64_t round = 0, question;; round++) {
		works = works && work(round);
		if (!has_line(&question))
			continue;
		print("answer to ");
		print_hex(question);
		print(works ? ": right" : ": WRONG");
		print(" after ");
		print_hex(round);
		print("\n");
	}
}

static void work_once(void)
{
	report(work(1), "memory keeps what is written to it");
}

/* ---- who is a burden to the others ---- */

static void spin(void)
{
	__asm__ volatile("cli; 1: jmp 1b");
}

static void confuse(void)
{
	__asm__ volatile("fxsave (%0)" : : "r"((uintptr_t)0xd0000000) : "memory");
}

/* @device: the first of @type. */
static void find(uint32_t type, struct virtio *device)
{
	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++) {
		if (!virtio_find(slot, device) || device->type != type)
			continue;
		mmio16(pci_at(slot, PCI_COMMAND)) = 7;
		return;
	}
	print("FAILED: there is no such device\n");
	power_off();
}

static void flood_disk(void)
{
	static struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	static volatile uint8_t status;
	struct virtio device;

	find(VIRTIO_BLK, &device);
	virtio_start(&device, &queue);
	for (uint16_t head = 0; head + CHAIN <= QUEUE_SIZE; head = (uint16_t)(head + CHAIN)) {
		queue.desc[head] = (struct desc){ (uintptr_t)&header, sizeof(header), DESC_NEXT,
						  (uint16_t)(head + 1) };
		queue.desc[head + 1] = (struct desc){ (uintptr_t)buffer, sizeof(buffer),
						      DESC_NEXT | DESC_WRITE,
						      (uint16_t)(head + 2) };
		queue.desc[head + 2] = (struct desc){ (uintptr_t)&status, 1, DESC_WRITE, 0 };
	}
	print("flooding\n");
	for (uint16_t offered = 0;;) {
		uint16_t used = __atomic_load_n(&queue.used.index, __ATOMIC_SEQ_CST);

		for (; (uint16_t)(offered - used) < QUEUE_SIZE / CHAIN; offered++)
			virtio_offer(&device, &queue,
				     (uint16_t)(offered % (QUEUE_SIZE / CHAIN) * CHAIN));
	}
}

static void flood_net(void)
{
	enum { HEADER = 12, FRAME = 1514 };
	struct virtio device;

	find(VIRTIO_NET, &device);
	device.queue = 1;
	virtio_start(&device, &queue);
	for (int i = 0; i < 12; i++)
		buffer[HEADER + i] = i < 6 ? 0xff : 0x52;
	buffer[HEADER + 12] = 0x88;
	buffer[HEADER + 13] = 0xb5;
	for (uint16_t head = 0; head < QUEUE_SIZE; head++)
		queue.desc[head] = (struct desc){ (uintptr_t)buffer, HEADER + FRAME, 0, 0 };
	print("flooding\n");
	for (uint16_t offered = 0;;) {
		uint16_t used = __atomic_load_n(&queue.used.index, __ATOMIC_SEQ_CST);

		for (; (uint16_t)(offered - used) < QUEUE_SIZE; offered++)
			virtio_offer(&device, &queue, offered % QUEUE_SIZE);
	}
}

static void flood_console(void)
{
	for (;;)
		outb(COM1, 'x');
}

static uint64_t number_after(const char *words, const char *word)
{
	uint64_t number = 0;

	for (; *word && *words == *word; word++)
		words++;
	if (*word)
		return 0;
	while (*words >= '0' && *words <= '9')
		number = number * 10 + (uint64_t)(*words++ - '0');
	return number;
}

static void touch(uint64_t end_mib)
{
	for (uint64_t page = (uint64_t)TOUCH_FROM * MIB; page < end_mib * MIB; page += PAGE)
		mmio32(page) = (uint32_t)page;
	print("touched it all\n");
}

static const struct {
	const char *word;
	void (*run)(void);
} manners[] = {
	{ "answer", answer },	      { "once", work_once },  { "spin", spin },
	{ "broken", confuse },	      { "disk", flood_disk }, { "net", flood_net },
	{ "console", flood_console },
};

void payload_main(const char *words)
{
	uint64_t end_mib = number_after(words, "touch");

	print("payload: up\n");
	if (end_mib) {
		touch(end_mib);
		answer();
	}
	for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		if (has_word(words, manners[i].word))
			manners[i].run();
}
