/*
 * What a processor vendor's virtualization does for the rest: one table for SVM, one for VMX, chosen at boot.
 *
 * A vendor's file knows its control block and nothing of VMs, ring 3 or devices: it enters a guest and tells in plain terms why
 * it came back (struct virt_exit). What to do about that is kvm/'s.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

/*
 * The part of a vCPU that a vendor keeps, and in front of it what all know: the general registers, and what else a guest
 * changes without being seen. They are here while it doesn't run, and may be read and written freely then.
 */
struct virt_vcpu {
	uint64_t general[16]; /* as instructions encode them: rAX, rCX, rDX, rBX, rSP, ... */
	uint64_t rip, rflags;
	uint8_t cr8;
	bool has_shadow; /* the moment after STI or MOV SS in which no interrupt comes */
};

enum virt_general {
	VIRT_RAX,
	VIRT_RCX,
	VIRT_RDX,
	VIRT_RBX,
	VIRT_RSP,
	VIRT_RBP,
	VIRT_RSI,
	VIRT_RDI
};

/* Something that goes through the guest's IDT. */
enum virt_event_kind {
	VIRT_EVENT_NONE,
	VIRT_EVENT_INTERRUPT,
	VIRT_EVENT_NMI,
	VIRT_EVENT_EXCEPTION,
};

struct virt_event {
	uint8_t kind; /* enum virt_event_kind */
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/*
 * Where an exit is about an instruction, RIP is at it, and skip() goes behind it; but for ports RIP has moved already, except
 * with string instructions.
 */
enum virt_exit_kind {
	VIRT_EXIT_UNHANDLED, /* .code is the vendor's */
	VIRT_EXIT_INTERRUPT, /* the host's: taken by now */
	VIRT_EXIT_DONE,	     /* by the owner, in the straight line */
	VIRT_EXIT_PORT,
	VIRT_EXIT_HALT,
	VIRT_EXIT_PAUSE,  /* the guest spins */
	VIRT_EXIT_MEMORY, /* a nested fault; from here, what virt_fast_exit is called for */
	VIRT_EXIT_CPUID,
	VIRT_EXIT_READ_MSR,
	VIRT_EXIT_WRITE_MSR,
	VIRT_EXIT_HYPERCALL, /* to here */
	VIRT_EXIT_XSETBV,
	VIRT_EXIT_CONTROL,	  /* a write to CR0, CR4, or CR8 with VIRT_WATCH_CR8 */
	VIRT_EXIT_IGNORED,	  /* an instruction that does nothing in a guest */
	VIRT_EXIT_UNDEFINED,	  /* ... that no guest has: #UD */
	VIRT_EXIT_FORBIDDEN,	  /* ... that is none of the guest's business: #GP(0) */
	VIRT_EXIT_EXCEPTION,	  /* .event: the guest is to get it, after a look */
	VIRT_EXIT_STEPPED,	  /* VIRT_WATCH_STEP: one instruction was carried out */
	VIRT_EXIT_WINDOW,	  /* VIRT_WATCH_WINDOW: interrupts are open */
	VIRT_EXIT_IRET,		  /* VIRT_WATCH_IRET: RIP is at it */
	VIRT_EXIT_DEBUG_REGISTER, /* VIRT_WATCH_DEBUG */
	VIRT_EXIT_SHUTDOWN,	  /* a triple fault; the state is that after a reset */
	VIRT_EXIT_REFUSED,	  /* the processor doesn't enter such a state */
};

/* What should end the guest's run. */
enum virt_watch {
	VIRT_WATCH_WINDOW = 1 << 0, /* as soon as the guest takes interrupts */
	VIRT_WATCH_IRET = 1 << 1,
	VIRT_WATCH_CR8 = 1 << 2,
	VIRT_WATCH_STEP = 1 << 3,	/* after one instruction */
	VIRT_WATCH_DEBUG = 1 << 4,	/* the first access to a debug register */
	VIRT_WATCH_BREAKPOINT = 1 << 5, /* INT3: RIP is at it */
};

struct virt_exit {
	enum virt_exit_kind kind;
	struct virt_event interrupted; /* its delivery was cut short by this exit; or none */
	struct virt_event event;
	struct {
		uint16_t number;
		uint8_t bytes;
		bool is_in;
		bool is_string; /* then RIP hasn't moved */
		uint32_t value; /* of a write */
	} port;
	struct {
		gpa_t at;
		bool is_write;
		bool is_walk; /* of the guest's own page tables, not of what its instruction accesses */
	} memory;
	uint64_t code;
};

/* What decoding and paging depend on. */
struct virt_mode {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t segment_base[6]; /* by enum insn_segment */
	uint8_t code_bytes;	  /* 8, 4 or 2: of a default operand */
	uint8_t stack_bytes;
	uint8_t cpl;
	bool is_virtual_8086;
};

struct virt_level {
	uint64_t cr3;
	uint8_t cpl;
	bool is_64; /* the code, with the segments that go with it */
};

enum virt_fast {
	VIRT_FAST_NOT,	/* not dealt with: nothing has changed */
	VIRT_FAST_ON,	/* go on in the guest */
	VIRT_FAST_DONE, /* dealt with, but leave: VIRT_EXIT_DONE */
};

/*
 * The owner's chance to deal with CPUID, RDMSR, WRMSR, a hypercall or an instruction's access to memory (@at; UINT64_MAX: not
 * by the instruction itself) in a straight line: with all interrupts off and the guest's segments loaded, so without per-CPU
 * data, locks, FPU or anything that may fault but user_words_hold().
 */
typedef enum virt_fast (*virt_fast_exit)(void *owner, enum virt_exit_kind kind, gpa_t at);

struct virt_ops {
	const char *name;
	/* On the first CPU: 0, or -ENODEV with a reason for people. Then on every CPU. */
	int (*init)(const char **why);
	void (*init_cpu)(void);

	/* In the state after a reset. @nested_top: of the VM's nested tables. -ENOMEM. */
	int (*create)(hpa_t nested_top, virt_fast_exit fast_exit, void *owner,
		      struct virt_vcpu **out);
	void (*destroy)(struct virt_vcpu *vcpu);
	/* @is_init: by INIT, which leaves CR0's cache bits and system-call MSRs alone. */
	void (*reset)(struct virt_vcpu *vcpu, bool is_init);

	/* Without what isn't the processor's: apic_base, cr8, interrupt_bitmap. -EINVAL: not a possible state. */
	void (*get_sregs)(struct virt_vcpu *vcpu, struct kvm_sregs *sregs);
	int (*set_sregs)(struct virt_vcpu *vcpu, const struct kvm_sregs *sregs);
	void (*get_mode)(struct virt_vcpu *vcpu, struct virt_mode *out);
	/* The least of it, in the straight line after an exit too. */
	struct virt_level (*get_level)(struct virt_vcpu *vcpu);

	/* CR0 or CR4 as the guest reads it. In the straight line after an exit too. */
	uint64_t (*get_cr)(struct virt_vcpu *vcpu, uint32_t number);
	/*
	 * CR0 or CR4, with all that follows: EFER.LMA, translations. -EINVAL: the guest gets #GP. What its CPUID allows
	 * in CR4 is checked before.
	 */
	int (*set_cr)(struct virt_vcpu *vcpu, uint32_t number, uint64_t value);
	void (*set_cr2)(struct virt_vcpu *vcpu, uint64_t value);
	/* DR6 or DR7. */
	uint64_t (*get_dr)(struct virt_vcpu *vcpu, uint32_t number);
	void (*set_dr)(struct virt_vcpu *vcpu, uint32_t number, uint64_t value);

	/*
	 * MSRs that the processor keeps for the guest: EFER, STAR, LSTAR, CSTAR, SFMASK, SYSENTER_*, FS_BASE, GS_BASE,
	 * KERNEL_GS_BASE, PAT, DEBUGCTL, TSC_AUX. 0; -ENOENT: not one of these; -EINVAL: not a possible value (not canonical, reserved
	 * bits). What the guest's CPUID allows is checked by kvm/msrs.c before.
	 */
	int (*get_msr)(struct virt_vcpu *vcpu, uint32_t msr, uint64_t *out);
	int (*set_msr)(struct virt_vcpu *vcpu, uint32_t msr, uint64_t value);
	/* The guest's time-stamp counter less the host's, from the next entry on. */
	void (*set_tsc_offset)(struct virt_vcpu *vcpu, uint64_t offset);

	/* Behind the instruction that the last exit was about; ends the interrupt shadow. */
	void (*skip)(struct virt_vcpu *vcpu);

	/* For the next entry: what to deliver, and what to watch for until further notice (VIRT_WATCH_*). */
	void (*inject)(struct virt_vcpu *vcpu, const struct virt_event *event);
	void (*watch)(struct virt_vcpu *vcpu, uint32_t watched);
	/* Before the next entry: forget all translations. */
	void (*flush)(struct virt_vcpu *vcpu);

	/*
	 * Until something is to be done about @out. Interrupts are off before and after; one that comes meanwhile, or was
	 * pending, ends the guest's run and is taken when they are on again.
	 */
	void (*enter)(struct virt_vcpu *vcpu, struct virt_exit *out);
};

/* The one of this machine; NULL: it can't run guests. */
extern const struct virt_ops *virt;

/* Takes the first of @candidates (NULL-terminated) that this machine can do; says why not, if none. */
void virt_choose(const struct virt_ops *const *candidates);
