/*
 * KVM_RUN that is told to come back, or is interrupted: what it says then, and which signals it hears.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/abi/kvm/machine.h"

static const uint8_t spin[] = { 0xeb, 0xfe };
static const uint8_t port[] = { 0xe4, 0x60, 0xe6, MACHINE_END_PORT }; /* in, out */

static int handled;

static void note(int signal)
{
	(void)signal;
	handled++;
}

/* The answer is taken, and the last exit's reason stays. */
static void say_immediate(struct machine *machine)
{
	struct kvm_regs regs;

	machine_load(machine, port, sizeof(port));
	machine_step(machine);
	*((uint8_t *)machine->run + machine->run->io.data_offset) = 0x77;
	machine->run->immediate_exit = 1;
	RESULT(ioctl(machine->vcpu, KVM_RUN, 0));
	ioctl(machine->vcpu, KVM_GET_REGS, &regs);
	say("reason %u rip %llx al %llx", machine->run->exit_reason, regs.rip, regs.rax & 0xff);
	machine->run->immediate_exit = 0;
}

static void set_mask(const struct machine *machine, const char *what, int is_blocked,
		     uint32_t bytes)
{
	struct {
		struct kvm_signal_mask header;
		uint64_t set;
	} __attribute__((packed)) mask = { { .len = bytes }, 0 };

	if (is_blocked)
		mask.set = UINT64_C(1) << (SIGUSR1 - 1);
	result(what, ioctl(machine->vcpu, KVM_SET_SIGNAL_MASK, &mask));
}

static void say_run(struct machine *machine)
{
	int error = ioctl(machine->vcpu, KVM_RUN, 0) ? errno : 0;

	say("KVM_RUN: %s, reason %u, handled %d", strerrorname_np(error), machine->run->exit_reason,
	    handled);
}

static void *kick_later(void *thread)
{
	sleep_ms(50);
	pthread_kill(*(pthread_t *)thread, SIGUSR2);
	return NULL;
}

static void say_masks(struct machine *machine)
{
	pthread_t self = pthread_self(), thread;
	sigset_t blocked, now;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	machine_load(machine, spin, sizeof(spin));
	set_mask(machine, "of four bytes", 0, 4);
	RESULT(ioctl(machine->vcpu, KVM_SET_SIGNAL_MASK, BAD_POINTER));

	/* One that the thread blocks ends the run, and isn't handled. */
	set_mask(machine, "open", 0, 8);
	raise(SIGUSR1);
	say_run(machine);
	sigprocmask(SIG_BLOCK, NULL, &now);
	say("blocked again: %d", sigismember(&now, SIGUSR1));

	/* One that the mask blocks doesn't; another does. */
	set_mask(machine, "blocked", 1, 8);
	pthread_create(&thread, NULL, kick_later, &self);
	say_run(machine);
	pthread_join(thread, NULL);

	RESULT(ioctl(machine->vcpu, KVM_SET_SIGNAL_MASK, 0));
	pthread_create(&thread, NULL, kick_later, &self);
	say_run(machine);
	pthread_join(thread, NULL);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	say("handled %d", handled);
}

void group_kvm_run(void)
{
	struct sigaction action = { .sa_handler = note };
	struct machine machine;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	if (!machine_open(&machine, 0, 1)) {
		say_immediate(&machine);
		say_masks(&machine);
	}
	machine_close(&machine);
}
