/*
 * Memory that changes hands while two vCPUs write to it: copied by the dirty log as a live migration does, logged and not logged
 * by turns, discarded by its owner, in slots that move.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum {
	PAGE = 4096,
	PAGES = MACHINE_BYTES / PAGE,
	WORDS = PAGES / 64,
	WRITTEN_AT = 0x10000, /* the guest writes to the pages from here on */
	WRITTEN_END = 0x90000,
	ROUNDS = 30,
	VCPUS = 2,
};

/* Writes to one page after the other, in no order, for ever: a count, and what it has come to. */
static const uint8_t write_for_ever[] = {
	0xb8, 0x01, 0x00,	      /* mov ax, 1 */
	0x69, 0xc0, 0x55, 0x62,	      /* next: imul ax, 25173 */
	0x05, 0x19, 0x36,	      /* add ax, 13849 */
	0x89, 0xc3,		      /* mov bx, ax */
	0x81, 0xe3, 0x00, 0x7f,	      /* and bx, 0x7f00 */
	0x81, 0xc3, 0x00, 0x10,	      /* add bx, 0x1000 */
	0x8e, 0xc3,		      /* mov es, bx */
	0x26, 0xff, 0x06, 0x00, 0x00, /* inc word es:[0] */
	0x26, 0xa3, 0x02, 0x00,	      /* mov es:[2], ax */
	0xeb, 0xe2,		      /* jmp next */
};

/* --- the vCPU's thread --- */

struct runner {
	struct machine *machine;
	pthread_t thread;
	int is_stopping;
	int error;	/* of KVM_RUN, other than the kick */
	uint32_t exits; /* that nobody expects */
};

static void ignore(int number)
{
	(void)number;
}

static void *run_guest(void *argument)
{
	struct runner *runner = argument;

	while (!__atomic_load_n(&runner->is_stopping, __ATOMIC_ACQUIRE)) {
		if (!ioctl(runner->machine->vcpu, KVM_RUN, 0))
			runner->exits++;
		else if (errno != EINTR)
			runner->error = errno;
		if (runner->exits || runner->error)
			break;
	}
	return NULL;
}

/* Both vCPUs of the machine. */
struct guest {
	struct runner runners[VCPUS];
};

static void start(struct guest *guest, struct machine *vcpus)
{
	for (int i = 0; i < VCPUS; i++) {
		guest->runners[i] = (struct runner){ .machine = &vcpus[i] };
		machine_load(&vcpus[i], write_for_ever, sizeof(write_for_ever));
		vcpus[i].run->immediate_exit = 0;
	}
	for (int i = 0; i < VCPUS; i++)
		pthread_create(&guest->runners[i].thread, NULL, run_guest, &guest->runners[i]);
}

/* 0: nothing went wrong. */
static int stop(struct guest *guest)
{
	int failed = 0;

	for (int i = 0; i < VCPUS; i++) {
		struct runner *runner = &guest->runners[i];

		__atomic_store_n(&runner->is_stopping, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&runner->machine->run->immediate_exit, 1, __ATOMIC_RELEASE);
		pthread_kill(runner->thread, SIGUSR1);
		pthread_join(runner->thread, NULL);
		runner->machine->run->immediate_exit = 0;
		failed |= runner->error || runner->exits;
		if (failed)
			say("vCPU %d: error %d, exits %u", i, runner->error, runner->exits);
	}
	return failed;
}

/* --- what happens meanwhile --- */

/* Copies what the log says; how many pages that was. */
static uint32_t copy_dirty(const struct machine *machine, uint8_t *copy)
{
	uint64_t words[WORDS] = { 0 };
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = words };
	uint32_t count = 0;

	if (ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log)) {
		say("the log: %s", strerrorname_np(errno));
		return 0;
	}
	for (uint32_t page = 0; page < PAGES; page++) {
		if (!(words[page / 64] >> page % 64 & 1))
			continue;
		memcpy(copy + page * PAGE, machine->memory + page * PAGE, PAGE);
		count++;
	}
	return count;
}

static int set_flags(const struct machine *machine, uint32_t flags)
{
	return machine_region(machine, 0, flags, 0, MACHINE_BYTES, machine->memory);
}

static void say_copied(struct machine *machine, uint8_t *copy)
{
	struct guest guest;
	uint32_t copied = 0;

	start(&guest, machine);
	sleep_ms(20);
	RESULT(set_flags(machine, KVM_MEM_LOG_DIRTY_PAGES));
	memcpy(copy, machine->memory, MACHINE_BYTES);
	for (int round = 0; round < ROUNDS; round++) {
		sleep_ms(3);
		copied += copy_dirty(machine, copy);
	}
	say("the guest ran: %d", stop(&guest));
	copied += copy_dirty(machine, copy);
	say("pages were copied: %d", copied > 0);
	say("none is missing: %d", !memcmp(copy, machine->memory, MACHINE_BYTES));
	RESULT(set_flags(machine, 0));
}

/* Again and again: each time a copy that the log completes. */
static void say_toggled(struct machine *machine, uint8_t *copy)
{
	int failed = 0, differed = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct guest guest;

		start(&guest, machine);
		failed |= set_flags(machine, KVM_MEM_LOG_DIRTY_PAGES);
		memcpy(copy, machine->memory, MACHINE_BYTES);
		sleep_ms(2);
		failed |= set_flags(machine, 0) || set_flags(machine, KVM_MEM_LOG_DIRTY_PAGES);
		memcpy(copy, machine->memory, MACHINE_BYTES);
		sleep_ms(2);
		failed |= stop(&guest);
		copy_dirty(machine, copy);
		differed |= memcmp(copy, machine->memory, MACHINE_BYTES);
		failed |= set_flags(machine, 0);
	}
	say("toggled: failed %d, differed %d", failed, differed);
}

/* The owner takes pages away, moves others in, changes rights: the guest goes on in what is there then. */
static void say_discarded(struct machine *machine)
{
	uint8_t *written = machine->memory + WRITTEN_AT;
	int failed = 0;
	struct guest guest;

	start(&guest, machine);
	for (int round = 0; round < ROUNDS; round++) {
		failed |= madvise(written, WRITTEN_END - WRITTEN_AT, MADV_DONTNEED);
		sleep_ms(1);
		failed |= mprotect(written, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
			  mprotect(written, PAGE, PROT_READ | PROT_WRITE);
		failed |= mmap(written + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
	}
	failed |= stop(&guest);
	failed |= madvise(written, WRITTEN_END - WRITTEN_AT, MADV_DONTNEED);
	for (uint32_t at = 0; at < WRITTEN_END - WRITTEN_AT; at++)
		failed |= written[at];
	say("discarded: failed %d", failed);
}

/* Other slots come, move and go. */
static void say_moved(struct machine *machine)
{
	uint8_t *more = mmap(NULL, MACHINE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int failed = 0;
	struct guest guest;

	start(&guest, machine);
	for (int round = 0; round < ROUNDS; round++) {
		failed |= machine_region(machine, 1, 0, 64 << 20, MACHINE_BYTES, more) ||
			  machine_region(machine, 1, 0, 32 << 20, MACHINE_BYTES, more) ||
			  machine_region(machine, 1, 0, 0, 0, NULL);
		sleep_ms(1);
	}
	failed |= stop(&guest);
	say("slots: failed %d", failed);
	munmap(more, MACHINE_BYTES);
}

void group_kvm_migration(void)
{
	const struct sigaction action = { .sa_handler = ignore };
	uint8_t *copy = mmap(NULL, MACHINE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct machine vcpus[VCPUS];

	sigaction(SIGUSR1, &action, NULL);
	if (!machine_open(&vcpus[0], 0, 1) && !machine_add_vcpu(&vcpus[0], 1, &vcpus[1])) {
		say_copied(vcpus, copy);
		say_toggled(vcpus, copy);
		say_discarded(vcpus);
		say_moved(vcpus);
		machine_remove_vcpu(&vcpus[1]);
	}
	machine_close(&vcpus[0]);
	munmap(copy, MACHINE_BYTES);
}
