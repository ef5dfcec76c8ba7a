/*
 * A guest's state that the processor keeps while its thread runs: vector registers, and debug registers once it uses them.
 *
 * The kernel itself touches neither, so what is loaded stays through exits. Before another thread runs, thread->on_leave
 * takes it out again, and the next entry brings it back.
 */
#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/sched/thread.h"

enum { DR7_ENABLED = 0xff };

/* --- debug registers --- */

static void write_debug(const uint64_t *values)
{
	__asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr1\n\tmov %2, %%dr2\n\tmov %3, %%dr3"
			 :
			 : "r"(values[0]), "r"(values[1]), "r"(values[2]), "r"(values[3]));
}

static void read_debug(uint64_t *values)
{
	__asm__ volatile("mov %%dr0, %0\n\tmov %%dr1, %1\n\tmov %%dr2, %2\n\tmov %%dr3, %3"
			 : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]), "=r"(values[3]));
}

void vcpu_load_debug(struct vcpu *vcpu)
{
	uint64_t flags = irq_save();

	/* If the thread was switched from meanwhile, the next access brings us here again. */
	if (vcpu->is_loaded && !vcpu->is_debug_loaded) {
		write_debug(vcpu->debug);
		vcpu->is_debug_loaded = true;
	}
	irq_restore(flags);
}

/* Nobody else finds a guest's addresses there. */
static void put_debug(struct vcpu *vcpu)
{
	static const uint64_t nothing[VCPU_DEBUG_REGISTERS];

	if (!vcpu->is_debug_loaded)
		return;
	read_debug(vcpu->debug);
	write_debug(nothing);
	vcpu->is_debug_loaded = false;
}

/* --- vector registers --- */

bool vcpu_is_xcr0(uint64_t value)
{
	const uint64_t avx512 = 0xe0;

	if ((value & ~fpu_features()) || !(value & 1))
		return false;
	if ((value & 4) && !(value & 2))
		return false;
	return !(value & avx512) || ((value & avx512) == avx512 && (value & 4));
}

/* QEMU's emulator has no intercept for XSETBV: there the guest has set it without anybody's knowing. */
uint64_t vcpu_xcr0(const struct vcpu *vcpu)
{
	uint64_t value;

	if (!vcpu->is_loaded || !fpu_features())
		return vcpu->xcr0;
	value = fpu_xcr0();
	return value == vcpu->xcr0 || !vcpu_is_xcr0(value) ? vcpu->xcr0 : value;
}

/* Mostly it is the same for all; and to set it takes long. */
static void load_xcr0(uint64_t value)
{
	if (fpu_features() && fpu_xcr0() != value)
		fpu_set_xcr0(value);
}

static void put_xcr0(struct vcpu *vcpu)
{
	uint64_t own = fpu_features(), value;

	if (!own)
		return;
	value = fpu_xcr0();
	if (value != vcpu->xcr0 && vcpu_is_xcr0(value))
		vcpu->xcr0 = value;
	if (value != own)
		fpu_set_xcr0(own);
}

static void put(struct thread *thread)
{
	vcpu_put(thread->vcpu);
}

void vcpu_load(struct vcpu *vcpu)
{
	struct thread *thread = current_thread();

	fpu_save(thread->fpu);
	fpu_load(vcpu->fpu);
	load_xcr0(vcpu->xcr0);
	thread->vcpu = vcpu;
	thread->on_leave = put;
	vcpu->is_loaded = true;
	if (virt->get_dr(vcpu->virt, 7) & DR7_ENABLED)
		vcpu_load_debug(vcpu);
}

void vcpu_put(struct vcpu *vcpu)
{
	struct thread *thread = current_thread();

	if (!vcpu->is_loaded)
		return;
	put_debug(vcpu);
	put_xcr0(vcpu);
	fpu_save(vcpu->fpu);
	fpu_load(thread->fpu);
	thread->vcpu = NULL;
	thread->on_leave = NULL;
	vcpu->is_loaded = false;
}
