/*
 * Virtio network cards: the driver of the host's, which are uplinks of the bridge.
 *
 *   - One thread per card does all of it: receives and forwards, sends what waits in the card's queue, starts the card anew when
 *     it breaks the rules or stops sending. Interrupts and senders just call it; so the card needs no lock.
 *   - Received frames are copied out of the card's buffers, which stay its own: it may write to them at any time.
 *   - Sent frames are read by the card where they lie.
 *
 * Fields: [I] immutable once it runs  [T] the card's thread  [a] atomic
 * Source: virtio 1.2, 5.1 "Network Device".
 */
#include <string.h>

#include "kernel/cpu/clock.h"
#include "kernel/dev/print.h"
#include "kernel/dev/virtio.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "kernel/net/bridge.h"
#include "kernel/net/offload.h"
#include "kernel/net/virtio_net.h"
#include "kernel/sched/deadline.h"
#include "kernel/sched/waitq.h"
#include "lib/format.h"

enum {
	MODERN_ID = 0x1041,
	TRANSITIONAL_ID = 0x1000,
	HEADER_BYTES = sizeof(struct virtio_net_hdr_v1),
	RX_CHAIN_MAX = PACKET_PAGES_MAX + 1, /* buffers that one frame may lie in */
	TX_CHAIN_MAX = PACKET_PAGES_MAX + 1, /* the header, and the frame's pages */
	TX_CHAIN_PLAIN = 2,
	BURST = 64, /* frames, before others get the CPU */
	RESTARTS_MAX = 3,
};

#define TX_TIMEOUT_NS	  UINT64_C(5000000000)
#define RESTARTS_AGAIN_NS UINT64_C(60000000000)

#define FEATURE(name) VIRTIO_BIT(VIRTIO_NET_F_##name)
#define WANTED                                                                               \
	(FEATURE(MAC) | FEATURE(STATUS) | FEATURE(MRG_RXBUF) | FEATURE(CSUM) |               \
	 FEATURE(HOST_TSO4) | FEATURE(HOST_TSO6) | FEATURE(HOST_ECN) | FEATURE(GUEST_CSUM) | \
	 WANTED_LARGE | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))
#define WANTED_LARGE (FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) | FEATURE(GUEST_ECN))

enum { QUEUE_RX, QUEUE_TX };

enum { MESSAGE_QUEUES, MESSAGE_CONFIG };

struct card {
	struct net_device device;
	struct virtio virtio;		     /* [I] but for its features */
	struct virtq rx, tx;		     /* [T] */
	uint8_t *buffers[VIRTQ_SIZE_MAX];    /* [I] pages, by chain */
	struct virtio_net_hdr_v1 *headers;   /* [T] of frames that are sent, by chain */
	struct packet *sent[VIRTQ_SIZE_MAX]; /* [T] by chain */
	uint64_t progressed_ns;	 /* [T] when it sent something last, or had nothing to send */
	uint64_t restarted_ns;	 /* [T] */
	uint32_t nr_restarts;	 /* [T] of late */
	bool is_broken;		 /* [T] it broke the rules */
	bool has_config_message; /* [I] */
	bool is_config_changed;	 /* [a] */
	bool is_called;		 /* [a] */
	struct waitq calls;
};

static_assert(sizeof(struct virtio_net_hdr_v1) * VIRTQ_SIZE_MAX <= PAGE_BYTES, "headers fit");

static void call(struct card *card)
{
	if (!__atomic_exchange_n(&card->is_called, true, __ATOMIC_ACQ_REL))
		waitq_wake(&card->calls);
}

/* --- receiving --- */

static void post(struct card *card)
{
	const uint8_t *at = card->buffers[virtq_next(&card->rx)];
	struct vring_desc buffer = virtq_describe(at, PAGE_BYTES, VRING_DESC_F_WRITE);

	if (virtq_add(&card->rx, &buffer, 1))
		card->is_broken = true;
}

/* The buffers of one frame, the header in the first. */
struct received {
	uint32_t count, bytes; /* with the header */
	uint16_t chains[RX_CHAIN_MAX];
	uint32_t sizes[RX_CHAIN_MAX];
};

/* False: there is none, or the card is broken. */
static bool take_buffer(struct card *card, struct received *received)
{
	uint16_t *chain = &received->chains[received->count];
	uint32_t *size = &received->sizes[received->count];

	if (!virtq_take(&card->rx, chain, size))
		return false;
	card->is_broken |= *size > PAGE_BYTES;
	received->bytes += *size;
	received->count++;
	return !card->is_broken;
}

/* A frame's buffers come all at once: 5.1.6.4 "Processing of Incoming Packets". */
static bool take_frame(struct card *card, struct received *received,
		       struct virtio_net_hdr_v1 *header)
{
	uint32_t count = 1;

	*received = (struct received){ 0 };
	if (!take_buffer(card, received))
		return false;
	memcpy(header, card->buffers[received->chains[0]], sizeof(*header));
	if (virtio_has(&card->virtio, VIRTIO_NET_F_MRG_RXBUF))
		count = header->num_buffers;
	card->is_broken |= received->bytes < HEADER_BYTES || !count || count > RX_CHAIN_MAX;
	while (!card->is_broken && received->count < count)
		card->is_broken |= !take_buffer(card, received);
	return !card->is_broken;
}

static struct packet *copy_frame(const struct card *card, const struct received *received)
{
	uint32_t size = received->bytes - HEADER_BYTES, skip = HEADER_BYTES, at = 0;
	struct packet *packet;

	if (size < ETH_HLEN || size > PACKET_BYTES_MAX)
		return NULL;
	packet = packet_create(size);
	for (uint32_t i = 0; packet && i < received->count; i++) {
		packet_fill(packet, at, card->buffers[received->chains[i]] + skip,
			    received->sizes[i] - skip);
		at += received->sizes[i] - skip;
		skip = 0;
	}
	return packet;
}

/* The old header is the new one's beginning. */
static void forward(struct card *card, const struct received *received,
		    const struct virtio_net_hdr_v1 *header)
{
	struct packet *packet = copy_frame(card, received);
	struct virtio_net_hdr plain;

	memcpy(&plain, header, sizeof(plain));
	if (packet && !offload_from_header(packet, &plain))
		bridge_forward(&card->device, packet);
	else
		net_count_dropped(&card->device.in);
	if (packet)
		packet_put(packet);
}

/* Returns whether there may be more. */
static bool receive(struct card *card)
{
	struct virtio_net_hdr_v1 header;
	struct received received;
	uint32_t count = 0;

	while (count < BURST && take_frame(card, &received, &header)) {
		forward(card, &received, &header);
		for (uint32_t i = 0; i < received.count; i++)
			post(card);
		count++;
	}
	virtq_kick(&card->rx);
	return count == BURST;
}

/* --- sending --- */

static bool is_sending(const struct card *card)
{
	return card->tx.nr_free < card->tx.size;
}

static void reap(struct card *card)
{
	uint32_t written;
	uint16_t chain;

	while (virtq_take(&card->tx, &chain, &written)) {
		packet_put(card->sent[chain]);
		card->sent[chain] = NULL;
		card->progressed_ns = clock_ns();
	}
}

static bool takes_large(const struct card *card)
{
	return card->device.offloads & (OFFLOAD_TSO4 | OFFLOAD_TSO6);
}

/* The header, and each piece of the frame. Only frames to be cut are longer than the first piece. */
static uint16_t fill_chain(struct virtio_net_hdr_v1 *header, const struct packet *packet,
			   struct vring_desc chain[TX_CHAIN_MAX])
{
	struct virtio_net_hdr plain = offload_to_header(packet);
	uint16_t count = 0;

	/* Whether a checksum was seen to be right is for receivers. */
	plain.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	*header = (struct virtio_net_hdr_v1){ 0 };
	memcpy(header, &plain, sizeof(plain));
	chain[count++] = virtq_describe(header, HEADER_BYTES, 0);
	for (uint32_t at = 0, room; at < packet->size_bytes; at += room) {
		const uint8_t *piece = packet_at(packet, at, &room);

		chain[count++] = virtq_describe(piece, room, 0);
	}
	return count;
}

static void send(struct card *card, struct packet *packet)
{
	uint16_t number = virtq_next(&card->tx);
	struct vring_desc chain[TX_CHAIN_MAX];
	uint16_t count = fill_chain(&card->headers[number], packet, chain);

	if (virtq_add(&card->tx, chain, count)) {
		card->is_broken = true;
		packet_put(packet);
		return;
	}
	card->sent[number] = packet;
}

/* Bounded by the ring. */
static void transmit(struct card *card)
{
	uint32_t chain = takes_large(card) ? TX_CHAIN_MAX : TX_CHAIN_PLAIN;
	struct packet *packet;

	reap(card);
	if (!is_sending(card))
		card->progressed_ns = clock_ns();
	while (!card->is_broken && card->tx.nr_free >= chain &&
	       (packet = net_queue_take(&card->device.queue)))
		send(card, packet);
	virtq_kick(&card->tx);
}

/* --- starting and stopping --- */

static uint32_t offloads_of(const struct virtio *virtio, const struct virtq *tx)
{
	uint32_t offloads = 0;

	if (!virtio_has(virtio, VIRTIO_NET_F_CSUM))
		return 0;
	offloads |= OFFLOAD_CHECKSUM;
	/* A ring that can't hold the longest frame twice isn't used for long ones. */
	if (tx->size < 2 * TX_CHAIN_MAX)
		return offloads;
	offloads |= virtio_has(virtio, VIRTIO_NET_F_HOST_TSO4) ? OFFLOAD_TSO4 : 0u;
	offloads |= virtio_has(virtio, VIRTIO_NET_F_HOST_TSO6) ? OFFLOAD_TSO6 : 0u;
	offloads |= virtio_has(virtio, VIRTIO_NET_F_HOST_ECN) ? OFFLOAD_ECN : 0u;
	return offloads;
}

/* Long frames are received only in several buffers. */
static int negotiate(struct virtio *virtio)
{
	int err = virtio_reset(virtio);

	if (!err)
		err = virtio_negotiate(virtio, WANTED);
	if (err || virtio_has(virtio, VIRTIO_NET_F_MRG_RXBUF) || !(virtio->features & WANTED_LARGE))
		return err;
	err = virtio_reset(virtio);
	return err ? err : virtio_negotiate(virtio, WANTED & ~WANTED_LARGE);
}

static int start_queues(struct card *card)
{
	volatile struct virtio_pci_common_cfg *common = card->virtio.common;
	int err = virtio_start_queue(&card->virtio, QUEUE_RX, &card->rx, MESSAGE_QUEUES);

	if (!err)
		err = virtio_start_queue(&card->virtio, QUEUE_TX, &card->tx, MESSAGE_QUEUES);
	if (err || !card->has_config_message)
		return err;
	common->msix_config = MESSAGE_CONFIG;
	return common->msix_config == MESSAGE_CONFIG ? 0 : -EIO;
}

static int start(struct card *card)
{
	int err;

	pci_enable(card->virtio.pci);
	err = negotiate(&card->virtio);
	if (!err)
		err = start_queues(card);
	if (err)
		return err;
	card->is_broken = false;
	for (uint16_t i = 0; i < card->rx.size; i++)
		post(card);
	__atomic_store_n(&card->device.offloads, offloads_of(&card->virtio, &card->tx),
			 __ATOMIC_RELAXED);
	card->progressed_ns = clock_ns();
	virtio_run(&card->virtio);
	virtq_kick(&card->rx);
	return 0;
}

/* After it the card reaches no memory. */
static int stop(struct card *card)
{
	int err = virtio_reset(&card->virtio);

	pci_stop_dma(card->virtio.pci);
	for (uint32_t i = 0; i < VIRTQ_SIZE_MAX; i++) {
		if (card->sent[i])
			packet_put(card->sent[i]);
		card->sent[i] = NULL;
	}
	return err;
}

/* Returns whether there is a cable. A card that doesn't say has one. */
static bool read_link(const struct card *card)
{
	uint16_t status;

	if (!virtio_has(&card->virtio, VIRTIO_NET_F_STATUS))
		return true;
	return !virtio_read_config(&card->virtio, offsetof(struct virtio_net_config, status),
				   &status, sizeof(status)) &&
	       (status & VIRTIO_NET_S_LINK_UP);
}

static void look_at_config(struct card *card)
{
	bool is_up = read_link(card);

	card->is_broken |= card->virtio.common->device_status & VIRTIO_CONFIG_S_NEEDS_RESET;
	if (is_up == card->device.is_up)
		return;
	print("%s: the cable is %s", card->device.name, is_up ? "in" : "out");
	bridge_set_up(&card->device, is_up);
}

/* False: it is given up. A card that breaks again and again isn't tried for ever. */
static bool restart(struct card *card)
{
	uint64_t now = clock_ns();
	int err = stop(card);

	if (now - card->restarted_ns > RESTARTS_AGAIN_NS)
		card->nr_restarts = 0;
	card->restarted_ns = now;
	if (!err)
		err = card->nr_restarts++ < RESTARTS_MAX ? start(card) : -EIO;
	if (err) {
		print_warn("%s: doesn't work any more (error %d): given up", card->device.name,
			   -err);
		(void)stop(card);
		return false;
	}
	__atomic_store_n(&card->is_config_changed, true, __ATOMIC_RELAXED);
	return true;
}

/* --- the thread --- */

static bool has_stalled(const struct card *card)
{
	return is_sending(card) && clock_ns() - card->progressed_ns > TX_TIMEOUT_NS;
}

static bool was_called(struct card *card)
{
	return __atomic_exchange_n(&card->is_called, false, __ATOMIC_ACQ_REL);
}

static void wait_for_call(struct card *card)
{
	struct deadline deadline;

	deadline_start(&deadline,
		       is_sending(card) ? card->progressed_ns + TX_TIMEOUT_NS + 1 : UINT64_MAX);
	waitq_wait(&card->calls, was_called(card) || deadline_has_passed(&deadline));
	deadline_stop(&deadline);
}

/* Returns whether there may be more to do at once. */
static bool work(struct card *card)
{
	bool is_more;

	if (__atomic_exchange_n(&card->is_config_changed, false, __ATOMIC_ACQ_REL))
		look_at_config(card);
	is_more = receive(card);
	transmit(card);
	card->is_broken |= card->rx.is_broken || card->tx.is_broken;
	return is_more;
}

static void card_thread(void *argument)
{
	struct card *card = argument;
	bool is_alive = true;

	while (is_alive) {
		wait_for_call(card);
		while (work(card) && !card->is_broken)
			thread_yield();
		if (card->is_broken || has_stalled(card)) {
			print_warn("%s: %s: it is reset", card->device.name,
				   card->is_broken ? "it breaks the rules" : "it doesn't send");
			is_alive = restart(card);
			call(card);
		}
	}
	bridge_set_up(&card->device, false);
	net_queue_close(&card->device.queue);
	thread_exit();
}

static bool on_queues(void *data)
{
	struct card *card = data;

	call(card);
	return virtq_has_used(&card->rx) || virtq_has_used(&card->tx);
}

static bool on_config(void *data)
{
	struct card *card = data;

	__atomic_store_n(&card->is_config_changed, true, __ATOMIC_RELEASE);
	call(card);
	return true;
}

/* --- finding one --- */

static void card_ready(struct net_device *device)
{
	call(container_of(device, struct card, device));
}

/* Cards don't leave. */
static const struct net_device_ops device_ops = { .ready = card_ready };

static int allocate(struct card *card)
{
	for (uint32_t i = 0; i < VIRTQ_SIZE_MAX; i++) {
		card->buffers[i] = page_alloc();
		if (!card->buffers[i])
			return -ENOMEM;
	}
	card->headers = page_alloc();
	if (!card->headers || virtq_create(&card->rx))
		return -ENOMEM;
	return virtq_create(&card->tx);
}

static int add_interrupts(struct card *card, struct pci_device *pci)
{
	int err = pci_irq_add(pci, MESSAGE_QUEUES, "virtio card", on_queues, card);

	if (err)
		return err;
	err = pci_irq_add(pci, MESSAGE_CONFIG, "virtio card's cable", on_config, card);
	card->has_config_message = !err;
	return err == -ENODEV ? 0 : err;
}

static int read_address(struct card *card)
{
	uint8_t *mac = card->device.mac;

	if (virtio_has(&card->virtio, VIRTIO_NET_F_MAC))
		return virtio_read_config(&card->virtio, offsetof(struct virtio_net_config, mac),
					  mac, MAC_BYTES);
	net_device_make_mac(mac);
	return 0;
}

static int run(struct card *card)
{
	static uint32_t nr_cards;
	struct thread *thread;
	int err;

	/* The number is the card's, whatever became of others. */
	format_text(card->device.name, sizeof(card->device.name), "eth%u", nr_cards++);
	card->device.is_up = read_link(card);
	thread = thread_create(card_thread, card, card->device.name);
	if (!thread)
		return -ENOMEM;
	err = bridge_add(&card->device);
	if (err) {
		thread_discard(thread);
		return err;
	}
	print("%s: %02x:%02x:%02x:%02x:%02x:%02x, virtio %s%s", card->device.name,
	      card->device.mac[0], card->device.mac[1], card->device.mac[2], card->device.mac[3],
	      card->device.mac[4], card->device.mac[5], card->virtio.pci->name,
	      card->device.is_up ? "" : ", no cable");
	call(card);
	thread_wake(thread);
	return 0;
}

static int start_card(struct pci_device *pci)
{
	struct card *card = kmalloc(sizeof(*card));
	int err;

	/* What was taken stays with a card that fails: it happens once, at boot. */
	if (!card)
		return -ENOMEM;
	pci->data = card;
	card->device.ops = &device_ops;
	card->device.refs = 1;
	card->device.is_uplink = true;
	net_queue_init(&card->device.queue);
	waitq_init(&card->calls);
	err = virtio_open(pci, &card->virtio);
	if (!err)
		err = allocate(card);
	if (!err)
		err = add_interrupts(card, pci);
	if (!err)
		err = start(card);
	if (!err)
		err = read_address(card);
	return err ? err : run(card);
}

static bool claims(const struct pci_device *pci)
{
	return virtio_is(pci, MODERN_ID, TRANSITIONAL_ID);
}

const struct pci_driver virtio_net_driver = {
	.name = "virtio-net",
	.claims = claims,
	.start = start_card,
};
