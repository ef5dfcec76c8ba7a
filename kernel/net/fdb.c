/*
 * Which address is behind which port: see fdb.h.
 */
#include <string.h>

#include "kernel/net/fdb.h"

void fdb_init(struct fdb *fdb, uint64_t key)
{
	memset(fdb, 0, sizeof(*fdb));
	fdb->key = key | 1;
}

/* Multiplied by a secret odd number, the upper bits depend on all of the address. */
static struct fdb_set *set_of(struct fdb *fdb, const uint8_t mac[MAC_BYTES])
{
	uint64_t value = 0;

	memcpy(&value, mac, MAC_BYTES);
	value = (value ^ fdb->key >> 32) * fdb->key;
	return &fdb->sets[(value ^ value >> 29) * fdb->key >> 54];
}
static_assert(FDB_SETS == 1 << (64 - 54), "the hash's upper bits number the sets");

static bool is_live(const struct fdb_entry *entry, uint32_t now_s)
{
	return entry->seen_s && now_s - entry->seen_s <= FDB_AGE_S;
}

static struct fdb_entry *find(struct fdb_set *set, const uint8_t mac[MAC_BYTES], uint32_t now_s)
{
	for (uint32_t i = 0; i < FDB_WAYS; i++)
		if (is_live(&set->entries[i], now_s) &&
		    !memcmp(set->entries[i].mac, mac, MAC_BYTES))
			return &set->entries[i];
	return NULL;
}

static uint32_t learned_by(const struct fdb *fdb, uint16_t port)
{
	return __atomic_load_n(&fdb->learned[port], __ATOMIC_RELAXED);
}

static void clear(struct fdb *fdb, struct fdb_entry *entry)
{
	if (entry->seen_s)
		__atomic_fetch_sub(&fdb->learned[entry->port], 1, __ATOMIC_RELAXED);
	entry->seen_s = 0;
}

/* Is @entry rather to be given up than @other? */
static bool goes_first(const struct fdb *fdb, const struct fdb_entry *entry,
		       const struct fdb_entry *other)
{
	uint32_t learned = learned_by(fdb, entry->port), others = learned_by(fdb, other->port);

	return learned != others ? learned > others : entry->seen_s < other->seen_s;
}

/* A free place, or one to be given up; NULL: the others have a better right to theirs. */
static struct fdb_entry *find_place(struct fdb *fdb, struct fdb_set *set, uint16_t port,
				    uint32_t now_s)
{
	struct fdb_entry *victim = &set->entries[0];

	for (uint32_t i = 0; i < FDB_WAYS; i++) {
		struct fdb_entry *entry = &set->entries[i];

		if (!is_live(entry, now_s))
			return entry;
		if (goes_first(fdb, entry, victim))
			victim = entry;
	}
	if (victim->port != port && learned_by(fdb, victim->port) <= learned_by(fdb, port))
		return NULL;
	return victim;
}

static void set_entry(struct fdb *fdb, struct fdb_entry *entry, const uint8_t mac[MAC_BYTES],
		      uint16_t port, uint32_t now_s)
{
	clear(fdb, entry);
	memcpy(entry->mac, mac, MAC_BYTES);
	entry->port = port;
	entry->seen_s = now_s;
	__atomic_fetch_add(&fdb->learned[port], 1, __ATOMIC_RELAXED);
}

void fdb_learn(struct fdb *fdb, const uint8_t mac[MAC_BYTES], uint16_t port, uint32_t now_s)
{
	struct fdb_set *set = set_of(fdb, mac);
	uint64_t flags = spin_lock_irqsave(&set->lock);
	struct fdb_entry *entry = find(set, mac, now_s);

	if (entry && entry->port == port) {
		entry->seen_s = now_s;
	} else {
		entry = entry ?: find_place(fdb, set, port, now_s);
		if (entry)
			set_entry(fdb, entry, mac, port, now_s);
	}
	spin_unlock_irqrestore(&set->lock, flags);
}

bool fdb_find(struct fdb *fdb, const uint8_t mac[MAC_BYTES], uint32_t now_s, uint16_t *port)
{
	struct fdb_set *set = set_of(fdb, mac);
	uint64_t flags = spin_lock_irqsave(&set->lock);
	const struct fdb_entry *entry = find(set, mac, now_s);

	if (entry)
		*port = entry->port;
	spin_unlock_irqrestore(&set->lock, flags);
	return entry;
}

void fdb_forget(struct fdb *fdb, uint16_t port)
{
	for (uint32_t i = 0; i < FDB_SETS; i++) {
		struct fdb_set *set = &fdb->sets[i];
		uint64_t flags = spin_lock_irqsave(&set->lock);

		for (uint32_t way = 0; way < FDB_WAYS; way++)
			if (set->entries[way].port == port)
				clear(fdb, &set->entries[way]);
		spin_unlock_irqrestore(&set->lock, flags);
	}
}
