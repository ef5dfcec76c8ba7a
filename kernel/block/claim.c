/*
 * Claims of block devices: see claim.h. All are in one list: there are few of them, one or two per virtual machine.
 */
#include "kernel/block/claim.h"
#include "kernel/mem/object.h"

/* Fields: [I] immutable once listed */
struct claim {
	struct list node;		   /* [claims lock] */
	const struct block_device *device; /* [I] */
};

static struct mutex claims_lock = MUTEX(claims_lock);
static struct list claims = { &claims, &claims };

static bool overlap(const struct block_device *a, const struct block_device *b)
{
	return a->disk == b->disk && a->start_bytes < b->start_bytes + b->size_bytes &&
	       b->start_bytes < a->start_bytes + a->size_bytes;
}

/* With the lock. */
static bool is_free(const struct block_device *device)
{
	list_for_each(node, &claims)
		if (overlap(device, list_entry(node, struct claim, node)->device))
			return false;
	return true;
}

int claim_take(const struct block_device *device, struct claim **out)
{
	struct claim *claim = kmalloc(sizeof(*claim));
	bool taken;

	if (!claim)
		return -ENOMEM;
	claim->device = device;
	mutex_lock(&claims_lock);
	taken = is_free(device);
	if (taken)
		list_append(&claims, &claim->node);
	mutex_unlock(&claims_lock);
	if (!taken) {
		kfree(claim);
		return -EBUSY;
	}
	*out = claim;
	return 0;
}

void claim_drop(struct claim *claim)
{
	mutex_lock(&claims_lock);
	list_remove(&claim->node);
	mutex_unlock(&claims_lock);
	kfree(claim);
}
