/*
 * AMD's virtualization: switching it on, and one vCPU's part of it.
 *
 * Source: AMD APM vol. 2, 15 "Secure Virtual Machine".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/cpu.h"
#include "kernel/svm/vmcb.h"
#include "kernel/virt/ops.h"
#include "lib/address.h"

/* What the processor offers besides the least; each is used when it is there. */
struct svm_features {
	bool has_nested_paging, has_next_rip, has_flush_by_asid, has_pause_filter,
		has_pause_threshold, has_tsc_aux;
	uint32_t nr_asids;
};

extern struct svm_features svm_features;

/* The part of one vCPU: to the rest it is the struct virt_vcpu that it begins with. */
struct svm_vcpu {
	struct virt_vcpu common; /* first: enter.S */
	struct vmcb *vmcb;	 /* a page of the kernel's */
	virt_fast_exit fast_exit;
	void *owner;

	uint32_t watched;	   /* VIRT_WATCH_* */
	enum virt_exit_kind kind;  /* of the last exit */
	bool needs_flush;	   /* before the next entry */
	bool had_trap_flag;	   /* the guest's own RFLAGS.TF, while VIRT_WATCH_STEP is on */
	uint64_t tsc_aux;	   /* what RDTSCP tells besides the time */
	uint32_t length;	   /* of the instruction that the last exit was about */
	const struct svm_cpu *cpu; /* where its address space id counts; NULL: it has none */
	uint64_t id_generation;	   /* of that CPU's ids */
};

static inline struct svm_vcpu *to_svm(struct virt_vcpu *vcpu)
{
	return (struct svm_vcpu *)vcpu;
}

static inline struct vmcb *vmcb_of(struct virt_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb;
}

/* On the first CPU. Returns 0; -ENODEV with a reason for people. Then on each CPU. */
int svm_init(const char **why);
void svm_init_cpu(void);

struct svm_cpu {
	hpa_t host_vmcb; /* keeps what VMLOAD and VMSAVE exchange while a guest has it */
	/* Of this generation's address space ids, those that were given out. 0, the host's, counts as the first. */
	uint32_t ids_used;
	uint64_t ids_generation;
	uint64_t
		tsc_aux; /* no host program asks for this register, so it is left as the last guest had it */
};

extern struct svm_cpu svm_cpus[CPUS_MAX];

/* ---- vcpu.c ---- */
void svm_reset(struct virt_vcpu *vcpu, bool is_init);

/* ---- state.c: as in struct virt_ops ---- */
void svm_get_sregs(struct virt_vcpu *vcpu, struct kvm_sregs *sregs);
int svm_set_sregs(struct virt_vcpu *vcpu, const struct kvm_sregs *sregs);
void svm_get_mode(struct virt_vcpu *vcpu, struct virt_mode *out);
struct virt_level svm_get_level(struct virt_vcpu *vcpu);
uint64_t svm_get_cr(struct virt_vcpu *vcpu, uint32_t number);
int svm_set_cr(struct virt_vcpu *vcpu, uint32_t number, uint64_t value);
void svm_set_cr2(struct virt_vcpu *vcpu, uint64_t value);
uint64_t svm_get_dr(struct virt_vcpu *vcpu, uint32_t number);
void svm_set_dr(struct virt_vcpu *vcpu, uint32_t number, uint64_t value);
int svm_get_msr(struct virt_vcpu *vcpu, uint32_t msr, uint64_t *out);
int svm_set_msr(struct virt_vcpu *vcpu, uint32_t msr, uint64_t value);

/* ---- exit.c ---- */

/* What the VMCB says of the last exit: what it is, in a straight line; then all. */
enum virt_exit_kind svm_exit_kind(struct svm_vcpu *vcpu);
void svm_describe_exit(struct svm_vcpu *vcpu, struct virt_exit *out);

/* ---- run.c ---- */
void svm_enter_guest(struct virt_vcpu *vcpu, struct virt_exit *out);

extern const struct virt_ops svm_ops;
