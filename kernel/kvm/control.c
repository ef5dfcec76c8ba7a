/*
 * Writes to control registers that have to be looked at: what the guest's CPUID doesn't have, its CR4 hasn't either; and
 * translations go with their rules. See vcpu.h.
 */
#include <errno.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"

enum { CR8_BITS = 0xf, LMSW_BITS = 0xf };

#define CR4_ALWAYS UINT64_C(0x7ff) /* from VME to OSXMMEXCPT */

/* Bits of CR4 that a feature brings. Five-level paging and protection keys aren't for guests (cpuid_policy.c). */
static const struct {
	uint8_t bit;
	uint8_t feature; /* enum cpuid_feature */
} cr4_bits[] = {
	{ 11, CPUID_7_ECX + 2 }, /* UMIP */
	{ 16, CPUID_FSGSBASE },	  { 17, CPUID_PCID },
	{ 18, CPUID_XSAVE },	  { 20, CPUID_7_EBX + 7 }, /* SMEP */
	{ 21, CPUID_7_EBX + 20 },			   /* SMAP */
};

/* A vCPU that was told nothing may have what the host has. */
bool control_allows_cr4(const struct vcpu *vcpu, uint64_t value)
{
	uint64_t allowed = CR4_ALWAYS;

	for (uint32_t i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		if (vcpu->cpuid.count ? cpuid_has(&vcpu->cpuid, cr4_bits[i].feature)
				      : cpuid_host_has(cpuid_host(), cr4_bits[i].feature))
			allowed |= UINT64_C(1) << cr4_bits[i].bit;
	return !(value & ~allowed);
}

static int write_cr8(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~(uint64_t)CR8_BITS)
		return -EINVAL;
	lapic_set_cr8(&vcpu->lapic, (uint8_t)value);
	return 0;
}

static int write(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
	switch (number) {
	case 8:
		return write_cr8(vcpu, value);
	case 4:
		return control_allows_cr4(vcpu, value) ? virt->set_cr(vcpu->virt, 4, value)
						       : -EINVAL;
	default:
		return virt->set_cr(vcpu->virt, 0, value);
	}
}

/* LMSW sets the lower four bits of CR0, but doesn't clear PE. */
static uint64_t machine_status(const struct vcpu *vcpu, uint64_t value)
{
	uint64_t cr0 = virt->get_cr(vcpu->virt, 0);

	return (cr0 & ~(uint64_t)(LMSW_BITS & ~X86_CR0_PE)) | (value & LMSW_BITS);
}

enum vcpu_step control_write(struct vcpu *vcpu, const struct insn *insn)
{
	bool is_lmsw = insn->op == INSN_LMSW;
	uint64_t value;

	if (insn->src.kind != INSN_OPERAND_GENERAL)
		return vcpu_fail(vcpu, KVM_INTERNAL_ERROR_EMULATION);
	value = vcpu->virt->general[insn->src.reg & 15];
	if (is_lmsw)
		value = machine_status(vcpu, value);
	else if (insn->src.bytes == 4)
		value = (uint32_t)value;
	if (write(vcpu, is_lmsw ? 0 : insn->dst.reg, value))
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
	else
		vcpu_finish_instruction(vcpu, vcpu->virt->rip + insn->length);
	return VCPU_RESUME;
}
