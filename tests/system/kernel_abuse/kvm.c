/*
 * KVM's API, misused: see abuse.h.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/system/kernel_abuse/abuse.h"

enum { PAYLOAD_BYTES = 64 << 10 };

static struct kvm_run *runs[FDS]; /* of vCPUs; some are gone */

static void set_memory_of(struct random *random, int vm)
{
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)pick(random, 4),
		.flags = one_in(random, 3) ? (uint32_t)pick(random, 4) : 0,
		.guest_phys_addr = one_in(random, 3) ? any_number(random) & ~0xfffull : 0,
		.memory_size = one_in(random, 3) ? any_number(random) & ~0xfffull : GUEST_BYTES,
		.userspace_addr = (uintptr_t)any_place(random) &
				  (one_in(random, 2) ? ~0x1fffffull : ~0ull),
	};

	if (one_in(random, 16))
		fill(random, &region, sizeof(region));
	ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

void set_memory(struct random *random)
{
	set_memory_of(random, any_fd(random));
}

void set_state(struct random *random)
{
	set_registers(random, any_fd(random));
}

/* --- ioctls with a structure behind them --- */

static const unsigned long requests[] = {
	KVM_CREATE_VM,
	KVM_CHECK_EXTENSION,
	KVM_GET_SUPPORTED_CPUID,
	KVM_GET_MSR_INDEX_LIST,
	KVM_GET_MSR_FEATURE_INDEX_LIST,
	KVM_GET_EMULATED_CPUID,
	KVM_ENABLE_CAP,
	KVM_CREATE_VCPU,
	KVM_GET_DIRTY_LOG,
	KVM_CLEAR_DIRTY_LOG,
	KVM_IRQFD,
	KVM_IOEVENTFD,
	KVM_SIGNAL_MSI,
	KVM_SET_GSI_ROUTING,
	KVM_GET_CLOCK,
	KVM_SET_CLOCK,
	KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR,
	KVM_SET_BOOT_CPU_ID,
	KVM_RUN,
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_TRANSLATE,
	KVM_INTERRUPT,
	KVM_NMI,
	KVM_SET_CPUID2,
	KVM_GET_CPUID2,
	KVM_SET_CPUID,
	KVM_GET_MSRS,
	KVM_SET_MSRS,
	KVM_SET_SIGNAL_MASK,
	KVM_GET_FPU,
	KVM_SET_FPU,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_GET_MP_STATE,
	KVM_SET_MP_STATE,
	KVM_GET_VCPU_EVENTS,
	KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS,
	KVM_GET_XSAVE,
	KVM_SET_XSAVE,
	KVM_GET_XCRS,
	KVM_SET_XCRS,
	KVM_SET_TSC_KHZ,
	KVM_GET_TSC_KHZ,
	KVM_KVMCLOCK_CTRL,
	KVM_SET_GUEST_DEBUG,
	KVM_CREATE_IRQCHIP,
	KVM_CREATE_PIT2,
	KVM_CREATE_DEVICE,
	KVM_SMI,
	KVM_GET_ONE_REG,
	KVM_SET_ONE_REG,
	KVM_TPR_ACCESS_REPORTING,
	KVM_X86_SET_MSR_FILTER,
	KVM_SET_DEVICE_ATTR,
	KVM_GET_DEVICE_ATTR,
	KVM_HAS_DEVICE_ATTR,
	KVM_GET_NESTED_STATE,
	KVM_SET_NESTED_STATE,
	KVM_SET_PMU_EVENT_FILTER,
	KVM_MEMORY_ENCRYPT_OP,
	KVM_GET_STATS_FD,
};

void set_msrs(struct random *random)
{
	static const uint32_t bases[] = { 0x10,	 0x1b,	     0x200,	 0x250,
					  0x2ff, 0x6e0,	     0x800,	 0x174,
					  0x277, 0xc0000080, 0xc0000100, 0x4b564d00,
					  0x11,	 0xc0010000, 0xc0010117, 0x1d9,
					  0xda0, 0xc0000103, 0x40000000, 0x400 };
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[4];
	} msrs = { .header.nmsrs = 4 };

	for (int i = 0; i < 4; i++) {
		msrs.entries[i].index =
			bases[pick(random, ARRAY_SIZE(bases))] + (uint32_t)pick(random, 0x40);
		msrs.entries[i].data = one_in(random, 2) ? pick(random, GUEST_BYTES) | 1
							 : any_number(random);
	}
	ioctl(any_fd(random), one_in(random, 4) ? KVM_GET_MSRS : KVM_SET_MSRS, &msrs);
}

/* What the kernel said last, with a few bits changed, so that it gets beyond the first check. */
void change_state(struct random *random)
{
	static const struct {
		unsigned long get, set;
		size_t size;
	} states[] = {
		{ KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state) },
		{ KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
		{ KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
		{ KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
		{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
		{ KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu) },
		{ KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
	};
	int vcpu = any_fd(random);
	uint64_t which = pick(random, ARRAY_SIZE(states));
	uint8_t state[sizeof(struct kvm_xsave)] = { 0 };

	ioctl(vcpu, states[which].get, state);
	for (uint64_t n = pick(random, 6); n; n--)
		state[pick(random, states[which].size)] ^= (uint8_t)(1u << pick(random, 8));
	if (one_in(random, 8))
		fill(random, state, states[which].size);
	/* An emulated processor ends the emulator at a breakpoint that it has set in one guest and not in the next. */
	if (states[which].set == KVM_SET_DEBUGREGS)
		((struct kvm_debugregs *)(void *)state)->dr7 &= ~UINT64_C(0xff);
	ioctl(vcpu, states[which].set, state);
}

static void set_cpuid(struct random *random, int kvm, int vcpu)
{
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[100];
	} cpuid = { .header.nent = 100 };

	ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
	for (uint64_t n = pick(random, 3); n; n--)
		((uint8_t *)cpuid.entries)[pick(random, sizeof(cpuid.entries))] ^=
			(uint8_t)(1u << pick(random, 8));
	if (one_in(random, 8))
		cpuid.header.nent = (uint32_t)any_number(random);
	ioctl(vcpu, KVM_SET_CPUID2, &cpuid);
}

void any_ioctl(struct random *random)
{
	static __thread uint8_t payload[PAYLOAD_BYTES] __attribute__((aligned(PAGE)));
	unsigned long request = requests[pick(random, ARRAY_SIZE(requests))];
	uint64_t argument = (uintptr_t)payload;

	if (one_in(random, 16))
		request = 0xae00 | (next(random) & 0xff) | ((next(random) & 0xffff) << 16);
	fill(random, payload, one_in(random, 4) ? sizeof(payload) : 256);
	if (one_in(random, 2)) /* a small count in front */
		*(uint32_t *)payload = (uint32_t)pick(random, 64);
	if (request == KVM_IRQFD || request == KVM_IOEVENTFD)
		*(int *)(payload + (request == KVM_IRQFD ? 0 : 20)) = any_fd(random);
	if (one_in(random, 4))
		argument = any_number(random);
	if (request == KVM_CREATE_VCPU || request == KVM_CREATE_VM)
		keep_fd(random, ioctl(any_fd(random), request, pick(random, 8)));
	else
		ioctl(any_fd(random), request, argument);
}

/* --- interrupts --- */

void connect_interrupt(struct random *random)
{
	int vm = any_fd(random), event = eventfd((unsigned int)pick(random, 3), EFD_NONBLOCK);
	struct kvm_irqfd irqfd = { .fd = (uint32_t)event,
				   .gsi = (uint32_t)pick(random, 32),
				   .flags = (uint32_t)pick(random, 2) };
	struct kvm_ioeventfd io = { .addr = pick(random, 4) * 0x100,
				    .len = 1u << pick(random, 4),
				    .fd = event,
				    .flags = (uint32_t)pick(random, 8),
				    .datamatch = pick(random, 3) };
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entries[4];
	} routes = { .header.nr = 4 };

	for (uint32_t i = 0; i < 4; i++)
		routes.entries[i] = (struct kvm_irq_routing_entry){
			.gsi = (uint32_t)pick(random, 32),
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000u | (uint32_t)(next(random) & 0xffffc),
				   .data = (uint32_t)(next(random) & 0xcfff) },
		};
	ioctl(vm, KVM_SET_GSI_ROUTING, &routes);
	ioctl(vm, KVM_IRQFD, &irqfd);
	ioctl(vm, KVM_IOEVENTFD, &io);
	(void)!write(event, &(uint64_t){ 1 }, 8);
	keep_fd(random, event);
}

void send_message(struct random *random)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000u | (uint32_t)(next(random) & 0xffffc),
			       .data = (uint32_t)(next(random) & 0xcfff) };

	ioctl(any_fd(random), KVM_SIGNAL_MSI, &msi);
}

/* --- virtual machines --- */

void make_vm(struct random *random)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = ioctl(kvm, KVM_CREATE_VM, 0),
	    vcpu = -1;
	int bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (!one_in(random, 4))
		ioctl(vm, KVM_ENABLE_CAP, &split);
	for (uint64_t n = 1 + pick(random, 3); n; n--) {
		vcpu = ioctl(vm, KVM_CREATE_VCPU, n - 1);
		if (vcpu < 0)
			continue;
		set_memory_of(random, vm);
		set_registers(random, vcpu);
		if (one_in(random, 2))
			set_cpuid(random, kvm, vcpu);
		runs[pick(random, FDS)] =
			mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
		keep_fd(random, vcpu);
	}
	keep_fd(random, vm);
	keep_fd(random, kvm);
}

void write_run(struct random *random)
{
	struct kvm_run *run = runs[pick(random, FDS)];

	if (!run || (void *)run == MAP_FAILED)
		return;
	switch (pick(random, 4)) {
	case 0:
		run->immediate_exit = (uint8_t)pick(random, 2);
		break;
	case 1:
		run->request_interrupt_window = (uint8_t)pick(random, 2);
		break;
	case 2:
		run->kvm_valid_regs = run->kvm_dirty_regs = next(random);
		break;
	default:
		fill(random, run, sizeof(*run));
	}
}

void run_guest(struct random *random)
{
	int vcpu = any_fd(random);

	for (uint64_t n = pick(random, 6); n; n--)
		ioctl(vcpu, KVM_RUN, 0);
}
