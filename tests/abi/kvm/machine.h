/*
 * What the KVM groups have in common: a VM with a little memory and a vCPU in real mode.
 *
 * The oracle is Linux/KVM in the emulated server. What may differ and mustn't be said: how many slots, MSRs, CPUID leaves
 * there are, which optional capabilities, times.
 */
#pragma once

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "tests/abi/abi.h"

enum {
	MACHINE_BYTES = 4 << 20, /* of memory from 0 on, in slot 0 */
	MACHINE_CODE = 0x1000,
	MACHINE_END_PORT = 0xe0, /* OUT there ends machine_run() */
};

struct machine {
	int kvm, vm, vcpu;
	uint8_t *memory; /* so aligned that it can be of 2 MiB pages */
	void *mapping;	 /* it is in this */
	struct kvm_run *run;
	size_t run_bytes;
};

/* Says what failed, if something did; then machine_close() is all that may be done. */
int machine_open(struct machine *machine, int has_irqchip, int has_vcpu);
void machine_close(struct machine *machine);

/* Another vCPU of it, as a machine that shares all the rest; removed before the machine is closed. */
int machine_add_vcpu(const struct machine *machine, unsigned long id, struct machine *out);
void machine_remove_vcpu(struct machine *vcpu);

/* Puts real-mode code at MACHINE_CODE, and the vCPU before it. */
void machine_load(struct machine *machine, const uint8_t *code, size_t size);

/* The vCPU before the code that was loaded last. */
void machine_load_regs(struct machine *machine);

/* KVM_RUN until the guest does OUT to MACHINE_END_PORT, saying each exit before that. */
void machine_run(struct machine *machine);

/* KVM_RUN once, and the exit said: 0 at the end, or if it is neither a port's nor memory's. */
int machine_step(struct machine *machine);

/* What the host supports, to the vCPU. */
void machine_give_cpuid(const struct machine *machine);

int machine_region(const struct machine *machine, uint32_t slot, uint32_t flags, uint64_t at,
		   uint64_t size, const void *memory);

/* One MSR: the result of the ioctl, 1 if it worked. */
int machine_get_msr(const struct machine *machine, uint32_t msr, uint64_t *value);
int machine_set_msr(const struct machine *machine, uint32_t msr, uint64_t value);

void group_kvm_system(void);
void group_kvm_cpuid(void);
void group_kvm_msrs(void);
void group_kvm_memory(void);
void group_kvm_dirty_log(void);
void group_kvm_migration(void);
void group_kvm_lifetime(void);
void group_kvm_hostile(void);
void group_kvm_interrupts(void);
void group_kvm_ioeventfd(void);
void group_kvm_clock(void);
void group_kvm_state(void);
void group_kvm_exits(void);
void group_kvm_run(void);
void group_kvm_debugger(void);
void group_kvm_injection(void);
void group_kvm_apic(void);
void group_kvm_paravirt(void);
void group_kvm_sync(void);
