/*
 * The KVM API, as far as more than one file uses it. Everything is as documented in the KVM API document
 * ("The Definitive KVM API Documentation"): nothing here depends on which kernel answers.
 */
#pragma once

#include <linux/kvm.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

struct kvm {
	int fd; /* /dev/kvm */
	int vm_fd;
	uint32_t run_bytes; /* of the structure shared by a vCPU's thread and the kernel */
	uint32_t nr_gsis;   /* how many interrupt routes there may be */
	uint32_t vcpus_max;
};

/* Opens KVM, checks that it can do what we need, creates an empty VM with a split irqchip. */
MUST_CHECK int kvm_open(struct kvm *kvm, struct errmsg *why);
void kvm_close(struct kvm *kvm);

/* Returns what KVM_CHECK_EXTENSION says of the VM; 0: not there. */
int kvm_has(const struct kvm *kvm, int capability);

/* ioctl() by another name: returns its value, or -errno. @what is for @why, which may be NULL. */
MUST_CHECK int kvm_call(int fd, unsigned long request, void *argument, const char *what,
			struct errmsg *why);
