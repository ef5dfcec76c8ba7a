/*
 * Frames that wait for a receiver, fairly among those who sent them.
 *
 *   - Each sender's frames wait in order, in a flow of their own; flows take turns, by memory (deficit round robin), so a large
 *     frame counts as much as the many small ones that it stands for.
 *   - The memory that waits is bounded. When there is no more, the flow that holds most loses its oldest: who floods pays for it.
 *   - There is no bound for a sender over all receivers: one that doesn't take its frames would stop its correspondents.
 *
 * Fields: [L] lock
 * Context: any. Source: Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin" (1995).
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/net/packet.h"
#include "lib/list.h"

enum { NET_QUEUE_BYTES = 4 << 20 };

struct net_queue {
	struct spinlock lock;
	struct list flows;     /* [L] those that have something, the next one to be served first */
	uint32_t memory_bytes; /* [L, a] */
	uint64_t dropped;      /* [L, a] */
	bool is_closed;	       /* [L] */
};

void net_queue_init(struct net_queue *queue);

/* Takes a reference of its own. False: it was dropped (another one may have been in its stead), or the queue is closed. */
bool net_queue_add(struct net_queue *queue, uint32_t source, struct packet *packet);

/* The next one, with its reference; NULL: none. */
struct packet *net_queue_take(struct net_queue *queue);

bool net_queue_is_empty(const struct net_queue *queue);

/* Drops all that is in it and takes no more. */
void net_queue_close(struct net_queue *queue);
