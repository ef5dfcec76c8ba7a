/*
 * Interrupt routes of a VM: see routing.h.
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/kvm/apic_message.h"
#include "kernel/kvm/routing.h"
#include "kernel/mem/object.h"

/* The first route whose GSI isn't below @gsi. */
static uint32_t lower_bound(const struct routes *routes, uint32_t gsi)
{
	uint32_t low = 0, high = routes->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (routes->routes[middle].gsi < gsi)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* In its place; ring 3 gives them in ascending order, mostly. */
static int insert(struct routes *routes, const struct route *route)
{
	uint32_t at = lower_bound(routes, route->gsi);

	if (at < routes->count && routes->routes[at].gsi == route->gsi)
		return -EINVAL;
	for (uint32_t i = routes->count; i > at; i--)
		routes->routes[i] = routes->routes[i - 1];
	routes->routes[at] = *route;
	routes->count++;
	return 0;
}

static int parse(const struct kvm_irq_routing_entry *entry, uint32_t api_flags, struct route *out)
{
	struct apic_message message;

	if (entry->type != KVM_IRQ_ROUTING_MSI || entry->gsi >= ROUTES_MAX ||
	    (entry->flags & ~(uint32_t)KVM_MSI_VALID_DEVID))
		return -EINVAL;
	*out = (struct route){
		.gsi = entry->gsi,
		.data = entry->u.msi.data,
		.address = (uint64_t)entry->u.msi.address_hi << 32 | entry->u.msi.address_lo,
	};
	return apic_message_from_msi(out->address, out->data, api_flags, &message);
}

int routes_create(const struct kvm_irq_routing_entry *entries, uint32_t count, uint32_t api_flags,
		  struct routes **out)
{
	struct routes *routes = kmalloc(sizeof(*routes) + count * sizeof(routes->routes[0]));
	struct route route;
	int err = 0;

	if (!routes)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++) {
		err = parse(&entries[i], api_flags, &route);
		if (!err)
			err = insert(routes, &route);
	}
	if (err) {
		kfree(routes);
		return err;
	}
	*out = routes;
	return 0;
}

static struct apic_vectors wanted_vectors(const struct routes *routes, uint32_t nr_pins)
{
	struct apic_vectors wanted = { 0 };
	struct apic_message message;

	for (uint32_t i = 0; i < routes->count && routes->routes[i].gsi < nr_pins; i++) {
		const struct route *route = &routes->routes[i];

		if (!apic_message_from_msi(route->address, route->data, 0, &message) &&
		    message.is_level)
			vectors_add(&wanted, message.vector);
	}
	return wanted;
}

void routing_replace(struct routing *routing, struct routes *routes, uint32_t nr_pins)
{
	struct apic_vectors wanted = wanted_vectors(routes, nr_pins);
	uint64_t flags = spin_lock_irqsave(&routing->lock);
	struct routes *old = routing->routes;

	routing->routes = routes;
	for (uint32_t i = 0; i < ARRAY_SIZE(wanted.words); i++)
		__atomic_store_n(&routing->wanted.words[i], wanted.words[i], __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&routing->lock, flags);
	kfree(old);
}

void routing_destroy(struct routing *routing)
{
	kfree(routing->routes);
	routing->routes = NULL;
}

bool routing_find(struct routing *routing, uint32_t gsi, struct route *out)
{
	uint64_t flags = spin_lock_irqsave(&routing->lock);
	const struct routes *routes = routing->routes;
	uint32_t at = routes ? lower_bound(routes, gsi) : 0;
	bool is_there = routes && at < routes->count && routes->routes[at].gsi == gsi;

	if (is_there)
		*out = routes->routes[at];
	spin_unlock_irqrestore(&routing->lock, flags);
	return is_there;
}
