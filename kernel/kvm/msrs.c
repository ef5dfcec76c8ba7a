/*
 * A vCPU's model-specific registers: see msrs.h.
 *
 * Where AMD's and Intel's manuals leave a choice, and for registers that only describe a board that isn't there,
 * this does as KVM does: guests have been tried on that.
 */
#include <errno.h>
#include <linux/kvm_para.h>
#include <stddef.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/kvm/mtrr.h"
#include "kernel/kvm/vcpu.h"

enum msr_kept {
	MSR_FIXED,     /* always .value */
	MSR_SLOT,      /* in msrs->values, .value after RESET */
	MSR_HARDWARE,  /* in the processor's part: virt->get_msr(), set_msr() */
	MSR_ELSEWHERE, /* .get() and .set() know */
};

enum {
	MSR_IS_STATE = 1 << 0,	   /* in KVM_GET_MSR_INDEX_LIST */
	MSR_IS_FEATURE = 1 << 1,   /* in KVM_GET_MSR_FEATURE_INDEX_LIST */
	MSR_HOST_WRITES = 1 << 2,  /* the guest's write is #GP */
	MSR_DROPS_WRITES = 1 << 3, /* the guest's write is nothing */
	MSR_NO_WRITES = 1 << 4,
	MSR_HOST_ONLY = 1 << 5, /* the guest has no such register */
};

enum { ALWAYS = -1 };

struct msr_row {
	uint32_t number, count;
	const char *name;
	enum msr_kept kept;
	uint32_t flags;
	uint32_t slot;
	int needs;	/* enum cpuid_feature that the guest must have been told of; ALWAYS */
	uint64_t value; /* after RESET, or fixed */
	uint64_t valid; /* bits that may be set */
	bool (*is_valid)(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host);
	int (*get)(struct vcpu *vcpu, uint32_t msr, uint64_t *out);
	int (*set)(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host);
};

#define MSR_MTRR_BASE0		0x200u
#define MSR_MC0_CTL		0x400u
#define EFER_FFXSR		(UINT64_C(1) << 14)
#define MISC_PMU_BITS		UINT64_C(0x1880) /* performance monitoring, no BTS, no PEBS */
#define MISC_RESET		UINT64_C(0x1800)
#define HWCR_MC_STATUS_WRITABLE (UINT64_C(1) << 18)
#define HWCR_DROPPED		UINT64_C(0x148) /* TLB cache, flush filter, IGNNE: chipsets' bits */
#define MICROCODE_RESET		UINT64_C(0x01000065)
#define ALL_BITS		UINT64_MAX

/* --- memory types --- */

static bool pat_fits(struct vcpu *vcpu UNUSED, uint32_t msr UNUSED, uint64_t value,
		     bool is_host UNUSED)
{
	return pat_is_valid(value);
}

static bool mtrr_fixed_fits(struct vcpu *vcpu UNUSED, uint32_t msr UNUSED, uint64_t value,
			    bool is_host UNUSED)
{
	return mtrr_fixed_is_valid(value);
}

static bool mtrr_default_fits(struct vcpu *vcpu UNUSED, uint32_t msr UNUSED, uint64_t value,
			      bool is_host UNUSED)
{
	return mtrr_default_is_valid(value);
}

static bool mtrr_variable_fits(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host UNUSED)
{
	uint32_t bits = cpuid_phys_bits(vcpu);

	return msr & 1 ? mtrr_mask_is_valid(value, bits) : mtrr_base_is_valid(value, bits);
}

/* --- machine checks --- */

static uint32_t nr_banks(const struct vcpu *vcpu)
{
	uint32_t banks = vcpu->msrs.values[MSR_SLOT_MCG_CAP] & 0xff;

	return banks < MSRS_BANKS_MAX ? banks : MSRS_BANKS_MAX;
}

static int get_bank(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	uint32_t at = msr - MSR_MC0_CTL;

	if (at / 4 >= nr_banks(vcpu))
		return -1;
	*out = vcpu->msrs.values[MSR_SLOT_MC_BANKS + at];
	return 0;
}

/*
 * A bank's control is all or nothing, but for bits 0 and 10, which Linux leaves clear on some processors; its status can be
 * cleared, and set only where HWCR says so.
 */
static int set_bank(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host)
{
	uint32_t at = msr - MSR_MC0_CTL;

	if (at / 4 >= nr_banks(vcpu))
		return -1;
	if (at % 4 == 0 && value && (value | 1 << 10 | 1) != ALL_BITS)
		return -1;
	if (at % 4 == 1 && value && !is_host &&
	    !(vcpu->msrs.values[MSR_SLOT_HWCR] & HWCR_MC_STATUS_WRITABLE))
		return -1;
	vcpu->msrs.values[MSR_SLOT_MC_BANKS + at] = value;
	return 0;
}

static int set_hwcr(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host UNUSED)
{
	value &= ~HWCR_DROPPED;
	if (value & ~HWCR_MC_STATUS_WRITABLE)
		return -1;
	vcpu->msrs.values[MSR_SLOT_HWCR] = value;
	return 0;
}

static int get_hwcr(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t *out)
{
	*out = vcpu->msrs.values[MSR_SLOT_HWCR];
	return 0;
}

static bool misc_enable_fits(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host)
{
	return is_host || !((value ^ vcpu->msrs.values[MSR_SLOT_MISC_ENABLE]) & MISC_PMU_BITS);
}

/* --- what the processor keeps --- */

static int get_efer(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	return virt->get_msr(vcpu->virt, msr, out) ? -1 : 0;
}

/* The processor's own: what it doesn't know it refuses to enter a guest with. */
static uint64_t host_efer(void)
{
	uint32_t out[4];

	cpuid_host()->read(0x80000001, 0, out);
	return EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE |
	       (out[3] >> (CPUID_FXSR_OPT & 31) & 1 ? EFER_FFXSR : 0);
}

static uint64_t allowed_efer(const struct vcpu *vcpu)
{
	return EFER_SCE | (cpuid_has(&vcpu->cpuid, CPUID_LONG_MODE) ? EFER_LME | EFER_LMA : 0) |
	       (cpuid_has(&vcpu->cpuid, CPUID_NX) ? EFER_NXE : 0) |
	       (cpuid_has(&vcpu->cpuid, CPUID_FXSR_OPT) ? EFER_FFXSR : 0);
}

/* Long mode is entered and left through CR0: LMA is the processor's, and LME stays while paging is on. */
static int set_efer(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host)
{
	uint64_t old;

	if ((value & ~host_efer()) || virt->get_msr(vcpu->virt, msr, &old))
		return -1;
	if (!is_host) {
		if (value & ~allowed_efer(vcpu))
			return -1;
		if ((virt->get_cr(vcpu->virt, 0) & X86_CR0_PG) && ((value ^ old) & EFER_LME))
			return -1;
	}
	value = (value & ~EFER_LMA) | (old & EFER_LMA);
	return virt->set_msr(vcpu->virt, msr, value) ? -1 : 0;
}

/* --- the local APIC --- */

static int get_apic_base(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t *out)
{
	*out = vcpu->lapic.base;
	return 0;
}

static int set_apic_base(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host)
{
	if (!vm_has_irqchip(vcpu->vm)) {
		vcpu->lapic.base = value;
		return 0;
	}
	return lapic_set_base(&vcpu->lapic, value, is_host) == LAPIC_BASE_REFUSED ? -1 : 0;
}

static int get_x2apic(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	if (!vm_has_irqchip(vcpu->vm))
		return -1;
	return lapic_msr_read(&vcpu->lapic, msr, clock_ns(), out) == LAPIC_DONE ? 0 : -1;
}

static int set_x2apic(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host UNUSED)
{
	if (!vm_has_irqchip(vcpu->vm))
		return -1;
	return (int)lapic_msr_write(&vcpu->lapic, msr, value, clock_ns());
}

static int get_tsc_deadline(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t *out)
{
	*out = vm_has_irqchip(vcpu->vm) ? lapic_tsc_deadline(&vcpu->lapic) : 0;
	return 0;
}

static int set_tsc_deadline(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value,
			    bool is_host UNUSED)
{
	if (vm_has_irqchip(vcpu->vm))
		lapic_set_tsc_deadline(&vcpu->lapic, value);
	return 0;
}

/* --- the time-stamp counter --- */

static int get_tsc(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t *out)
{
	*out = pvclock_tsc(vcpu);
	return 0;
}

static int set_tsc(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host)
{
	pvclock_set_tsc(vcpu, value, is_host);
	return 0;
}

static int get_tsc_adjust(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t *out)
{
	*out = vcpu->clock.tsc_adjust;
	return 0;
}

static int set_tsc_adjust(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host)
{
	pvclock_set_tsc_adjust(vcpu, value, is_host);
	return 0;
}

static int get_pv(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	return pvclock_get_msr(vcpu, msr, out);
}

static int set_pv(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host)
{
	return pvclock_set_msr(vcpu, msr, value, is_host);
}

/* An aligned word; and if it is to be used, one that is there. */
static bool pv_eoi_fits(struct vcpu *vcpu, uint32_t msr UNUSED, uint64_t value, bool is_host UNUSED)
{
	uint64_t at = value & ~(uint64_t)KVM_MSR_ENABLED, hva;

	return !(at % sizeof(uint32_t)) &&
	       (at == value || vm_find_hva(vcpu->vm, gpa(at), sizeof(uint32_t), true, &hva));
}

/* --- the table --- */

#define FIXED(first, many, label, is, and)                                              \
	{                                                                               \
		.number = (first), .count = (many), .name = (label), .kept = MSR_FIXED, \
		.flags = (and), .needs = ALWAYS, .value = (is), .valid = ALL_BITS       \
	}
#define IN_SLOT(first, many, label, in, is, may, and)                                        \
	{                                                                                    \
		.number = (first), .count = (many), .name = (label), .kept = MSR_SLOT,       \
		.flags = (and), .slot = (in), .needs = ALWAYS, .value = (is), .valid = (may) \
	}
#define CHECKED(first, many, label, in, is, check, and)                                          \
	{                                                                                        \
		.number = (first), .count = (many), .name = (label), .kept = MSR_SLOT,           \
		.flags = (and), .slot = (in), .needs = ALWAYS, .value = (is), .valid = ALL_BITS, \
		.is_valid = (check)                                                              \
	}
#define HARDWARE(first, many, label, feature, check, and)                                  \
	{                                                                                  \
		.number = (first), .count = (many), .name = (label), .kept = MSR_HARDWARE, \
		.flags = (and), .needs = (feature), .valid = ALL_BITS, .is_valid = (check) \
	}
#define ELSEWHERE(first, many, label, feature, getter, setter, and)                         \
	{                                                                                   \
		.number = (first), .count = (many), .name = (label), .kept = MSR_ELSEWHERE, \
		.flags = (and), .needs = (feature), .valid = ALL_BITS, .get = (getter),     \
		.set = (setter)                                                             \
	}

static const struct msr_row rows[] = {
	FIXED(0x00, 2, "P5_MC", 0, MSR_NO_WRITES),
	ELSEWHERE(0x10, 1, "TSC", ALWAYS, get_tsc, set_tsc, MSR_IS_STATE),
	ELSEWHERE(MSR_KVM_WALL_CLOCK, 2, "KVM_CLOCK_OLD", ALWAYS, get_pv, set_pv, MSR_IS_STATE),
	FIXED(0x17, 1, "PLATFORM_ID", 0, MSR_NO_WRITES),
	ELSEWHERE(0x1b, 1, "APIC_BASE", ALWAYS, get_apic_base, set_apic_base, 0),
	FIXED(0x2a, 1, "EBL_CR_POWERON", 0, MSR_NO_WRITES),
	FIXED(0x2c, 1, "EBC_FREQUENCY_ID", 1 << 24, MSR_NO_WRITES),
	ELSEWHERE(0x3b, 1, "TSC_ADJUST", CPUID_TSC_ADJUST, get_tsc_adjust, set_tsc_adjust,
		  MSR_IS_STATE),
	FIXED(0x79, 1, "MICROCODE_UPDATE", 0, MSR_DROPS_WRITES),
	IN_SLOT(0x8b, 1, "MICROCODE_REVISION", MSR_SLOT_MICROCODE, MICROCODE_RESET, ALL_BITS,
		MSR_IS_STATE | MSR_IS_FEATURE | MSR_DROPS_WRITES),
	FIXED(0xc1, 2, "PERFCTR", 0, MSR_DROPS_WRITES),
	FIXED(0xce, 1, "PLATFORM_INFO", 0, MSR_NO_WRITES),
	FIXED(0xfe, 1, "MTRR_CAP", 0x500 | MSRS_MTRR_VARIABLE, MSR_NO_WRITES),
	FIXED(0x140, 1, "MISC_FEATURES", 0, 0),
	HARDWARE(0x174, 3, "SYSENTER", ALWAYS, NULL, MSR_IS_STATE),
	IN_SLOT(0x179, 1, "MCG_CAP", MSR_SLOT_MCG_CAP, MSRS_BANKS_MAX, 0, MSR_NO_WRITES),
	IN_SLOT(0x17a, 1, "MCG_STATUS", MSR_SLOT_MCG_STATUS, 0, ALL_BITS, MSR_IS_STATE),
	FIXED(0x17b, 1, "MCG_CTL", 0, MSR_HOST_ONLY),
	FIXED(0x186, 2, "EVNTSEL", 0, MSR_DROPS_WRITES),
	FIXED(0x198, 1, "PERF_STATUS", 1000 | UINT64_C(4) << 40, MSR_NO_WRITES),
	FIXED(0x199, 1, "PERF_CTL", 0, MSR_NO_WRITES),
	CHECKED(0x1a0, 1, "MISC_ENABLE", MSR_SLOT_MISC_ENABLE, MISC_RESET, misc_enable_fits,
		MSR_IS_STATE),
	HARDWARE(0x1d9, 1, "DEBUGCTL", ALWAYS, NULL, 0),
	FIXED(0x1db, 4, "LAST_BRANCH", 0, MSR_NO_WRITES),
	CHECKED(MSR_MTRR_BASE0, 2 * MSRS_MTRR_VARIABLE, "MTRR_VARIABLE", MSR_SLOT_MTRR_VARIABLE, 0,
		mtrr_variable_fits, MSR_IS_STATE),
	CHECKED(0x250, 1, "MTRR_FIXED_64K", MSR_SLOT_MTRR_FIXED, 0, mtrr_fixed_fits, MSR_IS_STATE),
	CHECKED(0x258, 2, "MTRR_FIXED_16K", MSR_SLOT_MTRR_FIXED + 1, 0, mtrr_fixed_fits,
		MSR_IS_STATE),
	CHECKED(0x268, 8, "MTRR_FIXED_4K", MSR_SLOT_MTRR_FIXED + 3, 0, mtrr_fixed_fits,
		MSR_IS_STATE),
	HARDWARE(0x277, 1, "PAT", ALWAYS, pat_fits, MSR_IS_STATE),
	CHECKED(0x2ff, 1, "MTRR_DEFAULT", MSR_SLOT_MTRR_DEFAULT, 0, mtrr_default_fits,
		MSR_IS_STATE),
	ELSEWHERE(MSR_MC0_CTL, 4 * MSRS_BANKS_MAX, "MC_BANKS", ALWAYS, get_bank, set_bank, 0),
	FIXED(0x606, 1, "RAPL_UNIT", 0, MSR_NO_WRITES),
	FIXED(0x611, 1, "RAPL_PACKAGE", 0, MSR_NO_WRITES),
	FIXED(0x619, 1, "RAPL_DRAM", 0, MSR_NO_WRITES),
	FIXED(0x639, 1, "RAPL_PP0", 0, MSR_NO_WRITES),
	FIXED(0x641, 1, "RAPL_PP1", 0, MSR_NO_WRITES),
	ELSEWHERE(MSR_TSC_DEADLINE, 1, "TSC_DEADLINE", ALWAYS, get_tsc_deadline, set_tsc_deadline,
		  MSR_IS_STATE),
	ELSEWHERE(LAPIC_MSR_BASE, LAPIC_MSR_END - LAPIC_MSR_BASE, "X2APIC", ALWAYS, get_x2apic,
		  set_x2apic, 0),
	IN_SLOT(0xda0, 1, "XSS", MSR_SLOT_XSS, 0, 0, MSR_IS_STATE),
	ELSEWHERE(MSR_KVM_WALL_CLOCK_NEW, 2, "KVM_CLOCK", ALWAYS, get_pv, set_pv, MSR_IS_STATE),
	ELSEWHERE(MSR_KVM_STEAL_TIME, 1, "KVM_STEAL_TIME", ALWAYS, get_pv, set_pv, MSR_IS_STATE),
	CHECKED(MSR_KVM_PV_EOI_EN, 1, "KVM_PV_EOI", MSR_SLOT_PV_EOI, 0, pv_eoi_fits, MSR_IS_STATE),
	/* A vCPU that halts doesn't poll: what the guest wants of that is just kept. */
	IN_SLOT(MSR_KVM_POLL_CONTROL, 1, "KVM_POLL_CONTROL", MSR_SLOT_POLL_CONTROL, 1, 1,
		MSR_IS_STATE),
	ELSEWHERE(MSR_EFER, 1, "EFER", ALWAYS, get_efer, set_efer, 0),
	HARDWARE(MSR_STAR, 4, "SYSCALL", ALWAYS, NULL, MSR_IS_STATE),
	HARDWARE(MSR_FS_BASE, 2, "FS_GS_BASE", ALWAYS, NULL, 0),
	HARDWARE(MSR_KERNEL_GS_BASE, 1, "KERNEL_GS_BASE", ALWAYS, NULL, MSR_IS_STATE),
	HARDWARE(MSR_TSC_AUX, 1, "TSC_AUX", CPUID_RDTSCP, NULL, MSR_IS_STATE),
	FIXED(0xc0010000, 8, "K7_PERF", 0, MSR_DROPS_WRITES),
	FIXED(0xc0010010, 1, "SYSCFG", 0, MSR_NO_WRITES),
	ELSEWHERE(0xc0010015, 1, "HWCR", ALWAYS, get_hwcr, set_hwcr, MSR_IS_STATE),
	FIXED(0xc001001b, 1, "K7_CLK_CTL", 0x20000000, MSR_NO_WRITES),
	FIXED(0xc001001f, 2, "NB_CFG", 0, MSR_DROPS_WRITES), /* and the loader of microcode */
	FIXED(0xc0010055, 1, "INT_PENDING", 0, MSR_NO_WRITES),
	FIXED(0xc0010058, 1, "MMIO_CONF_BASE", 0, 0),
	FIXED(0xc0010062, 1, "AMD_PERF_CTL", 0, MSR_NO_WRITES),
	FIXED(0xc0010112, 2, "TSEG", 0, MSR_NO_WRITES),
	FIXED(0xc0010114, 1, "VM_CR", 0, MSR_NO_WRITES),
	FIXED(0xc0010117, 1, "VM_HSAVE_PA", 0, MSR_DROPS_WRITES),
	IN_SLOT(0xc0010140, 1, "OSVW_ID_LENGTH", MSR_SLOT_OSVW_LENGTH, 3, ALL_BITS,
		MSR_HOST_WRITES),
	IN_SLOT(0xc0010141, 1, "OSVW_STATUS", MSR_SLOT_OSVW_STATUS, 0, ALL_BITS, MSR_HOST_WRITES),
	FIXED(0xc0011022, 2, "DC_CFG", 0, MSR_DROPS_WRITES),
	FIXED(0xc0011029, 1, "DE_CFG", 0, MSR_IS_STATE | MSR_IS_FEATURE),
	FIXED(0xc001102a, 1, "BU_CFG2", 0, MSR_DROPS_WRITES),
	FIXED(0xc001102c, 1, "F15H_EX_CFG", 0, MSR_DROPS_WRITES),
};

bool msrs_table_is_sound(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct msr_row *row = &rows[i];

		if (!row->count || (i && row->number < row[-1].number + row[-1].count))
			return false;
		if (row->kept == MSR_SLOT && row->slot + row->count > MSR_SLOTS)
			return false;
		if (row->kept == MSR_ELSEWHERE && (!row->get || !row->set))
			return false;
	}
	return true;
}

static const struct msr_row *find(uint32_t msr)
{
	uint32_t low = 0, high = ARRAY_SIZE(rows);

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (msr < rows[middle].number)
			high = middle;
		else if (msr - rows[middle].number < rows[middle].count)
			return &rows[middle];
		else
			low = middle + 1;
	}
	return NULL;
}

void msrs_reset(struct msrs *msrs)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (uint32_t n = 0; rows[i].kept == MSR_SLOT && n < rows[i].count; n++)
			msrs->values[rows[i].slot + n] = rows[i].value;
}

/* --- access --- */

static int read_row(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t *out)
{
	switch (row->kept) {
	case MSR_FIXED:
		*out = row->value;
		return 0;
	case MSR_SLOT:
		*out = vcpu->msrs.values[row->slot + (msr - row->number)];
		return 0;
	case MSR_HARDWARE:
		return virt->get_msr(vcpu->virt, msr, out) ? -1 : 0;
	case MSR_ELSEWHERE:
		return row->get(vcpu, msr, out);
	}
	return -1;
}

static int write_row(struct vcpu *vcpu, const struct msr_row *row, uint32_t msr, uint64_t value,
		     bool is_host)
{
	if ((value & ~row->valid) || (row->is_valid && !row->is_valid(vcpu, msr, value, is_host)))
		return -1;
	switch (row->kept) {
	case MSR_FIXED:
		return value == row->value ? 0 : -1;
	case MSR_SLOT:
		vcpu->msrs.values[row->slot + (msr - row->number)] = value;
		return 0;
	case MSR_HARDWARE:
		return virt->set_msr(vcpu->virt, msr, value) ? -1 : 0;
	case MSR_ELSEWHERE:
		return row->set(vcpu, msr, value, is_host);
	}
	return -1;
}

static bool is_told_of(const struct vcpu *vcpu, const struct msr_row *row)
{
	if (row->flags & MSR_HOST_ONLY)
		return false;
	return row->needs == ALWAYS || cpuid_has(&vcpu->cpuid, (enum cpuid_feature)row->needs);
}

int msr_guest_read(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	const struct msr_row *row = find(msr);

	return row && is_told_of(vcpu, row) ? read_row(vcpu, row, msr, out) : -1;
}

int msr_guest_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_row *row = find(msr);

	if (!row || !is_told_of(vcpu, row))
		return -1;
	if (row->flags & MSR_DROPS_WRITES)
		return 0;
	if (row->flags & (MSR_HOST_WRITES | MSR_NO_WRITES))
		return -1;
	return write_row(vcpu, row, msr, value, false);
}

int msr_host_read(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	const struct msr_row *row = find(msr);

	return row ? read_row(vcpu, row, msr, out) : -1;
}

/* What a program saved it may bring back: a fixed register takes its own value. */
int msr_host_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_row *row = find(msr);

	if (!row)
		return -1;
	if (row->kept == MSR_FIXED)
		return (row->flags & MSR_DROPS_WRITES) || value == row->value ? 0 : -1;
	if (row->flags & MSR_NO_WRITES)
		return -1;
	return write_row(vcpu, row, msr, value, true);
}

int msr_feature_read(uint32_t msr, uint64_t *out)
{
	const struct msr_row *row = find(msr);

	if (!row || !(row->flags & MSR_IS_FEATURE))
		return -1;
	*out = row->value;
	return 0;
}

uint32_t msrs_list(bool is_features, uint32_t *out, uint32_t max)
{
	uint32_t flag = is_features ? MSR_IS_FEATURE : MSR_IS_STATE, count = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (uint32_t n = 0; (rows[i].flags & flag) && n < rows[i].count; n++, count++)
			if (count < max)
				out[count] = rows[i].number + n;
	return count;
}
