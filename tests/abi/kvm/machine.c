/*
 * A small VM: see machine.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/abi/kvm/machine.h"

enum { EXITS_MAX = 100, CPUID_ENTRIES = 256 };
#define HUGE (UINT64_C(2) << 20)

int machine_region(const struct machine *machine, uint32_t slot, uint32_t flags, uint64_t at,
		   uint64_t size, const void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static int open_vcpu(struct machine *machine, unsigned long id)
{
	int bytes = ioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	machine->vcpu = ioctl(machine->vm, KVM_CREATE_VCPU, id);
	if (machine->vcpu < 0 || bytes < 0)
		return -1;
	machine->run_bytes = (size_t)bytes;
	machine->run = mmap(NULL, machine->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    machine->vcpu, 0);
	return machine->run == MAP_FAILED ? -1 : 0;
}

static int open_all(struct machine *machine, int has_irqchip, int has_vcpu)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };

	machine->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine->kvm < 0)
		return -1;
	machine->vm = ioctl(machine->kvm, KVM_CREATE_VM, 0);
	if (machine->vm < 0 || (has_irqchip && ioctl(machine->vm, KVM_ENABLE_CAP, &split)))
		return -1;
	machine->mapping = mmap(NULL, MACHINE_BYTES + HUGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (machine->mapping == MAP_FAILED)
		return -1;
	machine->memory = (uint8_t *)(((uintptr_t)machine->mapping + HUGE - 1) & ~(HUGE - 1));
	if (madvise(machine->memory, MACHINE_BYTES, MADV_HUGEPAGE) ||
	    machine_region(machine, 0, 0, 0, MACHINE_BYTES, machine->memory))
		return -1;
	return has_vcpu ? open_vcpu(machine, 0) : 0;
}

int machine_open(struct machine *machine, int has_irqchip, int has_vcpu)
{
	*machine = (struct machine){
		.kvm = -1, .vm = -1, .vcpu = -1, .mapping = MAP_FAILED, .run = MAP_FAILED
	};
	if (!open_all(machine, has_irqchip, has_vcpu))
		return 0;
	say("the machine could not be made: %s", strerrorname_np(errno));
	return -1;
}

void machine_close(struct machine *machine)
{
	const int fds[] = { machine->vcpu, machine->vm, machine->kvm };

	if (machine->run != MAP_FAILED)
		munmap(machine->run, machine->run_bytes);
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (machine->mapping != MAP_FAILED)
		munmap(machine->mapping, MACHINE_BYTES + HUGE);
}

int machine_add_vcpu(const struct machine *machine, unsigned long id, struct machine *out)
{
	*out = *machine;
	out->vcpu = -1;
	out->run = MAP_FAILED;
	if (!open_vcpu(out, id))
		return 0;
	say("the vCPU could not be made: %s", strerrorname_np(errno));
	machine_remove_vcpu(out);
	return -1;
}

void machine_remove_vcpu(struct machine *vcpu)
{
	if (vcpu->run != MAP_FAILED)
		munmap(vcpu->run, vcpu->run_bytes);
	if (vcpu->vcpu >= 0)
		close(vcpu->vcpu);
}

void machine_load_regs(struct machine *machine)
{
	struct kvm_regs regs = { .rip = MACHINE_CODE, .rflags = 2, .rsp = 0x8000 };
	struct kvm_sregs sregs;

	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
	ioctl(machine->vcpu, KVM_SET_REGS, &regs);
}

void machine_load(struct machine *machine, const uint8_t *code, size_t size)
{
	memcpy(machine->memory + MACHINE_CODE, code, size);
	machine_load_regs(machine);
}

static void say_exit(const struct kvm_run *run)
{
	const uint8_t *data = (const uint8_t *)run + run->io.data_offset;
	uint32_t value = 0;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		memcpy(&value, data, run->io.size <= 4 ? run->io.size : 4);
		say("exit: port %x, %s, %u bytes: %x", run->io.port,
		    run->io.direction == KVM_EXIT_IO_OUT ? "out" : "in", run->io.size,
		    run->io.direction == KVM_EXIT_IO_OUT ? value : 0);
		break;
	case KVM_EXIT_MMIO:
		memcpy(&value, run->mmio.data, run->mmio.len <= 4 ? run->mmio.len : 4);
		say("exit: address %llx, %s, %u bytes: %x", run->mmio.phys_addr,
		    run->mmio.is_write ? "write" : "read", run->mmio.len,
		    run->mmio.is_write ? value : 0);
		break;
	default:
		say("exit: reason %u", run->exit_reason);
		break;
	}
}

static int is_end(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_IO && run->io.port == MACHINE_END_PORT;
}

/* The last instruction is done only when KVM is told to go on; the guest isn't entered. */
static void complete(struct machine *machine)
{
	machine->run->immediate_exit = 1;
	ioctl(machine->vcpu, KVM_RUN, 0);
	machine->run->immediate_exit = 0;
}

int machine_step(struct machine *machine)
{
	if (ioctl(machine->vcpu, KVM_RUN, 0)) {
		say("KVM_RUN: %s", strerrorname_np(errno));
		return 0;
	}
	if (is_end(machine->run)) {
		complete(machine);
		return 0;
	}
	say_exit(machine->run);
	return machine->run->exit_reason == KVM_EXIT_IO ||
	       machine->run->exit_reason == KVM_EXIT_MMIO;
}

void machine_run(struct machine *machine)
{
	for (int i = 0; i < EXITS_MAX; i++)
		if (!machine_step(machine))
			return;
	say("the guest did not end");
}

void machine_give_cpuid(const struct machine *machine)
{
	static struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
	} table;

	table.header.nent = CPUID_ENTRIES;
	RESULT(ioctl(machine->kvm, KVM_GET_SUPPORTED_CPUID, &table));
	RESULT(ioctl(machine->vcpu, KVM_SET_CPUID2, &table));
}

struct one_msr {
	struct kvm_msrs header;
	struct kvm_msr_entry entry;
};

int machine_get_msr(const struct machine *machine, uint32_t msr, uint64_t *value)
{
	struct one_msr one = { .header.nmsrs = 1, .entry.index = msr };
	int count = ioctl(machine->vcpu, KVM_GET_MSRS, &one);

	*value = one.entry.data;
	return count;
}

int machine_set_msr(const struct machine *machine, uint32_t msr, uint64_t value)
{
	struct one_msr one = { .header.nmsrs = 1, .entry = { .index = msr, .data = value } };

	return ioctl(machine->vcpu, KVM_SET_MSRS, &one);
}
