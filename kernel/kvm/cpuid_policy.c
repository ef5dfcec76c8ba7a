/*
 * What a guest may be told by CPUID: the host's own answers, cut down to what is virtualized here.
 *
 * A feature is in the masks below if a guest that uses it gets what the manual says without this kernel doing anything (plain
 * instructions, and state that XSAVE covers), or if this kernel does it. Not here, so not offered: nested virtualization,
 * performance counters, MONITOR and MWAIT, debug store, SPEC_CTRL and its kin, transactional memory, protection keys, five-level
 * paging, shadow stacks, AMX. The TSC deadline timer is a capability and not a bit here, as the API document wants it.
 *
 * Source: KVM API, "KVM_GET_SUPPORTED_CPUID"; Documentation/virt/kvm/x86/cpuid.rst; AMD APM vol. 3, appendix E.
 */
#include <errno.h>
#include <linux/kvm_para.h>
#include <stddef.h>
#include <string.h>

#include "kernel/kvm/cpuid.h"

#define BIT(n) (UINT32_C(1) << (n))

/* Leaf 1. */
#define MASK_1_ECX                                                                               \
	(BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ |   \
	 BIT(13) /* CX16 */ | BIT(17) /* PCID */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | \
	 BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(26) /* XSAVE */ |  \
	 BIT(28) /* AVX */ | BIT(29) /* F16C */ | BIT(30) /* RDRAND */)
#define ADDED_1_ECX BIT(21) /* x2APIC; that there is a hypervisor is ring 3's to say */
#define MASK_1_EDX                                                                              \
	(BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ | BIT(3) /* PSE */ |             \
	 BIT(4) /* TSC */ | BIT(5) /* MSR */ | BIT(6) /* PAE */ | BIT(7) /* MCE */ |            \
	 BIT(8) /* CX8 */ | BIT(9) /* APIC */ | BIT(11) /* SEP */ | BIT(12) /* MTRR */ |        \
	 BIT(13) /* PGE */ | BIT(14) /* MCA */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ |       \
	 BIT(17) /* PSE36 */ | BIT(19) /* CLFLUSH */ | BIT(23) /* MMX */ | BIT(24) /* FXSR */ | \
	 BIT(25) /* SSE */ | BIT(26) /* SSE2 */ | BIT(27) /* self-snoop */)

/* Leaf 7, 0 and 1. */
#define MASK_7_EBX                                                                                 \
	(BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | BIT(6) /* FDP_EXCPTN */ | \
	 BIT(7) /* SMEP */ | BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ | BIT(10) /* INVPCID */ |       \
	 BIT(13) /* no FCS, FDS */ | BIT(16) /* AVX512F */ | BIT(17) /* DQ */ |                    \
	 BIT(18) /* RDSEED */ | BIT(19) /* ADX */ | BIT(20) /* SMAP */ | BIT(21) /* IFMA */ |      \
	 BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ | BIT(28) /* CD */ | BIT(29) /* SHA */ |    \
	 BIT(30) /* BW */ | BIT(31) /* VL */)
#define ADDED_7_EBX BIT(1) /* TSC_ADJUST */
#define MASK_7_ECX                                                                        \
	(BIT(1) /* VBMI */ | BIT(2) /* UMIP */ | BIT(6) /* VBMI2 */ | BIT(8) /* GFNI */ | \
	 BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ | BIT(11) /* VNNI */ |              \
	 BIT(12) /* BITALG */ | BIT(14) /* VPOPCNTDQ */ | BIT(22) /* RDPID */ |           \
	 BIT(25) /* CLDEMOTE */ | BIT(27) /* MOVDIRI */ | BIT(28) /* MOVDIR64B */)
#define MASK_7_EDX                                                                \
	(BIT(4) /* FSRM */ | BIT(8) /* VP2INTERSECT */ | BIT(10) /* MD_CLEAR */ | \
	 BIT(14) /* SERIALIZE */ | BIT(23) /* FP16 */)
#define MASK_7_1_EAX                                                                           \
	(BIT(4) /* AVX_VNNI */ | BIT(5) /* BF16 */ | BIT(10) /* FZRM */ | BIT(11) /* FSRS */ | \
	 BIT(12) /* FSRC */ | BIT(23) /* AVX_IFMA */)

/* Leaf 0xd, 1: XSAVES too, with no component that only it knows. */
#define MASK_D_1_EAX (BIT(0) /* OPT */ | BIT(1) /* C */ | BIT(2) /* XGETBV1 */ | BIT(3) /* S */)

/* Leaf 0x80000001, 7, 8, 0x21. */
#define MASK_EXT_ECX                                                                           \
	(BIT(0) /* LAHF */ | BIT(1) /* CMP_LEGACY */ | BIT(4) /* CR8_LEGACY */ |               \
	 BIT(5) /* ABM */ | BIT(6) /* SSE4A */ | BIT(7) /* misaligned SSE */ |                 \
	 BIT(8) /* PREFETCHW */ | BIT(9) /* OSVW */ | BIT(11) /* XOP */ | BIT(16) /* FMA4 */ | \
	 BIT(21) /* TBM */ | BIT(22) /* TOPOEXT */)
#define MASK_EXT_EDX                                                                 \
	((MASK_1_EDX & 0x0183f3ff) | BIT(11) /* SYSCALL */ | BIT(20) /* NX */ |      \
	 BIT(22) /* MMXEXT */ | BIT(25) /* FXSR_OPT */ | BIT(26) /* 1 GiB pages */ | \
	 BIT(27) /* RDTSCP */ | BIT(29) /* long mode */ | BIT(30) /* 3DNOW2 */ |     \
	 BIT(31) /* 3DNOW */)
#define MASK_EXT_8_EBX (BIT(0) /* CLZERO */ | BIT(2) /* XSAVEERPTR */ | BIT(9) /* WBNOINVD */)
#define MASK_EXT_21_EAX                                                             \
	(BIT(0) /* no nested data breakpoints */ | BIT(2) /* LFENCE serializes */ | \
	 BIT(6) /* null selectors clear the base */)
#define INVARIANT_TSC BIT(8)

#define PV_FEATURES                                                                              \
	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |                          \
	 BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_STEAL_TIME) | BIT(KVM_FEATURE_PV_EOI) | \
	 BIT(KVM_FEATURE_PV_UNHALT) | BIT(KVM_FEATURE_PV_TLB_FLUSH) |                            \
	 BIT(KVM_FEATURE_PV_SEND_IPI) | BIT(KVM_FEATURE_POLL_CONTROL) |                          \
	 BIT(KVM_FEATURE_PV_SCHED_YIELD) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))

#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_EXTENDED	0x80000000u

enum {
	LEAF_BASIC_MAX = 0x1f,
	LEAF_EXTENDED_MAX = 0x21,
	LEAF_XSAVE = 0xd,
	ARAT = 4,		/* leaf 6: the APIC's timer always runs */
	CLFLUSH_BYTES = 0xff00, /* of leaf 1's EBX: all but what belongs to one processor */
	CACHES_MAX = 16,
	COMPONENTS_MAX = 63,
	NESTED_BITS = 48, /* four levels of nested tables */
	LINEAR_BITS = 48,
};

/* A list under construction; what no longer fits is only counted. */
struct list_of_entries {
	const struct cpuid_host *host;
	struct kvm_cpuid_entry2 *entries;
	uint32_t count, max;
};

static struct kvm_cpuid_entry2 host_entry(const struct cpuid_host *host, uint32_t leaf,
					  uint32_t index)
{
	uint32_t words[4];

	host->read(leaf, index, words);
	return (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = index,
		.eax = words[0],
		.ebx = words[1],
		.ecx = words[2],
		.edx = words[3],
	};
}

static void append(struct list_of_entries *list, const struct kvm_cpuid_entry2 *entry)
{
	if (list->count < list->max)
		list->entries[list->count] = *entry;
	list->count++;
}

static void append_indexed(struct list_of_entries *list, struct kvm_cpuid_entry2 entry)
{
	entry.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	append(list, &entry);
}

static void clear(struct kvm_cpuid_entry2 *entry)
{
	entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
}

/* --- leaves that are lists --- */

/* Leaves 4 and 0x8000001d: the last one's type is "none". */
static void append_caches(struct list_of_entries *list, uint32_t leaf)
{
	for (uint32_t i = 0; i < CACHES_MAX; i++) {
		struct kvm_cpuid_entry2 entry = host_entry(list->host, leaf, i);

		append_indexed(list, entry);
		if (!(entry.eax & 0x1f))
			break;
	}
}

static void append_features7(struct list_of_entries *list)
{
	struct kvm_cpuid_entry2 first = host_entry(list->host, 7, 0), second;

	first.eax = first.eax > 1 ? 1 : first.eax;
	first.ebx = (first.ebx & MASK_7_EBX) | ADDED_7_EBX;
	first.ecx &= MASK_7_ECX;
	first.edx &= MASK_7_EDX;
	append_indexed(list, first);
	if (!first.eax)
		return;
	second = host_entry(list->host, 7, 1);
	second.eax &= MASK_7_1_EAX;
	second.ebx = second.ecx = second.edx = 0;
	append_indexed(list, second);
}

static uint32_t xsave_end(const struct cpuid_host *host)
{
	uint32_t end = 576;

	for (uint32_t i = 2; i < COMPONENTS_MAX; i++) {
		struct kvm_cpuid_entry2 entry;

		if (!(host->xcr0 >> i & 1))
			continue;
		entry = host_entry(host, LEAF_XSAVE, i);
		if (entry.ebx + entry.eax > end)
			end = entry.ebx + entry.eax;
	}
	return end;
}

static void append_xsave(struct list_of_entries *list)
{
	uint64_t xcr0 = list->host->xcr0;
	struct kvm_cpuid_entry2 entry = host_entry(list->host, LEAF_XSAVE, 0);

	entry.eax = (uint32_t)xcr0;
	entry.edx = (uint32_t)(xcr0 >> 32);
	entry.ebx = entry.ecx = xcr0 ? xsave_end(list->host) : 0;
	append_indexed(list, entry);
	if (!xcr0)
		return;

	entry = host_entry(list->host, LEAF_XSAVE, 1);
	entry.eax &= MASK_D_1_EAX;
	entry.ebx = entry.eax & (BIT(1) | BIT(3)) ? xsave_end(list->host) : 0;
	entry.ecx = entry.edx = 0;
	append_indexed(list, entry);

	for (uint32_t i = 2; i < COMPONENTS_MAX; i++) {
		if (!(xcr0 >> i & 1))
			continue;
		entry = host_entry(list->host, LEAF_XSAVE, i);
		entry.edx = 0;
		append_indexed(list, entry);
	}
}

/* --- leaves of one entry --- */

static void restrict_basic(struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0:
		entry->eax = entry->eax > LEAF_BASIC_MAX ? LEAF_BASIC_MAX : entry->eax;
		break;
	case 1:
		entry->ebx &= CLFLUSH_BYTES;
		entry->ecx = (entry->ecx & MASK_1_ECX) | ADDED_1_ECX;
		entry->edx &= MASK_1_EDX;
		break;
	case 2: /* descriptors of caches: Intel's */
		break;
	case 6:
		clear(entry);
		entry->eax = ARAT;
		break;
	case 0xb: /* no topology but what ring 3 fills in */
	case 0x1f:
		clear(entry);
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		break;
	default:
		clear(entry);
		break;
	}
}

static void restrict_extended(const struct cpuid_host *host, struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function & ~LEAF_EXTENDED) {
	case 0:
		if (entry->eax > (LEAF_EXTENDED | LEAF_EXTENDED_MAX))
			entry->eax = LEAF_EXTENDED | LEAF_EXTENDED_MAX;
		break;
	case 1:
		entry->ecx &= MASK_EXT_ECX;
		entry->edx &= MASK_EXT_EDX;
		break;
	case 2: /* the processor's name */
	case 3:
	case 4:
	case 5: /* first and second level caches and translations */
	case 6:
	case 0x19:
	case 0x1a: /* hints on performance */
		break;
	case 7:
		clear(entry);
		entry->edx = host->has_invariant_tsc ? INVARIANT_TSC : 0;
		break;
	case 8:
		entry->eax = cpuid_host_phys_bits(host) | LINEAR_BITS << 8;
		entry->ebx &= MASK_EXT_8_EBX;
		entry->ecx = entry->edx = 0;
		break;
	case 0x21:
		entry->eax &= MASK_EXT_21_EAX;
		entry->ebx = entry->ecx = entry->edx = 0;
		break;
	default:
		clear(entry);
		break;
	}
}

static void append_basic(struct list_of_entries *list, uint32_t leaf)
{
	struct kvm_cpuid_entry2 entry;

	switch (leaf) {
	case 4:
		append_caches(list, leaf);
		return;
	case 7:
		append_features7(list);
		return;
	case LEAF_XSAVE:
		append_xsave(list);
		return;
	default:
		entry = host_entry(list->host, leaf, 0);
		restrict_basic(&entry);
		append(list, &entry);
	}
}

static void append_extended(struct list_of_entries *list, uint32_t leaf)
{
	struct kvm_cpuid_entry2 entry;

	if (leaf == (LEAF_EXTENDED | 0x1d)) {
		append_caches(list, leaf);
		return;
	}
	entry = host_entry(list->host, leaf, 0);
	restrict_extended(list->host, &entry);
	append(list, &entry);
}

static void append_hypervisor(struct list_of_entries *list)
{
	struct kvm_cpuid_entry2 signature = { .function = LEAF_HYPERVISOR,
					      .eax = LEAF_HYPERVISOR | 1 },
				features = { .function = LEAF_HYPERVISOR | 1, .eax = PV_FEATURES };

	memcpy(&signature.ebx, "KVMK", 4);
	memcpy(&signature.ecx, "VMKV", 4);
	memcpy(&signature.edx, "M\0\0\0", 4);
	append(list, &signature);
	append(list, &features);
}

int cpuid_supported(const struct cpuid_host *host, struct kvm_cpuid_entry2 *entries, uint32_t max)
{
	struct list_of_entries list = { .host = host, .entries = entries, .max = max };
	struct kvm_cpuid_entry2 basic = host_entry(host, 0, 0),
				extended = host_entry(host, LEAF_EXTENDED, 0);

	restrict_basic(&basic);
	restrict_extended(host, &extended);
	for (uint32_t leaf = 0; leaf <= basic.eax; leaf++)
		append_basic(&list, leaf);
	append_hypervisor(&list);
	if (extended.eax >= LEAF_EXTENDED)
		for (uint32_t leaf = LEAF_EXTENDED; leaf <= extended.eax; leaf++)
			append_extended(&list, leaf);
	return list.count <= max ? (int)list.count : -E2BIG;
}

uint32_t cpuid_host_phys_bits(const struct cpuid_host *host)
{
	struct kvm_cpuid_entry2 extended = host_entry(host, LEAF_EXTENDED, 0);
	uint32_t bits = 36;

	if (extended.eax >= (LEAF_EXTENDED | 8))
		bits = host_entry(host, LEAF_EXTENDED | 8, 0).eax & 0xff;
	return bits < NESTED_BITS ? bits : NESTED_BITS;
}
