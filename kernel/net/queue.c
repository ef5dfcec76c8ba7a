/*
 * Frames that wait for a receiver: see queue.h.
 */
#include "kernel/mem/object.h"
#include "kernel/net/queue.h"

/* Fields: [Q] the queue's lock */
struct flow {
	struct list node;      /* [Q] in queue->flows */
	struct list waiting;   /* [Q] */
	uint32_t source;       /* [Q] */
	uint32_t memory_bytes; /* [Q] of its frames */
	int64_t credit_bytes;  /* [Q] what it may still send in this turn */
};

/* A frame may wait in several queues. */
struct waiting {
	struct list node;
	struct packet *packet;
};

static struct object_cache flow_cache = OBJECT_CACHE("net flow", struct flow);
static struct object_cache waiting_cache = OBJECT_CACHE("net frame", struct waiting);

void net_queue_init(struct net_queue *queue)
{
	*queue = (struct net_queue){ 0 };
	list_init(&queue->flows);
}

static struct flow *find_flow(struct net_queue *queue, uint32_t source)
{
	list_for_each(node, &queue->flows) {
		struct flow *flow = list_entry(node, struct flow, node);

		if (flow->source == source)
			return flow;
	}
	return NULL;
}

static struct flow *add_flow(struct net_queue *queue, uint32_t source)
{
	struct flow *flow = object_alloc(&flow_cache);

	if (!flow)
		return NULL;
	flow->source = source;
	flow->credit_bytes = PACKET_MEMORY_BYTES;
	list_init(&flow->waiting);
	list_append(&queue->flows, &flow->node);
	return flow;
}

static struct flow *largest_flow(struct net_queue *queue)
{
	struct flow *largest = NULL;

	list_for_each(node, &queue->flows) {
		struct flow *flow = list_entry(node, struct flow, node);

		if (!largest || flow->memory_bytes > largest->memory_bytes)
			largest = flow;
	}
	return largest;
}

/* The oldest of a flow, which has one; a flow that has no more goes. */
static struct packet *take_from(struct net_queue *queue, struct flow *flow)
{
	struct waiting *waiting = list_entry(flow->waiting.next, struct waiting, node);
	struct packet *packet = waiting->packet;
	uint32_t memory = packet_memory(packet);

	list_remove(&waiting->node);
	object_free(&waiting_cache, waiting);
	flow->memory_bytes -= memory;
	__atomic_store_n(&queue->memory_bytes, queue->memory_bytes - memory, __ATOMIC_RELAXED);
	if (list_is_empty(&flow->waiting)) {
		list_remove(&flow->node);
		object_free(&flow_cache, flow);
	}
	return packet;
}

/* Bounded: each step frees a page at least, and a frame needs PACKET_PAGES_MAX at most. */
static void make_room(struct net_queue *queue, uint32_t memory)
{
	while (queue->memory_bytes + memory > NET_QUEUE_BYTES) {
		packet_put(take_from(queue, largest_flow(queue)));
		queue->dropped++;
	}
}

static bool add(struct net_queue *queue, uint32_t source, struct packet *packet)
{
	struct waiting *waiting;
	struct flow *flow;

	if (queue->is_closed)
		return false;
	waiting = object_alloc(&waiting_cache);
	if (!waiting)
		return false;
	make_room(queue, packet_memory(packet));
	flow = find_flow(queue, source) ?: add_flow(queue, source);
	if (!flow) {
		object_free(&waiting_cache, waiting);
		return false;
	}
	packet_get(packet);
	waiting->packet = packet;
	list_append(&flow->waiting, &waiting->node);
	flow->memory_bytes += packet_memory(packet);
	__atomic_store_n(&queue->memory_bytes, queue->memory_bytes + packet_memory(packet),
			 __ATOMIC_RELAXED);
	return true;
}

bool net_queue_add(struct net_queue *queue, uint32_t source, struct packet *packet)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);
	bool is_added = add(queue, source, packet);

	queue->dropped += !is_added;
	spin_unlock_irqrestore(&queue->lock, flags);
	return is_added;
}

/* A turn's credit covers the longest frame: no flow is passed over twice. */
static struct flow *flow_whose_turn_it_is(struct net_queue *queue)
{
	for (;;) {
		struct flow *flow = list_entry(queue->flows.next, struct flow, node);

		if (flow->credit_bytes > 0)
			return flow;
		flow->credit_bytes += PACKET_MEMORY_BYTES;
		list_remove(&flow->node);
		list_append(&queue->flows, &flow->node);
	}
}

/* What is taken is charged; what was dropped isn't. */
static struct packet *take_next(struct net_queue *queue)
{
	struct flow *flow = flow_whose_turn_it_is(queue);
	struct waiting *waiting = list_entry(flow->waiting.next, struct waiting, node);

	flow->credit_bytes -= packet_memory(waiting->packet);
	return take_from(queue, flow);
}

struct packet *net_queue_take(struct net_queue *queue)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);
	struct packet *packet = list_is_empty(&queue->flows) ? NULL : take_next(queue);

	spin_unlock_irqrestore(&queue->lock, flags);
	return packet;
}

bool net_queue_is_empty(const struct net_queue *queue)
{
	return !__atomic_load_n(&queue->memory_bytes, __ATOMIC_ACQUIRE);
}

void net_queue_close(struct net_queue *queue)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);
	struct packet *packet;

	queue->is_closed = true;
	spin_unlock_irqrestore(&queue->lock, flags);
	while ((packet = net_queue_take(queue)))
		packet_put(packet);
}
