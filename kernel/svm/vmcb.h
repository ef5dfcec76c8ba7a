/*
 * The virtual machine control block: what the processor and the hypervisor tell each other about a guest.
 *
 * Source: AMD APM vol. 2, appendix B "Layout of VMCB"; 15 "Secure Virtual Machine".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes; /* the descriptor's bits 40-47 and 52-55, packed */
	uint32_t limit;
	uint64_t base;
};

struct vmcb_control {
	uint16_t intercept_cr_reads, intercept_cr_writes;
	uint16_t intercept_dr_reads, intercept_dr_writes;
	uint32_t intercept_exceptions;
	uint32_t intercepts1; /* VMCB_1_* */
	uint32_t intercepts2; /* VMCB_2_* */
	uint32_t intercepts3;
	uint8_t reserved0[0x03c - 0x018];
	uint16_t pause_filter_threshold, pause_filter_count;
	uint64_t iopm_base, msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control; /* enum vmcb_tlb */
	uint8_t reserved1[3];
	uint8_t v_tpr;
	uint8_t v_flags;    /* VMCB_V_IRQ, VMCB_V_GIF */
	uint8_t v_priority; /* bits 0-3; VMCB_V_IGNORE_TPR */
	uint8_t v_control;  /* VMCB_V_INTR_MASKING, VMCB_V_GIF_ENABLE, VMCB_V_AVIC */
	uint8_t v_vector;
	uint8_t reserved2[3];
	uint64_t interrupt_state; /* VMCB_INTERRUPT_SHADOW */
	uint64_t exit_code;	  /* enum vmcb_exit */
	uint64_t exit_info1, exit_info2;
	uint64_t exit_int_info;	 /* an event whose delivery was cut short; as event_inject */
	uint64_t nested_control; /* VMCB_NESTED_PAGING */
	uint8_t reserved3[0x0a8 - 0x098];
	uint64_t event_inject; /* VMCB_EVENT_* */
	uint64_t nested_cr3;
	uint64_t virt_extensions;
	uint32_t clean; /* VMCB_CLEAN_*: what hasn't changed since the last run on this CPU */
	uint32_t reserved4;
	uint64_t next_rip; /* where the processor saves it */
	uint8_t reserved5[0x400 - 0x0d0];
};

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved1;
	uint64_t efer;
	uint8_t reserved2[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved3[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved4[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp,
		sysenter_eip, cr2;
	uint8_t reserved5[0x668 - 0x648];
	uint64_t pat, debug_control, last_branch_from, last_branch_to, last_exception_from,
		last_exception_to;
	uint8_t reserved6[0x1000 - 0x698];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

static_assert(sizeof(struct vmcb) == 4096, "one page");
static_assert(offsetof(struct vmcb_control, pause_filter_count) == 0x03e, "APM");
static_assert(offsetof(struct vmcb_control, iopm_base) == 0x040, "APM");
static_assert(offsetof(struct vmcb_control, asid) == 0x058, "APM");
static_assert(offsetof(struct vmcb_control, v_tpr) == 0x060, "APM");
static_assert(offsetof(struct vmcb_control, v_vector) == 0x064, "APM");
static_assert(offsetof(struct vmcb_control, interrupt_state) == 0x068, "APM");
static_assert(offsetof(struct vmcb_control, exit_code) == 0x070, "APM");
static_assert(offsetof(struct vmcb_control, nested_control) == 0x090, "APM");
static_assert(offsetof(struct vmcb_control, event_inject) == 0x0a8, "APM");
static_assert(offsetof(struct vmcb_control, clean) == 0x0c0, "APM");
static_assert(offsetof(struct vmcb_control, next_rip) == 0x0c8, "APM");
static_assert(offsetof(struct vmcb, save) == 0x400, "APM");
static_assert(offsetof(struct vmcb, save.cpl) == 0x4cb, "APM");
static_assert(offsetof(struct vmcb, save.efer) == 0x4d0, "APM");
static_assert(offsetof(struct vmcb, save.cr4) == 0x548, "APM");
static_assert(offsetof(struct vmcb, save.rip) == 0x578, "APM");
static_assert(offsetof(struct vmcb, save.rsp) == 0x5d8, "APM");
static_assert(offsetof(struct vmcb, save.rax) == 0x5f8, "APM");
static_assert(offsetof(struct vmcb, save.cr2) == 0x640, "APM");
static_assert(offsetof(struct vmcb, save.pat) == 0x668, "APM");

enum vmcb_intercept1 {
	VMCB_1_INTR = 1u << 0,
	VMCB_1_NMI = 1u << 1,
	VMCB_1_SMI = 1u << 2,
	VMCB_1_INIT = 1u << 3,
	VMCB_1_VINTR = 1u << 4,
	VMCB_1_CR0_SELECTIVE = 1u << 5,
	VMCB_1_RDTSC = 1u << 14,
	VMCB_1_RDPMC = 1u << 15,
	VMCB_1_CPUID = 1u << 18,
	VMCB_1_RSM = 1u << 19,
	VMCB_1_IRET = 1u << 20,
	VMCB_1_INVD = 1u << 22,
	VMCB_1_PAUSE = 1u << 23,
	VMCB_1_HLT = 1u << 24,
	VMCB_1_INVLPG = 1u << 25,
	VMCB_1_INVLPGA = 1u << 26,
	VMCB_1_IOIO = 1u << 27,
	VMCB_1_MSR = 1u << 28,
	VMCB_1_TASK_SWITCH = 1u << 29,
	VMCB_1_FERR_FREEZE = 1u << 30,
};
#define VMCB_1_SHUTDOWN (1u << 31)

enum vmcb_intercept2 {
	VMCB_2_VMRUN = 1u << 0,
	VMCB_2_VMMCALL = 1u << 1,
	VMCB_2_VMLOAD = 1u << 2,
	VMCB_2_VMSAVE = 1u << 3,
	VMCB_2_STGI = 1u << 4,
	VMCB_2_CLGI = 1u << 5,
	VMCB_2_SKINIT = 1u << 6,
	VMCB_2_RDTSCP = 1u << 7,
	VMCB_2_ICEBP = 1u << 8,
	VMCB_2_WBINVD = 1u << 9,
	VMCB_2_MONITOR = 1u << 10,
	VMCB_2_MWAIT = 1u << 11,
	VMCB_2_XSETBV = 1u << 13,
	VMCB_2_RDPRU = 1u << 14,
};

enum vmcb_tlb { VMCB_TLB_KEEP = 0, VMCB_TLB_FLUSH_ALL = 1, VMCB_TLB_FLUSH_ASID = 3 };

enum {
	VMCB_V_IRQ = 1 << 0,
	VMCB_V_GIF = 1 << 1,
	VMCB_V_IGNORE_TPR = 1 << 4,
	VMCB_V_INTR_MASKING = 1 << 0,
	VMCB_V_GIF_ENABLE = 1 << 1,
	VMCB_V_AVIC = 1 << 7,
	VMCB_INTERRUPT_SHADOW = 1 << 0,
	VMCB_NESTED_PAGING = 1 << 0,
};

/* An event to be delivered at the next entry, or one whose delivery an exit has cut short. */
#define VMCB_EVENT_VECTOR      UINT64_C(0xff)
#define VMCB_EVENT_TYPE	       (UINT64_C(7) << 8)
#define VMCB_EVENT_INTERRUPT   (UINT64_C(0) << 8)
#define VMCB_EVENT_NMI	       (UINT64_C(2) << 8)
#define VMCB_EVENT_EXCEPTION   (UINT64_C(3) << 8)
#define VMCB_EVENT_SOFTWARE    (UINT64_C(4) << 8)
#define VMCB_EVENT_HAS_ERROR   (UINT64_C(1) << 11)
#define VMCB_EVENT_VALID       (UINT64_C(1) << 31)
#define VMCB_EVENT_ERROR_SHIFT 32

/* Of a nested fault, in exit_info1: of the guest's walk; of its instruction's own bytes. */
#define VMCB_NPF_WALK  (UINT64_C(1) << 33)
#define VMCB_NPF_FETCH (UINT64_C(1) << 4)

enum vmcb_exit {
	VMEXIT_CR0_READ = 0x000,
	VMEXIT_CR0_WRITE = 0x010,
	VMEXIT_DR0_READ = 0x020,
	VMEXIT_DR0_WRITE = 0x030,
	VMEXIT_EXCEPTION0 = 0x040,
	VMEXIT_INTR = 0x060,
	VMEXIT_NMI = 0x061,
	VMEXIT_SMI = 0x062,
	VMEXIT_INIT = 0x063,
	VMEXIT_VINTR = 0x064,
	VMEXIT_CR0_SELECTIVE = 0x065, /* other bits than TS and MP change */
	VMEXIT_RDTSC = 0x06e,
	VMEXIT_RDPMC = 0x06f,
	VMEXIT_CPUID = 0x072,
	VMEXIT_IRET = 0x074,
	VMEXIT_INVD = 0x076,
	VMEXIT_PAUSE = 0x077,
	VMEXIT_HLT = 0x078,
	VMEXIT_INVLPGA = 0x07a,
	VMEXIT_IOIO = 0x07b,
	VMEXIT_MSR = 0x07c,
	VMEXIT_TASK_SWITCH = 0x07d,
	VMEXIT_FERR_FREEZE = 0x07e,
	VMEXIT_SHUTDOWN = 0x07f,
	VMEXIT_VMRUN = 0x080,
	VMEXIT_VMMCALL = 0x081,
	VMEXIT_VMLOAD = 0x082,
	VMEXIT_VMSAVE = 0x083,
	VMEXIT_STGI = 0x084,
	VMEXIT_CLGI = 0x085,
	VMEXIT_SKINIT = 0x086,
	VMEXIT_RDTSCP = 0x087,
	VMEXIT_ICEBP = 0x088,
	VMEXIT_WBINVD = 0x089,
	VMEXIT_MONITOR = 0x08a,
	VMEXIT_MWAIT = 0x08b,
	VMEXIT_XSETBV = 0x08d,
	VMEXIT_RDPRU = 0x08e,
	VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID UINT64_MAX
