/*
 * AMD's virtualization: switching it on, and one vCPU's part of it.
 *
 * Source: AMD APM vol. 2, 15 "Secure Virtual Machine".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/svm/vmcb.h"
#include "lib/address.h"

/* What the processor offers besides the least; each is used when it is there. */
struct svm_features {
	bool has_nested_paging, has_next_rip, has_clean_bits, has_flush_by_asid, has_decode_assists,
		has_pause_filter, has_pause_threshold, has_virtual_gif, has_tsc_ratio;
	uint32_t nr_asids;
};

extern struct svm_features svm_features;

/* General-purpose registers that VMRUN leaves alone, in the order that enter.S knows. */
struct svm_regs {
	uint64_t rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct svm_vcpu {
	struct svm_regs regs; /* first: enter.S */
	struct vmcb *vmcb;    /* a page of the kernel's */
	uint64_t fast_exits;  /* handled without leaving the straight line */
};

/* On the first CPU. Returns 0; -ENODEV with a reason for people. Then on each CPU. */
int svm_init(const char **why);
void svm_init_cpu(void);

/* Until an exit needs more than a straight line. Interrupts are off, and are off when it returns. */
void svm_run(struct svm_vcpu *vcpu);

extern const struct virt_ops svm_ops;
