/*
 * One split virtqueue: see virtq.h. Section names below are those of virtio 1.2, chapter 2.7.
 */
#include <errno.h>
#include <string.h>

#include "vmm/virtio/virtq.h"

/* Loads and stores of what the driver reads and writes at the same time. */
#define guest_load(field)	  __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define guest_store(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

static uint16_t ring_index(const struct virtq *vq, uint16_t counter)
{
	return (uint16_t)(counter & (vq->state.size - 1));
}

/* The field behind the last entry of each ring, by which the other side says when to be told. */
static uint16_t used_event(const struct virtq *vq)
{
	return guest_load(vq->avail->ring[vq->state.size]);
}

static void set_avail_event(struct virtq *vq, uint16_t value)
{
	uint16_t *avail_event = (uint16_t *)&vq->used->ring[vq->state.size];

	guest_store(*avail_event, value);
}

void virtq_init(struct virtq *vq, const struct guest_memory *memory, uint16_t size_max)
{
	*vq = (struct virtq){ .memory = memory, .size_max = size_max };
	virtq_reset(vq);
}

void virtq_reset(struct virtq *vq)
{
	vq->state = (struct virtq_state){ .size = vq->size_max, .msix_vector = UINT16_MAX };
	vq->desc = NULL;
	vq->avail = NULL;
	vq->used = NULL;
}

static void *ring_at(const struct virtq *vq, uint64_t address, uint64_t alignment, uint64_t size)
{
	return address % alignment ? NULL : memory_at(vq->memory, gpa(address), size);
}

int virtq_enable(struct virtq *vq, bool has_event_idx)
{
	uint64_t size = vq->state.size;
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;

	if (!size || size > vq->size_max || (size & (size - 1)))
		return -EINVAL;
	/* Each ring ends in the 16-bit event field, used or not. */
	desc = ring_at(vq, vq->state.desc, VRING_DESC_ALIGN_SIZE, size * sizeof(*desc));
	avail = ring_at(vq, vq->state.avail, VRING_AVAIL_ALIGN_SIZE,
			sizeof(*avail) + size * sizeof(avail->ring[0]) + sizeof(uint16_t));
	used = ring_at(vq, vq->state.used, VRING_USED_ALIGN_SIZE,
		       sizeof(*used) + size * sizeof(used->ring[0]) + sizeof(uint16_t));
	if (!desc || !avail || !used)
		return -EINVAL;

	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	vq->state.has_event_idx = has_event_idx;
	vq->state.is_enabled = true;
	return 0;
}

/* Collects the buffers of one chain: device-readable ones first, then device-writable ones. */
struct chain_walk {
	struct virtq_chain *chain;
	uint32_t nr_out, nr_in;
	uint32_t nr_left; /* descriptors that the chain may still have */
};

static int walk_add(struct virtq *vq, struct chain_walk *walk, const struct vring_desc *desc)
{
	bool is_in = desc->flags & VRING_DESC_F_WRITE;
	uint32_t at = walk->nr_out + walk->nr_in;
	struct iovec *iov = walk->chain->iov;
	void *buffer;

	if (!walk->nr_left--)
		return -EPROTO; /* a loop, or longer than the queue */
	if (!is_in && walk->nr_in)
		return -EPROTO; /* readable after writable */
	if (!desc->len)
		return -EPROTO;
	buffer = memory_at(vq->memory, gpa(desc->addr), desc->len);
	if (!buffer)
		return -EPROTO;

	/* Neighbours in memory and of the same direction become one buffer. */
	if (at && (is_in ? walk->nr_in : walk->nr_out) &&
	    (char *)iov[at - 1].iov_base + iov[at - 1].iov_len == buffer) {
		iov[at - 1].iov_len += desc->len;
		return 0;
	}
	iov[at] = (struct iovec){ .iov_base = buffer, .iov_len = desc->len };
	if (is_in)
		walk->nr_in++;
	else
		walk->nr_out++;
	return 0;
}

/*
 * One descriptor, copied once: the empty statement makes the compiler look at the copy alone. Byte by byte,
 * because nothing asks drivers to align indirect tables.
 */
static struct vring_desc read_desc(const void *table, uint16_t index)
{
	struct vring_desc desc;

	memcpy(&desc, (const uint8_t *)table + index * sizeof(desc), sizeof(desc));
	__asm__ volatile("" : "+m"(desc));
	return desc;
}

static int walk_table(struct virtq *vq, struct chain_walk *walk, const void *table,
		      uint32_t table_size, uint16_t first, bool is_indirect);

/* "Indirect Descriptors": one table, named by the last link of a chain; no tables inside it. */
static int walk_indirect(struct virtq *vq, struct chain_walk *walk, const struct vring_desc *link)
{
	uint32_t count = link->len / (uint32_t)sizeof(*link);
	const void *table;

	if ((link->flags & VRING_DESC_F_NEXT) || !count || link->len % sizeof(*link))
		return -EPROTO;
	table = memory_at(vq->memory, gpa(link->addr), link->len);
	return table ? walk_table(vq, walk, table, count, 0, true) : -EPROTO;
}

static int walk_table(struct virtq *vq, struct chain_walk *walk, const void *table,
		      uint32_t table_size, uint16_t first, bool is_indirect)
{
	uint16_t index = first;
	struct vring_desc desc;
	int err;

	/* Bounded: each turn but the last uses up one of walk->nr_left. */
	for (;;) {
		if (index >= table_size)
			return -EPROTO;
		desc = read_desc(table, index);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return is_indirect ? -EPROTO : walk_indirect(vq, walk, &desc);
		err = walk_add(vq, walk, &desc);
		if (err || !(desc.flags & VRING_DESC_F_NEXT))
			return err;
		index = desc.next;
	}
}

static int chain_read(struct virtq *vq, struct virtq_chain *chain, uint16_t head)
{
	struct chain_walk walk = { .chain = chain, .nr_left = vq->state.size };
	int err;

	err = walk_table(vq, &walk, vq->desc, vq->state.size, head, false);
	if (err)
		return err;
	chain->head = head;
	chain->out = (struct iov_list){ .at = chain->iov, .count = walk.nr_out };
	chain->in = (struct iov_list){ .at = chain->iov + walk.nr_out, .count = walk.nr_in };
	return 0;
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	uint16_t available, head;
	int err;

	if (!vq->state.is_enabled || vq->state.is_broken)
		return 0;
	available = (uint16_t)(__atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) -
			       vq->state.next_avail);
	if (!available)
		return 0;

	err = -EPROTO;
	if (available <= vq->state.size) {
		head = guest_load(vq->avail->ring[ring_index(vq, vq->state.next_avail)]);
		err = chain_read(vq, chain, head);
	}
	if (err) {
		vq->state.is_broken = true;
		return err;
	}
	vq->state.next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *vq, uint16_t count)
{
	vq->state.next_avail = (uint16_t)(vq->state.next_avail - count);
}

void virtq_fill(struct virtq *vq, uint16_t nth, uint16_t head, uint32_t written)
{
	struct vring_used_elem *elem =
		&vq->used->ring[ring_index(vq, (uint16_t)(vq->state.next_used + nth))];

	guest_store(elem->id, head);
	guest_store(elem->len, written);
}

void virtq_publish(struct virtq *vq, uint16_t count)
{
	vq->state.next_used = (uint16_t)(vq->state.next_used + count);
	__atomic_store_n(&vq->used->idx, vq->state.next_used, __ATOMIC_RELEASE);
}

void virtq_push(struct virtq *vq, uint16_t head, uint32_t written)
{
	virtq_fill(vq, 0, head, written);
	virtq_publish(vq, 1);
}

/* "Used Buffer Notification Suppression". The fence orders our used index before the driver's wish. */
bool virtq_wants_interrupt(struct virtq *vq)
{
	uint16_t old = vq->state.signalled_used;
	uint16_t new = vq->state.next_used;

	if (!vq->state.is_enabled || vq->state.is_broken || old == new)
		return false;
	vq->state.signalled_used = new;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->state.has_event_idx)
		return !(guest_load(vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(used_event(vq), new, old);
}

void virtq_disarm(struct virtq *vq)
{
	if (vq->state.is_enabled && !vq->state.has_event_idx)
		guest_store(vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

/* "Available Buffer Notification Suppression". The fence orders our wish before the look at what came. */
bool virtq_rearm(struct virtq *vq, uint32_t nr_seen)
{
	uint16_t seen = (uint16_t)(vq->state.next_avail + nr_seen);

	if (!vq->state.is_enabled || vq->state.is_broken)
		return false;
	if (vq->state.has_event_idx)
		set_avail_event(vq, seen);
	else
		guest_store(vq->used->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return guest_load(vq->avail->idx) != seen;
}
