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

struct virt_vcpu; /* the vendor's part of a vCPU */

enum virt_exit_kind {
	VIRT_EXIT_INTERRUPT, /* the host's: taken by now */
	VIRT_EXIT_PORT, /* RIP is behind the instruction; a read's value is still to come: set_rax() */
	VIRT_EXIT_HALT,	     /* RIP is behind the instruction */
	VIRT_EXIT_MEMORY,    /* a nested fault */
	VIRT_EXIT_SHUTDOWN,  /* a triple fault; the state is that after a reset */
	VIRT_EXIT_REFUSED,   /* the processor doesn't enter such a state */
	VIRT_EXIT_UNHANDLED, /* .code is the vendor's */
};

struct virt_exit {
	enum virt_exit_kind kind;
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
	} memory;
	uint64_t code;
};

struct virt_ops {
	const char *name;
	/* On the first CPU: 0, or -ENODEV with a reason for people. Then on every CPU. */
	int (*init)(const char **why);
	void (*init_cpu)(void);

	/* In the state after a reset. @nested_top: of the VM's nested tables. -ENOMEM. */
	int (*create)(hpa_t nested_top, struct virt_vcpu **out);
	void (*destroy)(struct virt_vcpu *vcpu);

	void (*get_regs)(struct virt_vcpu *vcpu, struct kvm_regs *regs);
	void (*set_regs)(struct virt_vcpu *vcpu, const struct kvm_regs *regs);
	/* Without what isn't the processor's: apic_base, cr8, interrupt_bitmap. -EINVAL: not a possible state. */
	void (*get_sregs)(struct virt_vcpu *vcpu, struct kvm_sregs *sregs);
	int (*set_sregs)(struct virt_vcpu *vcpu, const struct kvm_sregs *sregs);
	/* The low @bytes of RAX, as an instruction with such an operand writes them. */
	void (*set_rax)(struct virt_vcpu *vcpu, uint64_t value, uint32_t bytes);

	/* CR0, CR2, CR3 or CR4 as the guest reads it. In the straight line after an exit too. */
	uint64_t (*get_cr)(struct virt_vcpu *vcpu, uint32_t number);

	/*
	 * MSRs that the processor keeps for the guest: EFER, STAR, LSTAR, CSTAR, SFMASK, SYSENTER_*, FS_BASE, GS_BASE,
	 * KERNEL_GS_BASE, PAT, DEBUGCTL. 0; -ENOENT: not one of these; -EINVAL: not a possible value (not canonical, reserved
	 * bits). What the guest's CPUID allows is checked by kvm/msrs.c before.
	 */
	int (*get_msr)(struct virt_vcpu *vcpu, uint32_t msr, uint64_t *out);
	int (*set_msr)(struct virt_vcpu *vcpu, uint32_t msr, uint64_t value);
	/* The guest's time-stamp counter less the host's, from the next entry on. */
	void (*set_tsc_offset)(struct virt_vcpu *vcpu, uint64_t offset);

	/* Until something is to be done about @out. Interrupts are on before and after. */
	void (*enter)(struct virt_vcpu *vcpu, struct virt_exit *out);
};

/* The one of this machine; NULL: it can't run guests. */
extern const struct virt_ops *virt;

/* Takes the first of @candidates (NULL-terminated) that this machine can do; says why not, if none. */
void virt_choose(const struct virt_ops *const *candidates);
