/*
 * A program that runs alone on a virtual machine: what all of them stand on (payload.c).
 *
 *   - kmain() gets the words of the command line. It prints to the first serial port and may power off.
 *   - report() says what was expected and whether it came; the last line of a run is `payload: done`.
 *   - One processor, 64-bit mode, the first 4 GiB mapped to themselves, no interrupts, no FPU.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pvh_start_info;

void payload_main(const char *words); /* each payload's own */

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline volatile void *at(uint64_t address)
{
	return (volatile void *)(uintptr_t)address;
}

#define mmio8(address)	(*(volatile uint8_t *)at(address))
#define mmio16(address) (*(volatile uint16_t *)at(address))
#define mmio32(address) (*(volatile uint32_t *)at(address))

void print(const char *text);
void print_hex(uint64_t value);

/* `ok: what` or `FAILED: what`. */
void report(bool claim, const char *what);

bool has_word(const char *words, const char *word);
void clear(void *start, size_t bytes);
void power_off(void) __attribute__((noreturn));

/* ---- PCI, bus 0, by ECAM ---- */

enum {
	PCI_SLOTS = 32,
	PCI_COMMAND = 0x04,
	PCI_BAR0 = 0x10,
	PCI_CAPABILITIES = 0x34,
};

uint64_t pci_at(uint32_t slot, uint32_t offset);

static inline bool pci_is_virtio(uint32_t slot)
{
	return (mmio32(pci_at(slot, 0)) & 0xffff) == 0x1af4;
}

/* ---- virtio, as it is laid out in bhvm's two BARs, found by its capabilities ---- */

struct virtio {
	uint32_t slot;
	uint32_t type; /* 1 net, 2 blk, 4 rng */
	uint64_t common, notify_port, device;
	uint32_t notify_multiplier;
	uint64_t msix_table;
	uint32_t msix_capability;
	uint16_t queue; /* that virtio_start() makes live: 0, unless somebody changes it */
};

enum {
	VIRTIO_NET = 1,
	VIRTIO_BLK = 2,
	VIRTIO_RNG = 4,

	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64,

	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,

	QUEUE_SIZE = 16,
};

struct desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct queue {
	struct desc desc[QUEUE_SIZE];
	struct {
		uint16_t flags, index, ring[QUEUE_SIZE], used_event;
	} avail;
	struct {
		uint16_t flags;
		uint16_t index;
		struct {
			uint32_t id, length;
		} ring[QUEUE_SIZE];
		uint16_t avail_event;
	} used __attribute__((aligned(4)));
} __attribute__((aligned(4096)));

/* The device in @slot; false if it is none. */
bool virtio_find(uint32_t slot, struct virtio *out);
void virtio_reset(const struct virtio *device);
uint8_t virtio_status(const struct virtio *device);

/* Resets, negotiates all that is offered, puts @queue in place and goes live. */
void virtio_start(const struct virtio *device, struct queue *queue);

/* Offers the chain that begins with descriptor @head, and tells the device. */
void virtio_offer(const struct virtio *device, struct queue *queue, uint16_t head);

/* Waits until the device has used @index chains, or failed, or a long time has passed. */
bool virtio_wait(const struct virtio *device, const struct queue *queue, uint16_t index);
