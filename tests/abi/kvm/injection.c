/*
 * Interrupts, NMIs and exceptions on their way into a guest: when they arrive and in what order.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum {
	HANDLER = 0x2000, /* of every vector: says AL at a port and returns */
	NMI_HANDLER = 0x2100,
	APIC_HANDLER = 0x2200,
	FAULT_HANDLER = 0x2300, /* of #GP */
	COUNT_HANDLER = 0x2400,
	COUNT_VECTOR = 0x77,
	VECTOR_PORT = 0xe1,
	APIC_AT = 0xfee00000,
	SIPI_PAGE = 5,
};

#define CODE(name, instructions)                                                      \
	extern const uint8_t name[], name##_end[];                                    \
	__asm__(".pushsection .rodata\n.code16\n" #name ":\n" instructions "\n" #name \
		"_end:\n.code64\n.popsection")
#define END "\nout %al, $0xe0\nhlt\n"

CODE(handler, "out %al, $0xe1\niret");
CODE(nmi_handler,
     "mov $0x22, %al\nout %al, $0xe1\nout %al, $0xe2\nmov $0x23, %al\nout %al, $0xe1\niret");
/* DS is the APIC: ends the interrupt there. */
CODE(count_handler, "incb %cs:0x7001\nmovl $0, 0xb0\niret");
CODE(fault_handler, "mov $0xd, %al\nout %al, $0xe1" END);
CODE(apic_handler, "mov $0x99, %al\nout %al, $0xe1\nmovl $0, 0xb0\niret");

CODE(open_late,
     "mov $1, %al\nout %al, $0x80\nsti\nnop\nmov $2, %al\nout %al, $0x80\ncli\nmov $3, %al\n"
     "out %al, $0x80" END);
CODE(shadow, "mov $1, %al\nsti\nout %al, $0x80\nmov $2, %al\nout %al, $0x80\ncli" END);
CODE(count_on,
     "mov $1, %al\nout %al, $0x80\nmov $2, %al\nout %al, $0x80\nmov $3, %al\nout %al, $0x80" END);
CODE(spin, "sti\n1: jmp 1b");
CODE(wait_once, "sti\nhlt\nmov $7, %al\nout %al, $0x80\ncli" END);
CODE(halt_closed, "cli\nhlt\nmov $7, %al\nout %al, $0x80" END);

#define ENABLE "movl $0x1ff, 0xf0\n"
CODE(self_ipi, ENABLE "movl $0x44033, 0x300\nsti\nnop\nmov $4, %al\nout %al, $0x80\ncli" END);
CODE(priority,
     ENABLE "movl $0x40, 0x80\nmovl $0x44033, 0x300\nmovl $0x44055, 0x300\nsti\nnop\nmov $4, %al\n"
	    "out %al, $0x80\nmovl $0, 0x80\nnop\nmov $5, %al\nout %al, $0x80\ncli" END);
CODE(by_cr8,
     ENABLE "mov $5, %eax\nmov %eax, %cr8\nmovl $0x44033, 0x300\nsti\nnop\nmov $4, %al\n"
	    "out %al, $0x80\nxor %eax, %eax\nmov %eax, %cr8\nnop\nmov $5, %al\nout %al, $0x80\n"
	    "mov %cr8, %eax\nout %al, $0x80\ncli" END);
CODE(timer,
     ENABLE "movl $0xb, 0x3e0\nmovl $0x66, 0x320\nmovl $1000000, 0x380\nsti\nhlt\nmov $4, %al\n"
	    "out %al, $0x80\nmov 0x390, %eax\nout %eax, $0x80\ncli" END);
CODE(periodic,
     ENABLE "movl $0xb, 0x3e0\nmovl $0x20077, 0x320\nmovl $1000000, 0x380\n1: sti\nhlt\ncli\n"
	    "cmpb $3, %cs:0x7001\njb 1b\nmovl $0, 0x380\nmov $4, %al\nout %al, $0x80" END);
CODE(registers,
     "mov 0x20, %eax\nout %eax, $0x80\nmov 0x30, %eax\nand $0xffff, %eax\nout %eax, $0x80\n"
     "mov 0xf0, %eax\nout %eax, $0x80\nmov 0x320, %eax\nout %eax, $0x80\n"
     "mov 0x81, %al\nout %al, $0x80\nmovb $0xff, 0x80\nmov 0x80, %eax\nout %eax, $0x80\n"
     "orl $0x20, 0x80\nmov 0x80, %eax\nout %eax, $0x80\nincl 0x380" END);
CODE(msi_wait, ENABLE "sti\nhlt\nmov $4, %al\nout %al, $0x80\ncli" END);
CODE(init_sipi, ENABLE "movl $0x01000000, 0x310\nmovl $0x4500, 0x300\nmovl $0x4605, 0x300\n"
		       "1: pause\ncmpb $0, %cs:0x7000\nje 1b\nmov $4, %al\nout %al, $0x80" END);
CODE(started,
     "mov $0x55, %al\nout %al, $0x81\nxor %ax, %ax\nmov %ax, %ds\nmovb $1, 0x7000\n1: cli\nhlt\njmp 1b");
CODE(x2apic,
     "mov $0x1b, %ecx\nrdmsr\nor $0x400, %eax\nwrmsr\nmov $0x80f, %ecx\nmov $0x1ff, %eax\nxor %edx, %edx\n"
     "wrmsr\nmov $0x83f, %ecx\nmov $0x33, %eax\nwrmsr\nsti\nnop\ncli\nmov $0x80b, %ecx\nxor %eax, %eax\n"
     "wrmsr\nmov $0x802, %ecx\nrdmsr\nout %eax, $0x80\nmov $0x820, %ecx\nrdmsr\nmov $0x8ff, %ecx\nrdmsr" END);

#define SIZE(code) ((size_t)(code##_end - (code)))

/* --- the machine --- */

static void put(const struct machine *machine, uint32_t at, const uint8_t *code, size_t size)
{
	memcpy(machine->memory + at, code, size);
}

static void lay_out(const struct machine *machine, uint32_t all)
{
	uint32_t nmi = NMI_HANDLER, fault = FAULT_HANDLER, count = COUNT_HANDLER;

	for (uint32_t vector = 0; vector < 256; vector++)
		memcpy(machine->memory + vector * 4, &all, sizeof(all));
	memcpy(machine->memory + 2 * 4, &nmi, sizeof(nmi));
	memcpy(machine->memory + COUNT_VECTOR * 4, &count, sizeof(count));
	put(machine, COUNT_HANDLER, count_handler, SIZE(count_handler));
	memcpy(machine->memory + 13 * 4, &fault, sizeof(fault));
	put(machine, FAULT_HANDLER, fault_handler, SIZE(fault_handler));
	put(machine, HANDLER, handler, SIZE(handler));
	put(machine, NMI_HANDLER, nmi_handler, SIZE(nmi_handler));
	put(machine, APIC_HANDLER, apic_handler, SIZE(apic_handler));
}

static int start(struct machine *machine, const char *name, int has_irqchip, const uint8_t *code,
		 size_t size)
{
	struct kvm_sregs sregs;

	if (machine_open(machine, has_irqchip, 1))
		return -1;
	say("%s:", name);
	machine_give_cpuid(machine);
	machine_load(machine, code, size);
	lay_out(machine, has_irqchip ? APIC_HANDLER : HANDLER);
	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	if (has_irqchip)
		sregs.ds.base = APIC_AT;
	ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
	return 0;
}
#define START(machine, code, irqchip) start(machine, #code, irqchip, code, SIZE(code))

static void interrupt(const struct machine *machine, uint32_t vector)
{
	struct kvm_interrupt args = { .irq = vector };

	RESULT(ioctl(machine->vcpu, KVM_INTERRUPT, &args));
}

/* --- from ring 3 --- */

/* What a PIC in ring 3 does: asks for the window, and injects when it is open. */
static void say_windows(const uint8_t *code, size_t size, const char *name, int has_irqchip)
{
	struct machine machine;

	if (!start(&machine, name, has_irqchip, code, size)) {
		struct kvm_run *run = machine.run;

		run->request_interrupt_window = 1;
		while (machine_step(&machine))
			say("ready %u if %u", run->ready_for_interrupt_injection, run->if_flag);
		say("ready %u if %u", run->ready_for_interrupt_injection, run->if_flag);
		if (run->exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN) {
			interrupt(&machine, 0x31);
			run->request_interrupt_window = 0;
			machine_run(&machine);
		}
	}
	machine_close(&machine);
}

/* What was on its way when the state was read goes on with the next run. */
static void say_injected(int is_exception)
{
	struct machine machine;
	struct kvm_vcpu_events events;

	if (!START(&machine, shadow, 0)) {
		ioctl(machine.vcpu, KVM_GET_VCPU_EVENTS, &events);
		events.interrupt.injected = !is_exception;
		events.interrupt.nr = 0x31;
		events.exception.injected = (uint8_t)is_exception;
		events.exception.nr = 6;
		RESULT(ioctl(machine.vcpu, KVM_SET_VCPU_EVENTS, &events));
		machine_run(&machine);
	}
	machine_close(&machine);
}

/* STI's shadow keeps an interrupt out for one instruction. */
static void say_shadow(void)
{
	struct machine machine;
	struct kvm_regs regs;

	if (!START(&machine, shadow, 1)) {
		interrupt(&machine, 0x31);
		machine_run(&machine);
		ioctl(machine.vcpu, KVM_GET_REGS, &regs);
		say("rip %llx", regs.rip);
	}
	machine_close(&machine);
}

static void say_nmis(int count)
{
	struct machine machine;
	struct kvm_vcpu_events events;

	if (!START(&machine, count_on, 0)) {
		for (int i = 0; i < count; i++)
			RESULT(ioctl(machine.vcpu, KVM_NMI, 0));
		/* One more while it is being served. */
		while (machine_step(&machine)) {
			if (machine.run->io.port != 0xe2 || count != 1)
				continue;
			count = 0;
			RESULT(ioctl(machine.vcpu, KVM_NMI, 0));
			ioctl(machine.vcpu, KVM_GET_VCPU_EVENTS, &events);
			say("pending %u masked %u", events.nmi.pending, events.nmi.masked);
		}
		ioctl(machine.vcpu, KVM_GET_VCPU_EVENTS, &events);
		say("pending %u masked %u", events.nmi.pending, events.nmi.masked);
	}
	machine_close(&machine);
}

/* A triple fault: no handler can be called. */
static void say_triple_fault(void)
{
	struct machine machine;
	struct kvm_sregs sregs;

	if (!START(&machine, count_on, 0)) {
		ioctl(machine.vcpu, KVM_GET_SREGS, &sregs);
		sregs.idt.limit = 0;
		ioctl(machine.vcpu, KVM_SET_SREGS, &sregs);
		RESULT(ioctl(machine.vcpu, KVM_NMI, 0));
		machine_run(&machine);
	}
	machine_close(&machine);
}

/* --- a signal ends KVM_RUN --- */

static void on_signal(int number)
{
	(void)number;
}

static void *kick(void *argument)
{
	pthread_t thread = *(pthread_t *)argument;

	sleep_ms(30);
	pthread_kill(thread, SIGUSR1);
	return NULL;
}

static void say_kick(const uint8_t *code, size_t size, const char *name, int has_irqchip)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t self = pthread_self(), kicker;
	struct machine machine;

	if (!start(&machine, name, has_irqchip, code, size)) {
		sigaction(SIGUSR1, &action, NULL);
		pthread_create(&kicker, NULL, kick, &self);
		machine_run(&machine);
		pthread_join(kicker, NULL);
		say("reason %u", machine.run->exit_reason);
		machine.run->immediate_exit = 1;
		RESULT(ioctl(machine.vcpu, KVM_RUN, 0));
		machine.run->immediate_exit = 0;
	}
	machine_close(&machine);
}

/* --- the local APIC --- */

static void say_apic(const char *name, const uint8_t *code, size_t size)
{
	struct machine machine;

	if (!start(&machine, name, 1, code, size))
		machine_run(&machine);
	machine_close(&machine);
}
#define APIC(code) say_apic(#code, code, SIZE(code))

struct late_msi {
	int vm, result;
	uint32_t data;
};

static void *send_late(void *argument)
{
	struct late_msi *late = argument;
	struct kvm_msi msi = { .address_lo = APIC_AT, .data = late->data };

	sleep_ms(30);
	late->result = ioctl(late->vm, KVM_SIGNAL_MSI, &msi);
	return NULL;
}

/* A message wakes a vCPU from HLT; the end of a level-triggered one is told to ring 3. */
static void say_late_msi(uint32_t data, int has_route)
{
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entry;
	} routing = { .header.nr = 1,
		      .entry = { .gsi = 5,
				 .type = KVM_IRQ_ROUTING_MSI,
				 .u.msi = { .address_lo = APIC_AT, .data = data } } };
	struct late_msi late;
	struct machine machine;
	pthread_t sender;

	if (!START(&machine, msi_wait, 1)) {
		late = (struct late_msi){ .vm = machine.vm, .data = data };
		if (has_route)
			RESULT(ioctl(machine.vm, KVM_SET_GSI_ROUTING, &routing));
		pthread_create(&sender, NULL, send_late, &late);
		machine_run(&machine);
		pthread_join(sender, NULL);
		say("accepted by %d", late.result);
		if (machine.run->exit_reason == KVM_EXIT_IOAPIC_EOI) {
			say("end of vector %x", machine.run->eoi.vector);
			machine_run(&machine);
		}
	}
	machine_close(&machine);
}

struct second {
	int vcpu;
	struct kvm_run *run;
};

static void *run_second(void *argument)
{
	struct second *second = argument;
	struct kvm_mp_state mp;
	uint32_t port = 0;

	while (!port) {
		if (!ioctl(second->vcpu, KVM_RUN, 0) && second->run->exit_reason == KVM_EXIT_IO)
			port = second->run->io.port;
	}
	say("the second one: port %x", port);
	while (!ioctl(second->vcpu, KVM_RUN, 0))
		continue;
	ioctl(second->vcpu, KVM_GET_MP_STATE, &mp);
	say("the second one: mp state %u", mp.mp_state);
	return NULL;
}

static void say_init_sipi(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct machine machine;
	struct second second;
	struct kvm_mp_state mp;
	pthread_t thread;

	if (!START(&machine, init_sipi, 1)) {
		put(&machine, SIPI_PAGE << 12, started, SIZE(started));
		second.vcpu = ioctl(machine.vm, KVM_CREATE_VCPU, 1);
		second.run = mmap(NULL, machine.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				  second.vcpu, 0);
		ioctl(second.vcpu, KVM_GET_MP_STATE, &mp);
		say("the second one: mp state %u", mp.mp_state);
		sigaction(SIGUSR1, &action, NULL);
		pthread_create(&thread, NULL, run_second, &second);
		machine_run(&machine);
		sleep_ms(50); /* until it halts */
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, NULL);
		munmap(second.run, machine.run_bytes);
		close(second.vcpu);
	}
	machine_close(&machine);
}

void group_kvm_injection(void)
{
	say_windows(open_late, SIZE(open_late), "open_late", 0);
	say_windows(open_late, SIZE(open_late), "open_late with APIC", 1);
	say_injected(0);
	say_injected(1);
	say_shadow();
	for (int count = 1; count <= 3; count++)
		say_nmis(count);
	say_triple_fault();
	say_kick(spin, SIZE(spin), "spin", 0);
	say_kick(spin, SIZE(spin), "spin with APIC", 1);
	say_kick(halt_closed, SIZE(halt_closed), "halt_closed", 1);
	say_kick(wait_once, SIZE(wait_once), "wait_once", 1);
}

void group_kvm_apic(void)
{
	APIC(registers);
	APIC(self_ipi);
	APIC(priority);
	APIC(by_cr8);
	APIC(timer);
	APIC(periodic);
	APIC(x2apic);
	say_late_msi(0x33, 0);
	say_late_msi(0xc033, 1); /* level-triggered, and an I/O APIC pin's */
	say_late_msi(0xc033, 0);
	say_init_sipi();
}
