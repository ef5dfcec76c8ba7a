/*
 * One virtual processor of /dev/kvm.
 *
 * KVM_RUN's thread *is* the vCPU. vcpu_run.c goes round and round: serve requests, choose an event, enter the guest, and let
 * vcpu_exit.c say what to do about why it came back. What is left for ring 3 is in the shared run page; the answer is taken
 * by the next KVM_RUN, before anything else ("completion").
 *
 * Who holds vcpu->lock owns the vCPU: its registers, its local APIC, everything but the few words that others may touch at
 * any time: requests, and what the APIC has posted (lapic.h). Others tell the owner by vcpu_request() and vcpu_kick().
 *
 * Between vcpu_load() and vcpu_put() the guest's vector state is in the processor whenever the thread is.
 *
 * Fields: [L] lock: whoever runs an ioctl on it  [I] immutable  [a] atomic
 */
#pragma once

#include <linux/kvm.h>
#include <linux/kvm_para.h>

#include "kernel/fs/file.h"
#include "kernel/kvm/cpuid.h"
#include "kernel/kvm/emulate.h"
#include "kernel/kvm/events.h"
#include "kernel/kvm/lapic.h"
#include "kernel/kvm/msrs.h"
#include "kernel/kvm/pvclock.h"
#include "kernel/kvm/vm.h"
#include "kernel/sched/timer.h"
#include "kernel/virt/ops.h"

struct fpu;

enum {
	VCPU_RUN_PAGES = 2, /* the run structure, and behind it the data of port accesses */
	VCPU_RUN_BYTES = VCPU_RUN_PAGES * 4096,
	VCPU_PORT_DATA_AT = 4096,
	VCPU_DEBUG_REGISTERS = 4, /* DR0 to DR3 */
	/* What KVM_SET_GUEST_DEBUG takes: the debug registers stay the guest's. */
	VCPU_DEBUG_CONTROL = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP,
};

/* What is to be looked at before the next entry. */
enum vcpu_request {
	VCPU_REQ_TIMER = 1 << 0, /* the local APIC's is due */
	VCPU_REQ_NMI = 1 << 1,	 /* nmis_posted */
	VCPU_REQ_INIT = 1 << 2,
	VCPU_REQ_SIPI = 1 << 3,	 /* sipi_vector */
	VCPU_REQ_EOI = 1 << 4,	 /* tell ring 3 of eoi_vector */
	VCPU_REQ_CLOCK = 1 << 5, /* pvclock_is_due() */
};

/* What to do after an exit, or instead of an entry. */
enum vcpu_step {
	VCPU_RESUME,	  /* into the guest again */
	VCPU_LOOK,	  /* the same, but after a look around: its state, requests, time */
	VCPU_TO_USER,	  /* run->exit_reason says why */
	VCPU_INTERRUPTED, /* a signal: -EINTR */
	VCPU_NOT_ENTERED, /* ring 3 wants it back at once: -EINTR; the last exit's reason stays */
	VCPU_FAULTED,	  /* its owner's memory isn't there: -EFAULT */
	VCPU_EXHAUSTED,	  /* there is no memory for it, and nobody to end for some: -ENOMEM */
	VCPU_STARTED,	  /* it waited for an INIT or a SIPI, which came: -EAGAIN */
	VCPU_REFUSED,	  /* what ring 3 has put into the run page can't be: -EINVAL */
};

/* The end of an interrupt by memory. */
struct pv_eoi {
	bool is_offered; /* [L] since the last entry: pv_eoi_settle() comes first after the exit */
	bool is_logged;	 /* [L] the slot is */
	uint64_t msr;	 /* [L] what this is for: MSR_KVM_PV_EOI_EN */
	uint64_t slots_version; /* [L] and the VM's slots */
	uint64_t hva;		/* [L] of the word; 0: it isn't in memory */
};

struct vcpu {
	struct vm *vm; /* [I] which owns this; descriptors count as the VM's */
	uint32_t id;   /* [I] */
	struct mutex lock;
	struct kvm_run *run;	/* [I] the kernel's address; ring 3 writes to it at any time */
	struct virt_vcpu *virt; /* [I] the processor's part: owned; used with lock held */

	/* What others touch. */
	uint32_t requests;     /* [a] enum vcpu_request */
	uint32_t nmis_posted;  /* [a] */
	uint32_t sipi_vector;  /* [a] */
	uint32_t where;	       /* [a] 1 + the CPU while in the guest; else 0 */
	bool is_woken;	       /* [a] KVM_HC_KICK_CPU: the next HLT, or the one it is in, is over */
	bool is_waiting;       /* [a] somebody may have to wake it */
	struct waitq waitq;    /* where it waits while it is halted */
	struct timer timer;    /* the local APIC's */
	uint64_t timer_due_ns; /* [L] what it is armed for */

	/* What it does. */
	uint32_t watched;     /* [L] VIRT_WATCH_*, by the last entry */
	uint32_t mp_state;    /* [L] KVM_MP_STATE_* */
	struct events events; /* [L] */
	struct emulation
		emulation;  /* [L] an access of the guest's that ring 3 or memory has to answer */
	int32_t extint;	    /* [L] a vector from ring 3's PIC; -1: none */
	uint8_t eoi_vector; /* [L] */
	struct pv_eoi eoi;  /* [L] */
	uint64_t tlb_generation; /* [L] seen of the VM's */
	bool has_run;		 /* [L] the guest has seen its CPUID */
	uint32_t debug_control;	 /* [L] VCPU_DEBUG_CONTROL; 0: nobody debugs the guest */
	bool is_step_over;    /* [L] an instruction that was to be stepped was carried out here */
	bool has_signal_mask; /* [L] KVM_RUN's thread has another one meanwhile: */
	uint64_t signal_mask; /* [L] */

	/* Its state, besides virt's. */
	uint64_t xcr0;			      /* [L] */
	struct fpu *fpu;		      /* [L] owned */
	uint64_t debug[VCPU_DEBUG_REGISTERS]; /* [L] while not loaded */
	bool is_loaded;			      /* [L] the guest's FPU is in the processor */
	bool is_debug_loaded;		      /* [L] and its debug registers */
	struct lapic lapic; /* its owner holds lock. Ring 3's own: only the base, and TPR for CR8 */
	struct cpuid_table cpuid; /* [L] */
	struct msrs msrs;	  /* [L] */
	struct pvclock clock;	  /* [L] */
};

/* KVM_CREATE_VCPU. */
MUST_CHECK int64_t vcpu_create_fd(struct vm *vm, uint64_t id);
void vcpu_destroy(struct vcpu *vcpu);

/* --- from anywhere --- */

/* Makes it look at what it has been given: wakes it if it halts, ends the guest's run if it runs. */
void vcpu_kick(struct vcpu *vcpu);
void vcpu_request(struct vcpu *vcpu, enum vcpu_request request);

/* --- the owner's: vcpu_run.c --- */

/* KVM_RUN. */
int64_t vcpu_run(struct vcpu *vcpu);

/* Takes up what was requested, as far as it changes the vCPU's state: for whoever reads that. */
void vcpu_settle(struct vcpu *vcpu);

/* --- vcpu_load.c --- */

/* The guest's vector state into the processor, where it isn't; and out, if it is. Interrupts are off. */
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);
void vcpu_load_debug(struct vcpu *vcpu);

/* XCR0 as a guest may set it. */
bool vcpu_is_xcr0(uint64_t value);
uint64_t vcpu_xcr0(const struct vcpu *vcpu);

/* --- vcpu_exit.c --- */
enum vcpu_step vcpu_handle_exit(struct vcpu *vcpu, const struct virt_exit *exit);
enum virt_fast vcpu_fast_exit(void *owner, enum virt_exit_kind kind, gpa_t at);

enum vcpu_step vcpu_fail(struct vcpu *vcpu, uint32_t suberror);
/* Ring 3's debugger is to look: KVM_EXIT_DEBUG. */
enum vcpu_step vcpu_stop(struct vcpu *vcpu, uint8_t vector);
void vcpu_raise(struct vcpu *vcpu, uint8_t vector);
void vcpu_raise_error(struct vcpu *vcpu, uint8_t vector, uint32_t error);
/* Behind the instruction that the exit was about; or one that was carried out here, which leads to @rip. */
void vcpu_skip(struct vcpu *vcpu);
void vcpu_finish_instruction(struct vcpu *vcpu, uint64_t rip);

/* --- emulate.c --- */

/* A nested fault on what isn't memory, or an instruction that has to be decoded (@fault: NULL). */
enum vcpu_step emulate_begin(struct vcpu *vcpu, const struct virt_exit *fault);
/* With ring 3's answer, if one is awaited. */
enum vcpu_step emulate_go_on(struct vcpu *vcpu);
/*
 * The short way of most accesses to the local APIC's window: also in the straight line after an exit, @is_straight. NOT: it
 * takes emulate_begin().
 */
enum virt_fast emulate_apic(struct vcpu *vcpu, gpa_t at, bool is_straight);
enum vcpu_step emulate_port(struct vcpu *vcpu, const struct virt_exit *exit);
/* KVM_TRANSLATE. -EFAULT: nothing there. */
MUST_CHECK int emulate_translate(struct vcpu *vcpu, uint64_t linear, uint32_t access, gpa_t *out,
				 uint32_t *error);

/* --- control.c --- */

/* MOV to CR0, CR4 or CR8; LMSW. */
enum vcpu_step control_write(struct vcpu *vcpu, const struct insn *insn);
/* Has the guest's CPUID what these bits of CR4 are for? */
bool control_allows_cr4(const struct vcpu *vcpu, uint64_t value);

/* --- vcpu_apic.c --- */
void vcpu_apic_create(struct vcpu *vcpu);
void vcpu_apic_destroy(struct vcpu *vcpu);
/* What came of a write to one of the APIC's registers. */
void vcpu_apic_result(struct vcpu *vcpu, int result);
void vcpu_timer_due(struct vcpu *vcpu);

/* --- pv_eoi.c --- */

static inline bool pv_eoi_is_wanted(const struct vcpu *vcpu)
{
	return vcpu->msrs.values[MSR_SLOT_PV_EOI] & KVM_MSR_ENABLED;
}

/* An interrupt was acknowledged and is delivered with the coming entry. Interrupts may be off. */
void pv_eoi_offer(struct vcpu *vcpu);
/* eoi.is_offered: takes up what the guest has made of it. Interrupts are on. */
void pv_eoi_settle(struct vcpu *vcpu);

/* --- hypercall.c --- */
/* NOT: @is_straight, in the line after an exit, won't do. */
enum virt_fast hypercall_run(struct vcpu *vcpu, bool is_straight);
/* After a #UD. False: there is something else at RIP, and the guest is to get it. */
bool hypercall_run_vmcall(struct vcpu *vcpu);

/* --- vcpu_state.c: ioctls; -ENOTTY: none of these --- */
int64_t vcpu_state_ioctl(struct vcpu *vcpu, uint32_t request, uint64_t argument);
