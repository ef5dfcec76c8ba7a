/*
 * /dev/kvm itself, and what VMs say of their capabilities.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

/* Those that both have, and what they say. */
static const struct {
	int capability;
	const char *name;
} capabilities[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS" },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, "JOIN_MEMORY_REGIONS_WORKS" },
	{ KVM_CAP_READONLY_MEM, "READONLY_MEM" },
	{ KVM_CAP_SYNC_MMU, "SYNC_MMU" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
	{ KVM_CAP_EXT_CPUID, "EXT_CPUID" },
	{ KVM_CAP_EXT_EMUL_CPUID, "EXT_EMUL_CPUID" },
	{ KVM_CAP_GET_MSR_FEATURES, "GET_MSR_FEATURES" },
	{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" },
	{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
	{ KVM_CAP_IRQFD, "IRQFD" },
	{ KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "IOEVENTFD_ANY_LENGTH" },
	{ KVM_CAP_X2APIC_API, "X2APIC_API" },
	{ KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER" },
	{ KVM_CAP_GET_TSC_KHZ, "GET_TSC_KHZ" },
	{ KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK" },
	{ KVM_CAP_KVMCLOCK_CTRL, "KVMCLOCK_CTRL" },
	{ KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, "SET_IDENTITY_MAP_ADDR" },
	{ KVM_CAP_ENABLE_CAP_VM, "ENABLE_CAP_VM" },
	{ KVM_CAP_CHECK_EXTENSION_VM, "CHECK_EXTENSION_VM" },
	{ KVM_CAP_HLT, "HLT" },
	{ KVM_CAP_MP_STATE, "MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" },
	{ KVM_CAP_XCRS, "XCRS" },
	{ KVM_CAP_DEBUGREGS, "DEBUGREGS" },
	{ KVM_CAP_PPC_SMT, "of another architecture" },
	{ 100000, "of the future" },
};

static void say_capabilities(int kvm, int vm)
{
	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		say("capability %s: %d, %d", capabilities[i].name,
		    ioctl(kvm, KVM_CHECK_EXTENSION, capabilities[i].capability),
		    ioctl(vm, KVM_CHECK_EXTENSION, capabilities[i].capability));
}

static void say_addresses(int vm)
{
	uint64_t map = 0xfffbc000;

	RESULT(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	RESULT(ioctl(vm, KVM_SET_TSS_ADDR, 0xffffe000));
	RESULT(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map));
	RESULT(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, BAD_POINTER));
}

/* One that got no descriptor isn't there. */
static void say_no_descriptor(int vm)
{
	struct rlimit limit, none;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	RESULT(ioctl(vm, KVM_CREATE_VCPU, 4));
	setrlimit(RLIMIT_NOFILE, &limit);
	close((int)WORKED(ioctl(vm, KVM_CREATE_VCPU, 4)));
}

static void say_vcpus(int vm)
{
	uint64_t map = 0xfffbc000;
	int vcpu;

	RESULT(ioctl(vm, KVM_CREATE_VCPU, 1 << 20));
	vcpu = (int)WORKED(ioctl(vm, KVM_CREATE_VCPU, 3));
	RESULT(ioctl(vm, KVM_CREATE_VCPU, 3));
	RESULT(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &map));
	RESULT(ioctl(vcpu, KVM_RUN, 1));
	RESULT(ioctl(vcpu, 0xae77, 0));
	close(vcpu);
	say_no_descriptor(vm);
}

void group_kvm_system(void)
{
	int kvm = (int)WORKED(open("/dev/kvm", O_RDWR | O_CLOEXEC)), vm;

	RESULT(ioctl(kvm, KVM_GET_API_VERSION, 0));
	RESULT(ioctl(kvm, KVM_GET_API_VERSION, 1));
	RESULT(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 1));
	RESULT(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0) >= (int)sizeof(struct kvm_run));
	RESULT(ioctl(kvm, 0xae77, 0));
	RESULT(ioctl(kvm, KVM_CREATE_VM, 77));
	vm = (int)WORKED(ioctl(kvm, KVM_CREATE_VM, 0));
	RESULT(ioctl(vm, 0xae77, 0));
	say_capabilities(kvm, vm);
	say_addresses(vm);
	say_vcpus(vm);
	close(vm);
	close(kvm);
}
