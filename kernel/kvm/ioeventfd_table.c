/*
 * A VM's table of ioeventfds: see ioeventfd.h.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/kvm/ioeventfd.h"
#include "kernel/mem/object.h"

enum { CAPACITY_FIRST = 16 };

static const uint32_t flags_known = KVM_IOEVENTFD_VALID_FLAG_MASK;

static uint8_t bus_of(uint32_t flags)
{
	if (flags & KVM_IOEVENTFD_FLAG_PIO)
		return IOEVENTFD_PIO;
	return flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY ? IOEVENTFD_OTHER : IOEVENTFD_MMIO;
}

int ioeventfd_parse(const struct kvm_ioeventfd *args, struct ioeventfd *out)
{
	bool has_datamatch = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;

	/* Nothing or one of the sizes of an access. */
	if (args->len > 8 || (args->len & (args->len - 1)))
		return -EINVAL;
	if (args->addr + args->len < args->addr || (args->flags & ~flags_known) ||
	    (!args->len && has_datamatch))
		return -EINVAL;
	*out = (struct ioeventfd){
		.address = args->addr,
		.datamatch = has_datamatch ? args->datamatch : 0,
		.bytes = (uint8_t)args->len,
		.bus = bus_of(args->flags),
		.has_datamatch = has_datamatch,
	};
	return 0;
}

/* --- the table --- */

/* The first that isn't below this bus and address. */
static uint32_t lower_bound(const struct ioeventfds *table, uint8_t bus, uint64_t address)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct ioeventfd *item = &table->items[middle];

		if (item->bus < bus || (item->bus == bus && item->address < address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The nth at this bus and address; NULL: no more. */
static struct ioeventfd *item_at(const struct ioeventfds *table, uint8_t bus, uint64_t address,
				 uint32_t nth)
{
	uint32_t at = lower_bound(table, bus, address) + nth;

	if (at >= table->count || table->items[at].bus != bus ||
	    table->items[at].address != address)
		return NULL;
	return &table->items[at];
}

const struct ioeventfd *ioeventfds_match(const struct ioeventfds *table, uint8_t bus,
					 uint64_t address, uint32_t bytes, uint64_t value)
{
	const struct ioeventfd *item;

	for (uint32_t nth = 0; (item = item_at(table, bus, address, nth)); nth++)
		if (!item->bytes ||
		    (item->bytes == bytes && (!item->has_datamatch || item->datamatch == value)))
			return item;
	return NULL;
}

bool ioeventfds_collide(const struct ioeventfds *table, const struct ioeventfd *wanted)
{
	const struct ioeventfd *item;

	for (uint32_t nth = 0; (item = item_at(table, wanted->bus, wanted->address, nth)); nth++)
		if (!item->bytes || !wanted->bytes ||
		    (item->bytes == wanted->bytes &&
		     (!item->has_datamatch || !wanted->has_datamatch ||
		      item->datamatch == wanted->datamatch)))
			return true;
	return false;
}

/* Room for one more. Readers may be at the old items until the lock is taken. */
static int grow(struct ioeventfds *table)
{
	uint32_t capacity = table->capacity ? 2 * table->capacity : CAPACITY_FIRST;
	struct ioeventfd *items, *old = table->items;
	uint64_t flags;

	if (table->count == IOEVENTFDS_MAX)
		return -ENOSPC;
	if (table->count < table->capacity)
		return 0;
	items = kmalloc(capacity * sizeof(*items));
	if (!items)
		return -ENOMEM;
	flags = spin_lock_irqsave(&table->lock);
	if (old)
		memcpy(items, old, table->count * sizeof(*items));
	table->items = items;
	table->capacity = capacity;
	spin_unlock_irqrestore(&table->lock, flags);
	kfree(old);
	return 0;
}

static void put_in(struct ioeventfds *table, const struct ioeventfd *item)
{
	uint64_t flags = spin_lock_irqsave(&table->lock);
	uint32_t at = lower_bound(table, item->bus, item->address);

	memmove(&table->items[at + 1], &table->items[at],
		(table->count - at) * sizeof(table->items[0]));
	table->items[at] = *item;
	table->count++;
	spin_unlock_irqrestore(&table->lock, flags);
}

static void take_out(struct ioeventfds *table, struct ioeventfd *item)
{
	uint64_t flags = spin_lock_irqsave(&table->lock);
	uint32_t at = (uint32_t)(item - table->items);

	table->count--;
	memmove(item, item + 1, (table->count - at) * sizeof(*item));
	spin_unlock_irqrestore(&table->lock, flags);
}

int ioeventfds_add(struct ioeventfds *table, const struct ioeventfd *wanted)
{
	int err;

	if (ioeventfds_collide(table, wanted))
		return -EEXIST;
	err = grow(table);
	if (!err)
		put_in(table, wanted);
	return err;
}

static bool is_same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->eventfd == b->eventfd && a->bytes == b->bytes &&
	       a->has_datamatch == b->has_datamatch && a->datamatch == b->datamatch;
}

int ioeventfds_remove(struct ioeventfds *table, const struct ioeventfd *wanted)
{
	struct ioeventfd *item;

	for (uint32_t nth = 0; (item = item_at(table, wanted->bus, wanted->address, nth)); nth++) {
		if (!is_same(item, wanted))
			continue;
		take_out(table, item);
		return 0;
	}
	return -ENOENT;
}
