/*
 * virtio-net: see net.h. One worker moves frames both ways, as a rule without a copy of its own: writev()
 * from the guest's buffers to the tap, readv() from the tap into them.
 *
 * How long the next frame is isn't known before it is read, and buffers for the longest possible one, dozens
 * of them, cost more than a short frame itself. So buffers for one like those before are taken, and what
 * they don't hold goes into a buffer of ours. Such a frame is held there as a whole until the guest has
 * enough buffers for it; meanwhile the tap isn't watched: frames wait in it, and when it is full it drops.
 *
 * There is one interrupt for both directions: a request's way out is done when its answer comes in, and two
 * interrupts at once take a guest two exits more than one.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/tap.h"
#include "vmm/virtio/net.h"

enum counter {
	RX_FRAMES,
	RX_BYTES,
	RX_DROPPED, /* longer than the guest's buffers */
	TX_FRAMES,
	TX_BYTES,
	TX_DROPPED, /* the host didn't take it */
};

enum { QUEUE_RX, QUEUE_TX, NR_QUEUES };

enum {
	CLASS_ETHERNET = 0x020000,
	HEADER_BYTES = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	VLAN_TAG_BYTES = 4,
	PLAIN_FRAME_MAX = ETH_FRAME_LEN + VLAN_TAG_BYTES,
	GSO_FRAME_MAX = UINT16_MAX + ETH_HLEN + VLAN_TAG_BYTES,
	QUEUE_SIZE = 256,
	RX_CHAINS_MAX = 64, /* for one frame: 64 buffers of 1 KiB hold the longest */
	RX_BURST = 64,	    /* frames before the other direction gets its turn */
	RX_BYTES_MAX = HEADER_BYTES + GSO_FRAME_MAX,
	RX_FORGETTING = 16, /* how many frames it takes, about, to forget a longer one */
};

/* The buffers taken for one frame. */
struct rx_buffers {
	uint32_t nr_chains, nr_iov;
	uint64_t bytes;
	bool is_full; /* no frame may have more than these */
	uint16_t heads[RX_CHAINS_MAX];
	uint64_t chain_bytes[RX_CHAINS_MAX];
	struct iovec iov[QUEUE_SIZE + 1]; /* and ours */
};

/* Fields: as in struct virtio_dev. */
struct net {
	struct virtio_dev dev;
	struct virtio_net_config config;
	struct loop_source tap;
	bool is_tap_watched;  /* [W] */
	bool is_tap_gone;     /* [W] somebody deleted the interface */
	uint32_t rx_expected; /* [W] bytes that the next frame gets buffers for, header included */
	struct rx_buffers rx; /* [W] */
	char *held;	      /* [W] RX_BYTES_MAX; most of it is never touched */
	uint32_t held_bytes;  /* [W] of a frame that waits for buffers; 0: none */
	struct log_limit limit;
};

static struct net *to_net(struct virtio_dev *dev)
{
	return container_of(dev, struct net, dev);
}

/* --- guest to host --- */

static int net_transmit(struct virtio_dev *dev, struct virtq_chain *chain, uint32_t *written UNUSED)
{
	struct net *net = to_net(dev);
	uint64_t bytes = iov_bytes(&chain->out);
	ssize_t sent;

	if (bytes < HEADER_BYTES + ETH_HLEN || bytes > HEADER_BYTES + GSO_FRAME_MAX)
		return -EPROTO;
	/* A full or downed interface drops frames, as a cable would; the header's sense is the host's to check. */
	do {
		sent = writev(net->tap.fd, chain->out.at, (int)chain->out.count);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		virtio_dev_count(dev, TX_DROPPED, 1);
		return 0;
	}
	virtio_dev_count(dev, TX_FRAMES, 1);
	virtio_dev_count(dev, TX_BYTES, bytes - HEADER_BYTES);
	return 0;
}

/* --- host to guest --- */

/* Adds the next available chain. Returns 1; 0 when there is none that fits; -EPROTO. */
static int rx_take_chain(struct net *net)
{
	struct virtq *vq = &net->dev.queues[QUEUE_RX];
	struct virtq_chain *chain = &net->dev.chain;
	struct rx_buffers *rx = &net->rx;
	int got = virtq_pop(vq, chain);

	if (got <= 0)
		return got;
	if (chain->out.count || !chain->in.count)
		return -EPROTO;
	if (chain->in.count > QUEUE_SIZE - rx->nr_iov) {
		virtq_unpop(vq, 1);
		rx->is_full = true;
		return 0;
	}
	memcpy(&rx->iov[rx->nr_iov], chain->in.at, chain->in.count * sizeof(rx->iov[0]));
	rx->nr_iov += chain->in.count;
	rx->heads[rx->nr_chains] = chain->head;
	rx->chain_bytes[rx->nr_chains] = iov_bytes(&chain->in);
	rx->bytes += rx->chain_bytes[rx->nr_chains];
	rx->nr_chains++;
	return 1;
}

/* Takes chains until they hold @wanted bytes or there are no more. Returns 0 or -EPROTO. */
static int rx_take_buffers(struct net *net, uint64_t wanted)
{
	uint32_t chains_max = virtio_dev_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF) ? RX_CHAINS_MAX : 1;
	struct rx_buffers *rx = &net->rx;
	int got = 1;

	rx->nr_chains = 0;
	rx->nr_iov = 0;
	rx->bytes = 0;
	rx->is_full = false;
	while (got > 0 && rx->bytes < wanted && rx->nr_chains < chains_max)
		got = rx_take_chain(net);
	rx->is_full |= rx->nr_chains == chains_max;
	return got < 0 ? got : 0;
}

static void rx_put_back(struct net *net, uint32_t nr_chains)
{
	virtq_unpop(&net->dev.queues[QUEUE_RX], (uint16_t)nr_chains);
}

/*
 * Hands a frame that lies in the first @bytes of the buffers to the guest and puts the others back.
 * Uses rx->iov up.
 */
static void rx_deliver(struct net *net, uint64_t bytes)
{
	struct virtq *vq = &net->dev.queues[QUEUE_RX];
	struct rx_buffers *rx = &net->rx;
	struct iov_list header = { .at = rx->iov, .count = rx->nr_iov };
	uint64_t left = bytes;
	uint16_t used = 0;

	while (left) {
		uint64_t step = min_u64(left, rx->chain_bytes[used]);

		virtq_fill(vq, used, rx->heads[used], (uint32_t)step);
		left -= step;
		used++;
	}
	iov_drop_front(&header, offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers));
	iov_put_front(&header, &used, sizeof(used));
	rx_put_back(net, rx->nr_chains - used);
	virtq_publish(vq, used);
	virtio_dev_count(&net->dev, RX_FRAMES, 1);
	virtio_dev_count(&net->dev, RX_BYTES, bytes - HEADER_BYTES);
}

enum rx_outcome { RX_DONE, RX_TAP_EMPTY, RX_NO_BUFFERS, RX_BROKEN };

/* The longest of the last few is what the next one is expected to be. */
static void rx_expect(struct net *net, uint32_t bytes)
{
	uint32_t before = net->rx_expected;

	net->rx_expected = bytes > before ? bytes : before - (before - bytes) / RX_FORGETTING;
}

/* Our buffer comes after the guest's, so that a byte is at the place in it that it has in the frame. */
static ssize_t rx_read_tap(struct net *net)
{
	struct rx_buffers *rx = &net->rx;
	uint32_t nr_iov = rx->nr_iov;

	if (rx->bytes < RX_BYTES_MAX)
		rx->iov[nr_iov++] = (struct iovec){ .iov_base = net->held + rx->bytes,
						    .iov_len = RX_BYTES_MAX - rx->bytes };
	return readv(net->tap.fd, rx->iov, (int)nr_iov);
}

static enum rx_outcome rx_read(struct net *net)
{
	struct iov_list begin = { .at = net->rx.iov, .count = net->rx.nr_iov };
	ssize_t got = rx_read_tap(net);

	if (got < HEADER_BYTES) {
		rx_put_back(net, net->rx.nr_chains);
		return RX_TAP_EMPTY;
	}
	rx_expect(net, (uint32_t)got);
	if ((uint64_t)got <= net->rx.bytes) {
		rx_deliver(net, (uint64_t)got);
		return RX_DONE;
	}
	(void)iov_take_front(&begin, net->held, net->rx.bytes);
	net->held_bytes = (uint32_t)got;
	rx_put_back(net, net->rx.nr_chains);
	return RX_DONE;
}

static void rx_copy_held(struct net *net)
{
	struct iovec iov[QUEUE_SIZE];
	struct iov_list list = { .at = iov, .count = net->rx.nr_iov };

	memcpy(iov, net->rx.iov, net->rx.nr_iov * sizeof(iov[0]));
	iov_put_front(&list, net->held, net->held_bytes);
}

/* The held frame goes first; one that can never fit is dropped. */
static enum rx_outcome rx_held(struct net *net)
{
	if (net->rx.bytes >= net->held_bytes) {
		rx_copy_held(net);
		rx_deliver(net, net->held_bytes);
		net->held_bytes = 0;
		return RX_DONE;
	}
	rx_put_back(net, net->rx.nr_chains);
	if (!net->rx.is_full)
		return RX_NO_BUFFERS;
	virtio_dev_count(&net->dev, RX_DROPPED, 1);
	net->held_bytes = 0;
	return RX_DONE;
}

static enum rx_outcome rx_frame(struct net *net)
{
	if (rx_take_buffers(net, net->held_bytes ? net->held_bytes : net->rx_expected))
		return RX_BROKEN;
	return net->held_bytes ? rx_held(net) : rx_read(net);
}

/* Watches the tap only while the guest has buffers. */
static void tap_watch(struct net *net, bool is_watched)
{
	if (net->is_tap_watched == is_watched || net->is_tap_gone)
		return;
	if (loop_modify(&net->dev.worker.loop, &net->tap, is_watched ? EPOLLIN : 0))
		virtio_dev_fail(&net->dev, "its tap cannot be watched");
	else
		net->is_tap_watched = is_watched;
}

static void net_receive(struct net *net)
{
	struct virtq *vq = &net->dev.queues[QUEUE_RX];
	enum rx_outcome outcome = RX_DONE;
	uint32_t frames = 0;

	virtq_disarm(vq);
	/* A held frame is seen through: the tap wouldn't wake us for it. */
	while ((frames < RX_BURST || net->held_bytes) && !worker_should_yield(&net->dev.worker)) {
		outcome = rx_frame(net);
		/* Buffers that came between the look and the request for a kick are used at once. */
		if (outcome == RX_NO_BUFFERS && virtq_rearm(vq, net->rx.nr_chains))
			continue;
		if (outcome != RX_DONE)
			break;
		frames++;
	}
	if (outcome == RX_BROKEN) {
		virtio_dev_fail(&net->dev, "its driver broke the receive queue");
		return;
	}
	tap_watch(net, outcome != RX_NO_BUFFERS);
	virtio_dev_interrupt(&net->dev, QUEUE_RX);
}

static void tap_ready(void *context, uint32_t events)
{
	struct net *net = context;

	/* Reported whether watched or not, for ever: somebody has deleted the interface. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		log_warn("%s: the host's interface is gone; the cable is dead", net->dev.id);
		loop_remove(&net->dev.worker.loop, &net->tap);
		net->is_tap_gone = true;
		return;
	}
	/* Frames that nobody will fetch would be reported over and over. */
	if (virtio_dev_is_failed(&net->dev))
		tap_watch(net, false);
	else
		net_receive(net);
}

/* --- the device --- */

static void net_kick(struct virtio_dev *dev, uint16_t queue)
{
	if (queue == QUEUE_TX)
		virtio_dev_serve(dev, QUEUE_TX, net_transmit);
	else
		net_receive(to_net(dev));
}

/* What the driver accepted decides what the tap may send it. */
static int net_start(struct virtio_dev *dev)
{
	struct net *net = to_net(dev);
	struct tap_offloads offloads = {
		.checksum = virtio_dev_has(dev, VIRTIO_NET_F_GUEST_CSUM),
		.tso4 = virtio_dev_has(dev, VIRTIO_NET_F_GUEST_TSO4),
		.tso6 = virtio_dev_has(dev, VIRTIO_NET_F_GUEST_TSO6),
		.ecn = virtio_dev_has(dev, VIRTIO_NET_F_GUEST_ECN),
	};

	net->rx_expected = HEADER_BYTES + PLAIN_FRAME_MAX;
	/* A tap without offloads delivers plain frames, which every driver can take. */
	if (tap_set_offloads(net->tap.fd, &offloads))
		log_limited(&net->limit, "%s: the tap refuses offloads; plain frames only",
			    dev->id);
	return 0;
}

static void net_reset(struct virtio_dev *dev)
{
	struct net *net = to_net(dev);

	net->held_bytes = 0;
	tap_watch(net, false);
}

static void net_destroy(struct virtio_dev *dev)
{
	struct net *net = to_net(dev);

	virtio_dev_fini(dev);
	close(net->tap.fd);
	free(net->held);
	free(net);
}

#define FEATURE(name) (UINT64_C(1) << VIRTIO_NET_F_##name)

const struct virtio_dev_ops virtio_net_ops = {
	.name = "net",
	.device_id = VIRTIO_ID_NET,
	.nr_queues = NR_QUEUES,
	.queue_size = QUEUE_SIZE,
	.nr_vectors = 1,
	.class_code = CLASS_ETHERNET,
	.features = FEATURE(MAC) | FEATURE(STATUS) | FEATURE(MRG_RXBUF) | FEATURE(CSUM) |
		    FEATURE(HOST_TSO4) | FEATURE(HOST_TSO6) | FEATURE(HOST_ECN) |
		    FEATURE(GUEST_CSUM) | FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) |
		    FEATURE(GUEST_ECN),
	.counters = { [RX_FRAMES] = "rx_frames",
		      [RX_BYTES] = "rx_bytes",
		      [RX_DROPPED] = "rx_dropped",
		      [TX_FRAMES] = "tx_frames",
		      [TX_BYTES] = "tx_bytes",
		      [TX_DROPPED] = "tx_dropped" },
	.start = net_start,
	.kick = net_kick,
	.reset = net_reset,
	.destroy = net_destroy,
};

int virtio_net_create_on(int tap, const struct net_config *config,
			 const struct guest_memory *memory, struct virtio_dev **out,
			 struct errmsg *why)
{
	uint64_t features = config->mtu ? FEATURE(MTU) : 0;
	struct net *net = calloc(1, sizeof(*net));
	int err = -ENOMEM;

	if (net)
		net->held = malloc(RX_BYTES_MAX);
	if (!net || !net->held) {
		errmsg_system(why, err, "%s: out of memory", config->id);
		goto err_free;
	}
	memcpy(net->config.mac, config->mac, sizeof(net->config.mac));
	net->config.status = VIRTIO_NET_S_LINK_UP;
	net->config.mtu = (uint16_t)config->mtu;
	net->dev.config = &net->config;
	net->dev.config_bytes = sizeof(net->config);
	err = virtio_dev_init(&net->dev, &virtio_net_ops, config->id, memory, features, why);
	if (err)
		goto err_free;

	net->tap = (struct loop_source){ .fd = tap, .ready = tap_ready, .context = net };
	err = loop_add(&net->dev.worker.loop, &net->tap, 0);
	if (err) {
		errmsg_system(why, err, "%s: cannot watch the tap: %s", config->id, strerror(-err));
		goto err_dev;
	}
	*out = &net->dev;
	return 0;

err_dev:
	virtio_dev_fini(&net->dev);
err_free:
	if (net)
		free(net->held);
	free(net);
	return err;
}

int virtio_net_create(const struct net_config *config, const struct guest_memory *memory,
		      struct virtio_dev **out, struct errmsg *why)
{
	int tap, err;

	err = tap_open(config->tap, HEADER_BYTES, &tap, why);
	if (err)
		return err;
	err = virtio_net_create_on(tap, config, memory, out, why);
	if (err)
		close(tap);
	return err;
}
