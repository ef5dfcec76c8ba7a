/*
 * ABI tests of what only the emulated server has: KVM (see machine.h) and disks (see ../block/disks.h).
 */
#include "lib/compiler.h"
#include "tests/abi/block/disks.h"
#include "tests/abi/kvm/machine.h"

// clang-format off
const struct group groups[] = {
	{ "kvm_system", group_kvm_system },
	{ "kvm_cpuid", group_kvm_cpuid },
	{ "kvm_msrs", group_kvm_msrs },
	{ "kvm_memory", group_kvm_memory },
	{ "kvm_dirty_log", group_kvm_dirty_log },
	{ "kvm_migration", group_kvm_migration },
	{ "kvm_lifetime", group_kvm_lifetime },
	{ "kvm_interrupts", group_kvm_interrupts },
	{ "kvm_ioeventfd", group_kvm_ioeventfd },
	{ "kvm_clock", group_kvm_clock },
	{ "kvm_state", group_kvm_state },
	{ "kvm_exits", group_kvm_exits },
	{ "kvm_run", group_kvm_run },
	{ "kvm_debugger", group_kvm_debugger },
	{ "kvm_injection", group_kvm_injection },
	{ "kvm_apic", group_kvm_apic },
	{ "kvm_paravirt", group_kvm_paravirt },
	{ "kvm_sync", group_kvm_sync },
	{ "kvm_hostile", group_kvm_hostile },
	{ "block_open", group_block_open },
	{ "block_claims", group_block_claims },
	{ "block_sizes", group_block_sizes },
	{ "block_ends", group_block_ends },
	{ "block_transfers", group_block_transfers },
	{ "block_memory", group_block_memory },
	{ "block_pointers", group_block_pointers },
	{ "block_partitions", group_block_partitions },
	{ "block_threads", group_block_threads },
	{ "block_errors", group_block_errors },
};
// clang-format on
const size_t nr_groups = ARRAY_SIZE(groups);

int (*const started_anew)(int argc, char *argv[], char *environment[]) = NULL;
