/*
 * What CPUID answers: see cpuid.h.
 */
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/kvm/cpuid.h"
#include "kernel/mem/object.h"

enum {
	LEAF_FEATURES = 1,
	LEAF_MORE_FEATURES = 7,
	LEAF_TOPOLOGY = 0xb,
	LEAF_XSAVE = 0xd,
	LEAF_TOPOLOGY2 = 0x1f,

	ECX_OSXSAVE = 1 << 27, /* of leaf 1 */
	EDX_APIC = 1 << 9,
	ECX_OSPKE = 1 << 4,  /* of leaf 7 */
	EAX_XSAVEC = 1 << 1, /* of leaf 0xd, 1 */
	EAX_XSAVES = 1 << 3,
	ECX_XSAVE_ALIGNED = 1 << 1, /* of leaf 0xd, from 2 on */

	XSAVE_LEGACY_BYTES = 512,
	XSAVE_HEADER_BYTES = 64,
	XSAVE_COMPONENTS = 63,

	PHYS_BITS_DEFAULT = 36,
	PHYS_BITS_MAX = 52,
};

#define LEAF_EXTENDED	0x80000000u
#define LEAF_HYPERVISOR 0x40000000u

enum cpuid_register { EAX, EBX, ECX, EDX };

/* What features[] caches: in the order of enum cpuid_feature. */
static const struct {
	uint32_t leaf;
	enum cpuid_register from;
} cpuid_words[] = {
	{ LEAF_FEATURES, ECX },	     { LEAF_FEATURES, EDX },	  { LEAF_MORE_FEATURES, EBX },
	{ LEAF_MORE_FEATURES, ECX }, { LEAF_MORE_FEATURES, EDX }, { LEAF_EXTENDED | 1, ECX },
	{ LEAF_EXTENDED | 1, EDX },  { LEAF_EXTENDED | 8, EBX },
};
static_assert(ARRAY_SIZE(cpuid_words) == sizeof(((struct cpuid_table *)0)->features) / 4,
	      "cpuid.h");

bool cpuid_host_has(const struct cpuid_host *host, enum cpuid_feature feature)
{
	uint32_t word = feature >> 5, out[4];

	host->read(cpuid_words[word].leaf, 0, out);
	return out[cpuid_words[word].from] >> (feature & 31) & 1;
}

/* --- finding --- */

/* In table->first; -1: a leaf that isn't indexed. */
static int place_of(uint32_t leaf)
{
	uint32_t range = leaf >> 30, nth = leaf & 0x3fffffff;

	return range < CPUID_RANGES && nth < CPUID_RANGE_LEAVES
		       ? (int)(range * CPUID_RANGE_LEAVES + nth)
		       : -1;
}

static bool is_meant(const struct kvm_cpuid_entry2 *entry, uint32_t leaf, uint32_t index)
{
	return entry->function == leaf &&
	       (entry->index == index || !(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX));
}

static const struct kvm_cpuid_entry2 *find(const struct cpuid_table *table, uint32_t leaf,
					   uint32_t index)
{
	int place = place_of(leaf);
	uint32_t i = 0;

	if (place >= 0) {
		if (!table->first[place])
			return NULL;
		i = table->first[place] - 1u;
	}
	for (; i < table->count; i++)
		if (is_meant(&table->entries[i], leaf, index))
			return &table->entries[i];
	return NULL;
}

static void index_leaves(struct cpuid_table *table)
{
	memset(table->first, 0, sizeof(table->first));
	for (uint32_t i = table->count; i-- > 0;) {
		int place = place_of(table->entries[i].function);

		if (place >= 0)
			table->first[place] = (uint16_t)(i + 1);
	}
}

static uint32_t register_of(const struct kvm_cpuid_entry2 *entry, enum cpuid_register which)
{
	const uint32_t registers[] = { entry->eax, entry->ebx, entry->ecx, entry->edx };

	return registers[which];
}

static bool has_vendor(const struct kvm_cpuid_entry2 *entry, const char *vendor)
{
	uint32_t words[3];

	memcpy(words, vendor, sizeof(words));
	return entry->ebx == words[0] && entry->edx == words[1] && entry->ecx == words[2];
}

static uint8_t phys_bits_of(const struct cpuid_table *table)
{
	const struct kvm_cpuid_entry2 *entry = find(table, LEAF_EXTENDED | 8, 0);
	uint32_t bits = entry ? entry->eax & 0xff : PHYS_BITS_DEFAULT;

	if (bits < PHYS_BITS_DEFAULT)
		return PHYS_BITS_DEFAULT;
	return (uint8_t)(bits < PHYS_BITS_MAX ? bits : PHYS_BITS_MAX);
}

void cpuid_table_set(struct cpuid_table *table, struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	const struct kvm_cpuid_entry2 *basic;

	kfree(table->entries);
	table->entries = entries;
	table->count = count;
	index_leaves(table);
	for (uint32_t i = 0; i < ARRAY_SIZE(cpuid_words); i++) {
		const struct kvm_cpuid_entry2 *entry = find(table, cpuid_words[i].leaf, 0);

		table->features[i] = entry ? register_of(entry, cpuid_words[i].from) : 0;
	}
	basic = find(table, 0, 0);
	table->is_amd = basic &&
			(has_vendor(basic, "AuthenticAMD") || has_vendor(basic, "AMDisbetter!") ||
			 has_vendor(basic, "HygonGenuine"));
	table->phys_bits = phys_bits_of(table);
}

void cpuid_table_destroy(struct cpuid_table *table)
{
	kfree(table->entries);
	*table = (struct cpuid_table){ 0 };
}

/* --- bits that follow the vCPU's state --- */

/* Of an XSAVE area with these components, by the sizes that the guest was told. */
static uint32_t xsave_bytes(const struct cpuid_table *table, uint64_t components, bool is_compacted)
{
	uint32_t bytes = XSAVE_LEGACY_BYTES + XSAVE_HEADER_BYTES;

	for (uint32_t i = 2; i < XSAVE_COMPONENTS; i++) {
		const struct kvm_cpuid_entry2 *entry;
		uint32_t start;

		if (!(components >> i & 1))
			continue;
		entry = find(table, LEAF_XSAVE, i);
		if (!entry)
			continue;
		start = entry->ebx;
		if (is_compacted)
			start = entry->ecx & ECX_XSAVE_ALIGNED ? (bytes + 63) & ~63u : bytes;
		if (start + entry->eax > bytes)
			bytes = start + entry->eax;
	}
	return bytes;
}

static void assign(uint32_t *word, uint32_t bit, bool value)
{
	*word = value ? *word | bit : *word & ~bit;
}

static void follow_state(const struct cpuid_table *table, const struct cpuid_live *live,
			 uint32_t leaf, uint32_t index, uint32_t out[4])
{
	if (leaf == LEAF_FEATURES) {
		if (cpuid_has(table, CPUID_XSAVE))
			assign(&out[ECX], ECX_OSXSAVE, live->cr4 & X86_CR4_OSXSAVE);
		assign(&out[EDX], EDX_APIC, live->is_apic_enabled);
	} else if (leaf == LEAF_MORE_FEATURES && !index) {
		if (cpuid_has(table, CPUID_PKU))
			assign(&out[ECX], ECX_OSPKE, live->cr4 & X86_CR4_PKE);
	} else if (leaf == LEAF_XSAVE && !index) {
		out[EBX] = xsave_bytes(table, live->xcr0, false);
	} else if (leaf == LEAF_XSAVE && index == 1) {
		if (out[EAX] & (EAX_XSAVEC | EAX_XSAVES))
			out[EBX] = xsave_bytes(table, live->xcr0 | live->xss, true);
	}
}

void cpuid_follow(const struct cpuid_table *table, const struct cpuid_live *live,
		  struct kvm_cpuid_entry2 *entry)
{
	uint32_t out[4] = { entry->eax, entry->ebx, entry->ecx, entry->edx };

	follow_state(table, live, entry->function, entry->index, out);
	entry->eax = out[EAX];
	entry->ebx = out[EBX];
	entry->ecx = out[ECX];
	entry->edx = out[EDX];
}

/* --- answering --- */

static bool follows_state(uint32_t leaf)
{
	return leaf == LEAF_FEATURES || leaf == LEAF_MORE_FEATURES || leaf == LEAF_XSAVE;
}

const struct kvm_cpuid_entry2 *cpuid_find_plain(const struct cpuid_table *table, uint32_t leaf)
{
	const struct kvm_cpuid_entry2 *entry;
	int place = place_of(leaf);

	if (place < 0 || !table->first[place] || follows_state(leaf))
		return NULL;
	entry = &table->entries[table->first[place] - 1];
	return entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX ? NULL : entry;
}

/*
 * Intel's processors answer for leaves beyond the highest of their class with the highest basic leaf; AMD's with zeros.
 * Returns the leaf to look up instead; *leaf as it was: it is in range.
 */
static void redirect_out_of_range(const struct cpuid_table *table, uint32_t *leaf)
{
	const struct kvm_cpuid_entry2 *basic = find(table, 0, 0), *class;

	if (!basic || table->is_amd)
		return;
	if (*leaf >= LEAF_HYPERVISOR && *leaf < LEAF_HYPERVISOR + 0x10000000)
		class = find(table, *leaf & 0xffffff00, 0);
	else
		class = find(table, *leaf & LEAF_EXTENDED, 0);
	if (!class || *leaf > class->eax)
		*leaf = basic->eax;
}

/* A topology leaf's levels beyond the last still say which processor this is. */
static void answer_topology_end(const struct cpuid_table *table, uint32_t leaf, uint32_t index,
				uint32_t out[4])
{
	const struct kvm_cpuid_entry2 *core = find(table, leaf, 1);

	if (!core)
		return;
	out[ECX] = index & 0xff;
	out[EDX] = core->edx;
}

bool cpuid_answer(const struct cpuid_table *table, const struct cpuid_live *live, uint32_t leaf,
		  uint32_t index, uint32_t out[4])
{
	const struct kvm_cpuid_entry2 *entry = find(table, leaf, index);

	if (!entry) {
		redirect_out_of_range(table, &leaf);
		entry = find(table, leaf, index);
	}
	if (entry) {
		out[EAX] = entry->eax;
		out[EBX] = entry->ebx;
		out[ECX] = entry->ecx;
		out[EDX] = entry->edx;
		if (!follows_state(leaf))
			return true;
		if (live)
			follow_state(table, live, leaf, index, out);
		return live;
	}
	out[EAX] = out[EBX] = out[ECX] = out[EDX] = 0;
	if (leaf == LEAF_TOPOLOGY || leaf == LEAF_TOPOLOGY2)
		answer_topology_end(table, leaf, index, out);
	return true;
}
