/*
 * What KVM offers guests beyond hardware: the end of an interrupt by memory, control of polling, news of
 * vCPUs that have no processor.
 */
#include <linux/kvm_para.h>
#include <pthread.h>
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum {
	VECTOR = 0x33,
	HANDLER = 0x2000,
	EOI_AT = 0x6000,
	STEAL_AT = 0x6100,
	BUSY_THREADS = 4, /* more than there are processors */
	APIC_AT = 0xfee00000,
	LAPIC_ISR = 0x100,
	EXTRA_AT = 16 << 20, /* a slot that goes */
	EXTRA_BYTES = 4096,
};

#define MSR_STEAL_TIME	 UINT32_C(0x4b564d03)
#define MSR_POLL_CONTROL UINT32_C(0x4b564d05)
#define MSR_PV_EOI	 UINT32_C(0x4b564d04)

#define CODE(name, instructions)                                                      \
	extern const uint8_t name[], name##_end[];                                    \
	__asm__(".pushsection .rodata\n.code16\n" #name ":\n" instructions "\n" #name \
		"_end:\n.code64\n.popsection")
#define END	   "\nout %al, $0xe0\nhlt\n"
#define SIZE(code) ((size_t)(code##_end - (code)))

/* DS is the APIC. */
CODE(interrupts_itself,
     "movl $0x1ff, 0xf0\nmovl $0x44033, 0x300\nsti\nnop\ncli\nmov $4, %al\nout %al, $0x80\n"
     "movl $0x44033, 0x300\nsti\nnop\ncli\nmov $5, %al\nout %al, $0x80" END);
CODE(by_memory,
     "out %al, $0x82\nlock btrw $0, %cs:0x6000\njc 1f\nmovl $0, 0xb0\n1: out %al, $0x83\niret");
CODE(by_memory_at_once, "lock btrw $0, %cs:0x6000\njc 1f\nmovl $0, 0xb0\n1: out %al, $0x83\niret");
CODE(by_apic, "out %al, $0x82\nmovl $0, 0xb0\nout %al, $0x83\niret");

static int start(struct machine *machine, const char *name, const uint8_t *handler, size_t size)
{
	const uint32_t handler_at = HANDLER;
	struct kvm_sregs sregs;

	if (machine_open(machine, 1, 1))
		return -1;
	say("%s:", name);
	machine_give_cpuid(machine);
	machine_load(machine, interrupts_itself, SIZE(interrupts_itself));
	memcpy(machine->memory + VECTOR * 4, &handler_at, sizeof(handler_at));
	memcpy(machine->memory + HANDLER, handler, size);
	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.ds.base = APIC_AT;
	ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
	return 0;
}

static void say_eoi_msr(const struct machine *machine)
{
	static const uint64_t values[] = { EOI_AT | 1,	   EOI_AT | 3,	      EOI_AT | 2,
					   0xf0000001,	   0xf0000000,	      UINT64_MAX,
					   UINT64_MAX - 3, MACHINE_BYTES - 3, MACHINE_BYTES | 1,
					   EXTRA_AT | 1,   EOI_AT | 1 };
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		int count = machine_set_msr(machine, MSR_PV_EOI, values[i]);

		RESULT(machine_get_msr(machine, MSR_PV_EOI, &value));
		say("end by memory %llx: %d: %llx", (long long)values[i], count, (long long)value);
	}
}

/* While ring 3 looks the APIC is as the guest has left it, and the bit is clear. */
static void say_in_service(const struct machine *machine)
{
	struct kvm_lapic_state state;

	RESULT(ioctl(machine->vcpu, KVM_GET_LAPIC, &state));
	say("in service: %d, by memory: %d",
	    state.regs[LAPIC_ISR + VECTOR / 32 * 16 + VECTOR % 32 / 8] >> VECTOR % 8 & 1,
	    machine->memory[EOI_AT]);
}

static void say_ends(const char *name, const uint8_t *handler, size_t size)
{
	struct machine machine;

	if (!start(&machine, name, handler, size)) {
		say_eoi_msr(&machine);
		while (machine_step(&machine))
			say_in_service(&machine);
		say_in_service(&machine);
	}
	machine_close(&machine);
}
#define ENDS(handler) say_ends(#handler, handler, SIZE(handler))

/* The page goes, or may only be read, after the guest has named it. */
static void say_lost(uint32_t flags)
{
	static uint8_t extra[EXTRA_BYTES] __attribute__((aligned(EXTRA_BYTES)));
	struct machine machine;

	memset(extra, 0, sizeof(extra));
	if (!start(&machine, "a page that is lost", by_apic, SIZE(by_apic))) {
		RESULT(machine_region(&machine, 1, 0, EXTRA_AT, EXTRA_BYTES, extra));
		RESULT(machine_set_msr(&machine, MSR_PV_EOI, EXTRA_AT | 1));
		RESULT(machine_region(&machine, 1, 0, EXTRA_AT, 0, extra));
		if (flags)
			RESULT(machine_region(&machine, 1, flags, EXTRA_AT, EXTRA_BYTES, extra));
		while (machine_step(&machine))
			say_in_service(&machine);
		say("the page: %d", extra[0]);
	}
	machine_close(&machine);
}

static void say_poll_control(void)
{
	static const uint64_t values[] = { 0, 1, 2, UINT64_MAX, 1 };
	struct machine machine;
	uint64_t value;

	if (!machine_open(&machine, 0, 1)) {
		RESULT(machine_get_msr(&machine, MSR_POLL_CONTROL, &value));
		say("at first: %llx", (long long)value);
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			RESULT(machine_set_msr(&machine, MSR_POLL_CONTROL, values[i]));
			RESULT(machine_get_msr(&machine, MSR_POLL_CONTROL, &value));
			say("control of polling: %llx", (long long)value);
		}
	}
	machine_close(&machine);
}

/* --- a vCPU without a processor --- */

/* Until it is to end, with a look at what is said of itself. DS is 0. */
CODE(spins, "1: cmpb $0, 0x6110\njne 2f\ncmpb $0, 0x7000\nje 1b\nmov $1, %al\nout %al, $0x80\n" END
	    "2: mov $2, %al\nout %al, $0x80" END);

static void *run_machine(void *argument)
{
	machine_run(argument);
	return NULL;
}

static void *keep_busy(void *argument)
{
	volatile int *is_over = argument;

	while (!*is_over)
		continue;
	return NULL;
}

/* Sees it preempted, leaves it a flush of its translations, and sees it go on. */
static void leave_flush(uint8_t *preempted)
{
	uint8_t found;

	do
		found = KVM_VCPU_PREEMPTED;
	while (!__atomic_compare_exchange_n(preempted, &found,
					    KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB, 0,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	while (__atomic_load_n(preempted, __ATOMIC_SEQ_CST) & KVM_VCPU_FLUSH_TLB)
		continue;
}

static void say_preempted(void)
{
	pthread_t vcpu, busy[BUSY_THREADS];
	volatile int is_over = 0;
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		uint8_t *preempted =
			machine.memory + STEAL_AT + offsetof(struct kvm_steal_time, preempted);

		machine_give_cpuid(&machine);
		machine_load(&machine, spins, SIZE(spins));
		/* From a host that was left while it had no processor. */
		*preempted = KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB;
		RESULT(machine_set_msr(&machine, MSR_STEAL_TIME, STEAL_AT | KVM_MSR_ENABLED));
		for (int i = 0; i < BUSY_THREADS; i++)
			pthread_create(&busy[i], NULL, keep_busy, (void *)&is_over);
		pthread_create(&vcpu, NULL, run_machine, &machine);
		for (int i = 0; i < 5; i++)
			leave_flush(preempted);
		machine.memory[0x7000] = 1;
		pthread_join(vcpu, NULL);
		is_over = 1;
		for (int i = 0; i < BUSY_THREADS; i++)
			pthread_join(busy[i], NULL);
		say("preempted: %u", *preempted);
	}
	machine_close(&machine);
}

void group_kvm_paravirt(void)
{
	ENDS(by_memory);
	ENDS(by_memory_at_once);
	ENDS(by_apic);
	say_lost(0);
	say_lost(KVM_MEM_READONLY);
	say_poll_control();
	say_preempted();
}
