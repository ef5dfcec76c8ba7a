/*
 * One vCPU's VMCB: making it, resetting it, and what the processor is to watch. See virt/ops.h.
 *
 * Source: AMD APM vol. 2, 15.9-15.14 (intercepts), 15.21 "Interrupt and Local APIC Support", 14.1.3 "Processor
 * Initialization State".
 */
#include <errno.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/trap.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "kernel/svm/svm.h"

enum {
	IOPM_ORDER = 2,	 /* 12 KiB, of a piece of 16 */
	MSRPM_ORDER = 1, /* 8 KiB */

	/* As KVM has them, so that a new vCPU's state is the same. */
	SEGMENT_CODE_REAL = 0x9a, /* present, code, read */
	SEGMENT_DATA_REAL = 0x92,
	SEGMENT_LDT = 0x82,
	SEGMENT_TSS_BUSY = 0x83, /* of 16 bits */

	CR4_BIT = 1 << 4, /* of the intercepts of control registers */
	CR8_BIT = 1 << 8,
	WINDOW_PRIORITY = 0xf,
	SYSENTER_FIRST = 0x174,
	SYSENTER_LAST = 0x176,

	PAUSES_IN_A_ROW = 3000, /* until the guest seems to spin */
	PAUSE_DISTANCE_CYCLES = 128,
};

#define DR6_INITIAL  UINT64_C(0xffff0ff0)
#define DR7_INITIAL  UINT64_C(0x400)
#define PAT_INITIAL  UINT64_C(0x0007040600070406)
#define CR0_INITIAL  (X86_CR0_CD | X86_CR0_NW | X86_CR0_ET)
#define RESET_VECTOR UINT64_C(0xfff0)
#define RESET_BASE   UINT64_C(0xffff0000)
#define RESET_MODEL  UINT64_C(0x600) /* RDX, until CPUID says otherwise */

/* Always intercepted: #DB and #AC too, whose delivery may raise them again for ever; #UD for VMCALL. */
#define EXCEPTIONS                                                             \
	(1u << TRAP_INVALID_OPCODE | 1u << TRAP_DEBUG | 1u << TRAP_ALIGNMENT | \
	 1u << TRAP_MACHINE_CHECK)

/* All ports are intercepted, and all MSRs but those that VMLOAD and VMSAVE switch: the same maps for every VM. */
static hpa_t io_map, msr_map;

static int make_map(uint32_t order, hpa_t *out)
{
	hpa_t map;
	int err;

	if (out->v)
		return 0;
	err = frame_alloc(FRAME_KERNEL, order, &map);
	if (err)
		return err;
	memset(direct(map), 0xff, PAGE_BYTES << order);
	*out = map;
	return 0;
}

/* Two bits each; the second range begins at MSR 0xc0000000 and byte 0x800. */
static void let_through(uint32_t msr)
{
	uint8_t *map = direct(msr_map);
	uint32_t bit = msr < 0xc0000000u ? msr * 2 : 0x800 * 8 + (msr - 0xc0000000u) * 2;

	map[bit / 8] &= (uint8_t) ~(3u << bit % 8);
}

static int make_maps(void)
{
	static const uint32_t switched[] = { MSR_STAR,		MSR_LSTAR,   MSR_CSTAR,
					     MSR_SFMASK,	MSR_FS_BASE, MSR_GS_BASE,
					     MSR_KERNEL_GS_BASE };

	if (make_map(IOPM_ORDER, &io_map) || make_map(MSRPM_ORDER, &msr_map))
		return -ENOMEM;
	for (uint32_t i = 0; i < ARRAY_SIZE(switched); i++)
		let_through(switched[i]);
	for (uint32_t msr = SYSENTER_FIRST; msr <= SYSENTER_LAST; msr++)
		let_through(msr);
	return 0;
}

static struct vmcb_segment segment(uint16_t selector, uint64_t base, uint32_t limit,
				   uint16_t attributes)
{
	return (struct vmcb_segment){ selector, attributes, limit, base };
}

static void reset_save(struct vmcb_save *save)
{
	struct vmcb_segment data = segment(0, 0, 0xffff, SEGMENT_DATA_REAL);

	save->cs = segment(0xf000, RESET_BASE, 0xffff, SEGMENT_CODE_REAL);
	save->ds = save->es = save->fs = save->gs = save->ss = data;
	save->gdtr = save->idtr = segment(0, 0, 0xffff, 0);
	save->ldtr = segment(0, 0, 0xffff, SEGMENT_LDT);
	save->tr = segment(0, 0, 0xffff, SEGMENT_TSS_BUSY);
	save->cpl = 0;
	save->efer = EFER_SVME; /* VMRUN wants it; the guest doesn't see it */
	save->cr0 = CR0_INITIAL;
	save->cr2 = save->cr3 = save->cr4 = 0;
	save->dr6 = DR6_INITIAL;
	save->dr7 = DR7_INITIAL;
	save->debug_control = 0;
}

void svm_reset(struct virt_vcpu *vcpu, bool is_init)
{
	struct vmcb *vmcb = vmcb_of(vcpu);
	uint64_t cache_bits = vmcb->save.cr0 & (X86_CR0_CD | X86_CR0_NW);

	if (!is_init)
		vmcb->save = (struct vmcb_save){ .pat = PAT_INITIAL };
	reset_save(&vmcb->save);
	if (is_init)
		vmcb->save.cr0 = X86_CR0_ET | cache_bits;
	vcpu->has_shadow = false;
	vmcb->control.event_inject = 0;
	memset(vcpu->general, 0, sizeof(vcpu->general));
	vcpu->general[VIRT_RDX] = RESET_MODEL;
	vcpu->rip = RESET_VECTOR;
	vcpu->rflags = X86_EFLAGS_FIXED;
	to_svm(vcpu)->needs_flush = true;
}

static void set_intercepts(struct vmcb_control *control)
{
	control->intercept_exceptions = EXCEPTIONS;
	control->intercept_cr_writes = CR4_BIT;
	control->intercepts1 = VMCB_1_CR0_SELECTIVE | VMCB_1_INTR | VMCB_1_NMI | VMCB_1_SMI |
			       VMCB_1_INIT | VMCB_1_RDPMC | VMCB_1_CPUID | VMCB_1_INVD |
			       VMCB_1_HLT | VMCB_1_INVLPGA | VMCB_1_IOIO | VMCB_1_MSR |
			       VMCB_1_TASK_SWITCH | VMCB_1_SHUTDOWN;
	control->intercepts2 = VMCB_2_VMRUN | VMCB_2_VMMCALL | VMCB_2_VMLOAD | VMCB_2_VMSAVE |
			       VMCB_2_STGI | VMCB_2_CLGI | VMCB_2_SKINIT | VMCB_2_WBINVD |
			       VMCB_2_MONITOR | VMCB_2_MWAIT | VMCB_2_XSETBV | VMCB_2_RDPRU;
	if (!svm_features.has_pause_filter)
		return;
	control->intercepts1 |= VMCB_1_PAUSE;
	control->pause_filter_count = PAUSES_IN_A_ROW;
	if (svm_features.has_pause_threshold)
		control->pause_filter_threshold = PAUSE_DISTANCE_CYCLES;
}

static struct object_cache svm_cache = OBJECT_CACHE("svm-vcpu", struct svm_vcpu);

static void svm_destroy(struct virt_vcpu *vcpu)
{
	if (vmcb_of(vcpu))
		page_free(vmcb_of(vcpu));
	object_free(&svm_cache, vcpu);
}

static void fill_control(struct vmcb_control *control, hpa_t nested_top)
{
	set_intercepts(control);
	control->iopm_base = io_map.v;
	control->msrpm_base = msr_map.v;
	control->v_control = VMCB_V_INTR_MASKING;
	control->nested_control = VMCB_NESTED_PAGING;
	control->nested_cr3 = nested_top.v;
}

static int svm_create(hpa_t nested_top, virt_fast_exit fast_exit, void *owner,
		      struct virt_vcpu **out)
{
	struct svm_vcpu *vcpu = object_alloc(&svm_cache);

	if (!vcpu)
		return -ENOMEM;
	vcpu->vmcb = page_alloc();
	if (!vcpu->vmcb || make_maps()) {
		svm_destroy(&vcpu->common);
		return -ENOMEM;
	}
	vcpu->fast_exit = fast_exit;
	vcpu->owner = owner;
	fill_control(&vcpu->vmcb->control, nested_top);
	svm_reset(&vcpu->common, false);
	*out = &vcpu->common;
	return 0;
}

/* --- instructions and events --- */

static void svm_skip(struct virt_vcpu *vcpu)
{
	uint64_t next = svm_features.has_next_rip ? vmcb_of(vcpu)->control.next_rip : 0;

	vcpu->rip = next ? next : vcpu->rip + to_svm(vcpu)->length;
	vcpu->has_shadow = false;
}

static void svm_set_tsc_offset(struct virt_vcpu *vcpu, uint64_t offset)
{
	vmcb_of(vcpu)->control.tsc_offset = offset;
}

static void svm_inject(struct virt_vcpu *vcpu, const struct virt_event *event)
{
	static const uint64_t types[] = {
		[VIRT_EVENT_INTERRUPT] = VMCB_EVENT_INTERRUPT,
		[VIRT_EVENT_NMI] = VMCB_EVENT_NMI | TRAP_NMI,
		[VIRT_EVENT_EXCEPTION] = VMCB_EVENT_EXCEPTION,
	};
	uint64_t value = VMCB_EVENT_VALID | types[event->kind] | event->vector;

	if (event->has_error)
		value |= VMCB_EVENT_HAS_ERROR | (uint64_t)event->error << VMCB_EVENT_ERROR_SHIFT;
	vmcb_of(vcpu)->control.event_inject = value;
}

static void svm_flush(struct virt_vcpu *vcpu)
{
	to_svm(vcpu)->needs_flush = true;
}

/* --- what to watch --- */

static void set_bits(uint32_t *word, uint32_t bits, bool are_set)
{
	*word = are_set ? *word | bits : *word & ~bits;
}

/* A virtual interrupt that is intercepted just before it would be taken. */
static void watch_window(struct vmcb_control *control, bool is_on)
{
	set_bits(&control->intercepts1, VMCB_1_VINTR, is_on);
	control->v_flags = (uint8_t)(is_on ? VMCB_V_IRQ : 0);
	control->v_priority = (uint8_t)(is_on ? WINDOW_PRIORITY | VMCB_V_IGNORE_TPR : 0);
}

static void watch_step(struct svm_vcpu *vcpu, bool is_on)
{
	uint64_t *rflags = &vcpu->common.rflags;

	if (is_on) {
		vcpu->had_trap_flag = *rflags & X86_EFLAGS_TF;
		*rflags |= X86_EFLAGS_TF;
	} else if (!vcpu->had_trap_flag) {
		*rflags &= ~X86_EFLAGS_TF;
	}
}

static void svm_watch(struct virt_vcpu *vcpu, uint32_t watched)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	uint32_t changed = svm->watched ^ watched;

	/* The processor takes its request back when the window has opened. */
	if ((changed | watched) & VIRT_WATCH_WINDOW)
		watch_window(control, watched & VIRT_WATCH_WINDOW);
	if (!changed)
		return;
	svm->watched = watched;
	set_bits(&control->intercepts1, VMCB_1_IRET, watched & VIRT_WATCH_IRET);
	control->intercept_cr_writes = CR4_BIT | (watched & VIRT_WATCH_CR8 ? CR8_BIT : 0);
	control->intercept_dr_reads = control->intercept_dr_writes =
		watched & VIRT_WATCH_DEBUG ? UINT16_MAX : 0;
	control->intercept_exceptions =
		EXCEPTIONS | (watched & VIRT_WATCH_BREAKPOINT ? 1u << TRAP_BREAKPOINT : 0);
	if (changed & VIRT_WATCH_STEP)
		watch_step(svm, watched & VIRT_WATCH_STEP);
}

const struct virt_ops svm_ops = {
	.name = "svm",
	.init = svm_init,
	.init_cpu = svm_init_cpu,
	.create = svm_create,
	.destroy = svm_destroy,
	.reset = svm_reset,
	.get_sregs = svm_get_sregs,
	.set_sregs = svm_set_sregs,
	.get_mode = svm_get_mode,
	.get_level = svm_get_level,
	.get_cr = svm_get_cr,
	.set_cr = svm_set_cr,
	.set_cr2 = svm_set_cr2,
	.get_dr = svm_get_dr,
	.set_dr = svm_set_dr,
	.get_msr = svm_get_msr,
	.set_msr = svm_set_msr,
	.set_tsc_offset = svm_set_tsc_offset,
	.skip = svm_skip,
	.inject = svm_inject,
	.watch = svm_watch,
	.flush = svm_flush,
	.enter = svm_enter_guest,
};
