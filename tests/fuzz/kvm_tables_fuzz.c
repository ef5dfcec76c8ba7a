/*
 * Tables that ring 3 hands to /dev/kvm, any bytes: CPUID leaves, interrupt routes, ioeventfds, memory slots. What must hold: every
 * question about them has an answer within bounds, and what is in a table that was accepted is as its header says.
 */
#include <string.h>

#include "kernel/kvm/cpuid.h"
#include "kernel/kvm/ioeventfd.h"
#include "kernel/kvm/memslot.h"
#include "kernel/kvm/routing.h"
#include "tests/support/fuzz_script.h"
#include "tests/support/kmalloc.h"

/* A copy of whole elements, as the kernel has it: the rest isn't there. */
static void *elements(const uint8_t *bytes, size_t size, size_t each, uint32_t max, uint32_t *count)
{
	void *copy;

	*count = (uint32_t)(size / each < max ? size / each : max);
	copy = kmalloc(*count * each + 1);
	if (*count)
		memcpy(copy, bytes, *count * each);
	return copy;
}

static void ask_cpuid(const uint8_t *bytes, size_t size)
{
	struct cpuid_live live = { .cr4 = ~UINT64_C(0), .xcr0 = ~UINT64_C(0), .xss = ~UINT64_C(0) };
	struct cpuid_table table = { 0 };
	struct kvm_cpuid_entry2 *entries;
	uint32_t count, out[4];

	entries = elements(bytes, size, sizeof(*entries), CPUID_ENTRIES_MAX, &count);
	cpuid_table_set(&table, entries, count);
	fuzz_claim(table.phys_bits >= 36 && table.phys_bits <= 52);
	for (uint32_t i = 0; i < count; i++) {
		cpuid_answer(&table, &live, entries[i].function, entries[i].index, out);
		cpuid_answer(&table, &live, entries[i].function + 1, ~0u, out);
		cpuid_answer(&table, &live, entries[i].eax, entries[i].ecx, out);
		cpuid_follow(&table, &live, &entries[i]);
	}
	cpuid_table_destroy(&table);
}

static void route(const uint8_t *bytes, size_t size, uint32_t api_flags)
{
	struct kvm_irq_routing_entry *entries;
	struct routing routing = { 0 };
	struct routes *routes;
	struct route found;
	uint32_t count;

	entries = elements(bytes, size, sizeof(*entries), ROUTES_MAX, &count);
	if (!routes_create(entries, count, api_flags & 3, &routes)) {
		fuzz_claim(routes->count == count);
		routing_replace(&routing, routes, 24);
		for (uint32_t i = 0; i < count; i++) {
			fuzz_claim(!i || routes->routes[i].gsi > routes->routes[i - 1].gsi);
			fuzz_claim(routing_find(&routing, entries[i].gsi, &found));
			fuzz_claim(found.data == entries[i].u.msi.data);
		}
		routing_destroy(&routing);
	}
	kfree(entries);
}

static void change_ioeventfds(const uint8_t *bytes, size_t size)
{
	struct ioeventfds table = { 0 };
	struct kvm_ioeventfd *args;
	uint32_t count;

	args = elements(bytes, size, sizeof(*args), 200, &count);
	for (uint32_t i = 0; i < count; i++) {
		const struct ioeventfd *found;
		struct ioeventfd item;

		if (ioeventfd_parse(&args[i], &item))
			continue;
		if (args[i].flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
			(void)!ioeventfds_remove(&table, &item);
			continue;
		}
		if (ioeventfds_add(&table, &item)) {
			fuzz_claim(ioeventfds_collide(&table, &item));
			continue;
		}
		found = ioeventfds_match(&table, item.bus, item.address, item.bytes,
					 item.datamatch);
		fuzz_claim(found && found->address == item.address && found->bus == item.bus);
	}
	kfree(table.items);
	kfree(args);
}

static void check_slots(struct memslots *slots)
{
	for (uint32_t i = 0; i < slots->count; i++) {
		const struct memslot *slot = &slots->slots[i];

		fuzz_claim(slot->start < slot->end && slot->id < MEMSLOTS_MAX);
		fuzz_claim(!i || slots->slots[i - 1].end <= slot->start);
		fuzz_claim(memslots_find(slots, gpa(slot->end - 1)) == slot);
		fuzz_claim(memslots_find_id(slots, slot->id) == slot);
	}
}

static void change_slots(const uint8_t *bytes, size_t size)
{
	struct kvm_userspace_memory_region *regions;
	struct memslots *slots = NULL, *new;
	uint32_t count;

	regions = elements(bytes, size, sizeof(*regions), 100, &count);
	for (uint32_t i = 0; i < count; i++) {
		/* Or hardly any would do. */
		regions[i].slot %= 8;
		regions[i].guest_phys_addr &= ~UINT64_C(0xfff);
		regions[i].memory_size &= 0x3fffff000;
		regions[i].userspace_addr &= 0x7ffffffff000;
		if (memslots_change(slots, &regions[i], &new))
			continue;
		kfree(slots);
		slots = new;
		check_slots(slots);
	}
	kfree(slots);
	kfree(regions);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (!size)
		return 0;
	switch (bytes[0] & 3) {
	case 0:
		ask_cpuid(bytes + 1, size - 1);
		break;
	case 1:
		route(bytes + 1, size - 1, bytes[0] >> 2);
		break;
	case 2:
		change_ioeventfds(bytes + 1, size - 1);
		break;
	default:
		change_slots(bytes + 1, size - 1);
		break;
	}
	return 0;
}
