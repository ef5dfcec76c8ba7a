/*
 * VMs end in every order: what they held is given back. (main.c compares what the kernel has given out before and after.)
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

static const uint8_t spin[] = { 0xeb, 0xfe };
static const uint8_t end[] = { 0xe6, MACHINE_END_PORT };

static void say_mapping_last(void)
{
	struct machine machine;

	if (!machine_open(&machine, 1, 1)) {
		close(machine.vcpu);
		close(machine.vm);
		close(machine.kvm);
		machine.vcpu = machine.vm = machine.kvm = -1;
		say("the run structure is still there: exit reason %u", machine.run->exit_reason);
	}
	machine_close(&machine);
}

static void say_vcpu_last(void)
{
	struct machine machine;

	if (!machine_open(&machine, 1, 1)) {
		close(machine.vm);
		machine.vm = -1;
		machine_load(&machine, end, sizeof(end));
		machine_run(&machine);
		say("the vCPU lives without the VM's descriptor");
	}
	machine_close(&machine);
}

static void say_memory_first(void)
{
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		machine_load(&machine, end, sizeof(end));
		machine_run(&machine);
		RESULT(munmap(machine.memory, MACHINE_BYTES));
		machine_load_regs(&machine);
		machine_run(&machine);
	}
	machine_close(&machine);
}

/* In a child that leaves everything as it is. */
static void say_child(const char *what, void (*run)(struct machine *machine), int signal)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		static struct machine machine;

		if (!machine_open(&machine, 1, 1))
			run(&machine);
		_exit(7);
	}
	if (signal) {
		sleep_ms(100);
		kill(pid, signal);
	}
	waitpid(pid, &status, 0);
	say("%s: ended by %d, status %d", what, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

static void leave(struct machine *machine)
{
	machine_load(machine, end, sizeof(end));
	machine_run(machine);
}

static void run_for_ever(struct machine *machine)
{
	machine_load(machine, spin, sizeof(spin));
	machine_run(machine);
}

static void *run_in_thread(void *machine)
{
	run_for_ever(machine);
	return NULL;
}

/* The first thread waits for the vCPU that the other one runs. */
static void wait_for_ever(struct machine *machine)
{
	struct kvm_regs regs;
	pthread_t thread;

	pthread_create(&thread, NULL, run_in_thread, machine);
	sleep_ms(50);
	ioctl(machine->vcpu, KVM_GET_REGS, &regs);
}

/* A VM belongs to who made it. */
static void say_inherited(void)
{
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			RESULT(ioctl(machine.vm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY));
			RESULT(ioctl(machine.vcpu, KVM_RUN, 0));
			_exit(0);
		}
		waitpid(pid, &status, 0);
		machine_load(&machine, end, sizeof(end));
		machine_run(&machine);
	}
	machine_close(&machine);
}

static void say_many(void)
{
	int failed = 0;

	for (int i = 0; i < 50; i++) {
		struct machine machine;

		failed |= machine_open(&machine, i & 1, 1);
		if (!failed) {
			machine_load(&machine, end, sizeof(end));
			machine_run(&machine);
		}
		machine_close(&machine);
	}
	say("one after the other: %d", failed);
}

void group_kvm_lifetime(void)
{
	say_mapping_last();
	say_vcpu_last();
	say_memory_first();
	say_child("left behind", leave, 0);
	say_child("killed", run_for_ever, SIGKILL);
	say_child("terminated", run_for_ever, SIGTERM);
	say_child("killed while it waits", wait_for_ever, SIGKILL);
	say_child("terminated while it waits", wait_for_ever, SIGTERM);
	say_inherited();
	say_many();
}
