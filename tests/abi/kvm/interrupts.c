/*
 * KVM_ENABLE_CAP, KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING, KVM_IRQFD: errors, and which vectors arrive.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { LAPIC_SPIV = 0xf0, LAPIC_IRR = 0x200, ROUTES = 8 };

static void say_split(int has_vcpu)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 1 << 20 } };
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	struct machine machine;

	if (!machine_open(&machine, 0, has_vcpu)) {
		RESULT(ioctl(machine.vm, KVM_SIGNAL_MSI, &msi));
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		cap.args[0] = 24;
		cap.flags = 1;
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		cap.flags = 0;
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		cap.cap = KVM_CAP_X2APIC_API;
		cap.args[0] = 4;
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		cap.args[0] = 3;
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		cap.cap = 100000;
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, &cap));
		RESULT(ioctl(machine.vm, KVM_ENABLE_CAP, BAD_POINTER));
	}
	machine_close(&machine);
}

/* --- what has arrived --- */

static void enable_apic(const struct machine *machine)
{
	struct kvm_lapic_state state;

	RESULT(ioctl(machine->vcpu, KVM_GET_LAPIC, &state));
	state.regs[LAPIC_SPIV] = (char)0xff;
	state.regs[LAPIC_SPIV + 1] = 1;
	RESULT(ioctl(machine->vcpu, KVM_SET_LAPIC, &state));
}

static void say_arrived(const struct machine *machine)
{
	struct kvm_lapic_state state;

	if (ioctl(machine->vcpu, KVM_GET_LAPIC, &state))
		return;
	for (uint32_t vector = 0; vector < 256; vector++)
		if (state.regs[LAPIC_IRR + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1)
			say("requested: %x", vector);
	memset(state.regs + LAPIC_IRR, 0, 128);
	ioctl(machine->vcpu, KVM_SET_LAPIC, &state);
}

static void say_msi(const struct machine *machine)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x41 };

	RESULT(ioctl(machine->vm, KVM_SIGNAL_MSI, &msi));
	say_arrived(machine);
	msi.address_lo = 0xfee05000;
	RESULT(ioctl(machine->vm, KVM_SIGNAL_MSI, &msi));
	say_arrived(machine);
	msi.address_lo = 0xfeeff000;
	msi.data = 0x42;
	RESULT(ioctl(machine->vm, KVM_SIGNAL_MSI, &msi));
	say_arrived(machine);
	msi.flags = 2;
	RESULT(ioctl(machine->vm, KVM_SIGNAL_MSI, &msi));
	RESULT(ioctl(machine->vm, KVM_SIGNAL_MSI, BAD_POINTER));
}

/* --- routes --- */

struct routing {
	struct kvm_irq_routing header;
	struct kvm_irq_routing_entry entries[ROUTES];
};

static struct kvm_irq_routing_entry msi_route(uint32_t gsi, uint32_t vector)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = vector },
	};
}

static void say_routing(int vm)
{
	struct routing routing = { .header.nr = 2 };

	routing.entries[0] = msi_route(30, 0x50);
	routing.entries[1] = msi_route(30, 0x51);
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.entries[1].gsi = 5000;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.entries[1] = msi_route(31, 0x51);
	routing.entries[1].type = KVM_IRQ_ROUTING_IRQCHIP;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.entries[1].type = KVM_IRQ_ROUTING_S390_ADAPTER;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.entries[1] = msi_route(31, 0x51);
	routing.entries[1].flags = 2;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.entries[1].flags = 0;
	routing.header.flags = 1;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.header.flags = 0;
	routing.header.nr = 5000;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, BAD_POINTER));
	routing.header.nr = 0;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
	routing.header.nr = 2;
	RESULT(ioctl(vm, KVM_SET_GSI_ROUTING, &routing));
}

/* --- irqfds --- */

static int irqfd(const struct machine *machine, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd args = { .fd = (uint32_t)fd, .gsi = gsi, .flags = flags };

	return ioctl(machine->vm, KVM_IRQFD, &args);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void say_irqfd_errors(const struct machine *machine, int fd)
{
	int file = dup(machine->kvm);

	RESULT(irqfd(machine, -1, 30, 0));
	RESULT(irqfd(machine, file, 30, 0));
	RESULT(irqfd(machine, fd, 30, 4));
	RESULT(irqfd(machine, fd, 30, KVM_IRQFD_FLAG_RESAMPLE));
	RESULT(irqfd(machine, fd, 30, KVM_IRQFD_FLAG_DEASSIGN));
	RESULT(irqfd(machine, -1, 30, KVM_IRQFD_FLAG_DEASSIGN));
	RESULT(ioctl(machine->vm, KVM_IRQFD, BAD_POINTER));
	close(file);
}

static void say_irqfds(const struct machine *machine)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), other = eventfd(1, EFD_NONBLOCK);
	uint64_t count;

	say_irqfd_errors(machine, fd);
	RESULT(irqfd(machine, fd, 30, 0));
	RESULT(irqfd(machine, fd, 30, 0));
	RESULT(irqfd(machine, fd, 31, 0));
	signal_fd(fd);
	sleep_ms(20);
	say_arrived(machine);
	RESULT(read(fd, &count, sizeof(count)));

	/* One that was signalled before. */
	RESULT(irqfd(machine, other, 31, 0));
	sleep_ms(20);
	say_arrived(machine);

	RESULT(irqfd(machine, fd, 31, KVM_IRQFD_FLAG_DEASSIGN));
	signal_fd(fd);
	sleep_ms(20);
	say_arrived(machine);
	RESULT(irqfd(machine, fd, 30, KVM_IRQFD_FLAG_DEASSIGN));
	signal_fd(fd);
	sleep_ms(20);
	say_arrived(machine);
	RESULT(read(fd, &count, sizeof(count)));

	/* Without a route nothing arrives. */
	RESULT(irqfd(machine, fd, 77, 0));
	signal_fd(fd);
	sleep_ms(20);
	say_arrived(machine);
	close(fd);
	close(other);
}

/* Eventfds that are closed before the VM, again and again. */
static void say_closed(const struct machine *machine)
{
	int failed = 0;

	for (int i = 0; i < 5000; i++) {
		int fd = eventfd(0, EFD_NONBLOCK);

		failed |= fd < 0 || irqfd(machine, fd, 30, 0);
		close(fd);
	}
	say("closing 5000: %d", failed);
}

void group_kvm_interrupts(void)
{
	struct machine machine;
	int fd = eventfd(0, 0);

	say_split(0);
	say_split(1);
	if (!machine_open(&machine, 0, 0)) {
		struct routing routing = { .header.nr = 0 };

		RESULT(irqfd(&machine, fd, 30, 0));
		RESULT(ioctl(machine.vm, KVM_SET_GSI_ROUTING, &routing));
	}
	machine_close(&machine);
	close(fd);
	if (!machine_open(&machine, 1, 1)) {
		enable_apic(&machine);
		say_msi(&machine);
		say_routing(machine.vm);
		say_irqfds(&machine);
		say_closed(&machine);
	}
	machine_close(&machine);
}
