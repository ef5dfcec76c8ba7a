/*
 * Which address is behind which port: what a bridge has learned from the frames that it saw.
 *
 *   - Bounded: sets of a few places each, by a hash with a secret key. In a full set, the port that has learned most in all
 *     gives up its oldest place there; a port that has learned most itself gets only what was its own. So who claims many
 *     addresses loses them first.
 *   - What wasn't seen for FDB_AGE_S is forgotten.
 *
 * Context: any; a lock per set inside.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "lib/compiler.h"

enum {
	FDB_PORTS = 1024,
	FDB_SETS = 1024,
	FDB_WAYS = 4,
	/* IEEE 802.1Q, 8.8.3 "Ageing of Dynamic Filtering Entries": the recommended default. */
	FDB_AGE_S = 300,
	MAC_BYTES = 6,
};

/* Fields: [L] the set's lock  [I] immutable  [a] atomic */
struct fdb_entry {
	uint8_t mac[MAC_BYTES]; /* [L] */
	uint16_t port;		/* [L] */
	uint32_t seen_s;	/* [L] 0: the place is free */
};

struct fdb_set {
	struct spinlock lock;
	struct fdb_entry entries[FDB_WAYS];
};

struct fdb {
	uint64_t key; /* [I] */
	struct fdb_set sets[FDB_SETS];
	uint32_t learned[FDB_PORTS]; /* [a] places that each port has */
};

void fdb_init(struct fdb *fdb, uint64_t key);

/* @now_s: from 1, never backwards. @mac: one station's. */
void fdb_learn(struct fdb *fdb, const uint8_t mac[MAC_BYTES], uint16_t port, uint32_t now_s);

MUST_CHECK bool fdb_find(struct fdb *fdb, const uint8_t mac[MAC_BYTES], uint32_t now_s,
			 uint16_t *port);

/* All that was learned from @port. */
void fdb_forget(struct fdb *fdb, uint16_t port);
