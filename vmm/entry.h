/*
 * The registers with which a boot protocol wants the first processor to start.
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/boot/boot.h"

/* Writes the tables that the registers point to, and changes @regs and @sregs from their reset values. */
MUST_CHECK int entry_prepare(const struct boot_entry *entry, const struct guest_memory *memory,
			     struct kvm_regs *regs, struct kvm_sregs *sregs);
