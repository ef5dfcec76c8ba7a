/*
 * KVM_IOEVENTFD: errors, and which of a guest's accesses signal.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum {
	PIO = KVM_IOEVENTFD_FLAG_PIO,
	MATCH = KVM_IOEVENTFD_FLAG_DATAMATCH,
	REMOVE = KVM_IOEVENTFD_FLAG_DEASSIGN,
};

static int change(const struct machine *machine, int fd, uint64_t address, uint32_t bytes,
		  uint32_t flags, uint64_t match)
{
	struct kvm_ioeventfd args = {
		.datamatch = match, .addr = address, .len = bytes, .fd = fd, .flags = flags
	};

	return ioctl(machine->vm, KVM_IOEVENTFD, &args);
}

#define CHANGE(...) result("ioeventfd " #__VA_ARGS__, change(machine, __VA_ARGS__))

static void say_errors(const struct machine *machine, int fd, int other)
{
	int file = dup(machine->kvm);

	CHANGE(-1, 0x500, 2, PIO, 0);
	CHANGE(file, 0x500, 2, PIO, 0);
	CHANGE(fd, 0x500, 3, PIO, 0);
	CHANGE(fd, 0x500, 16, PIO, 0);
	CHANGE(fd, UINT64_MAX, 2, 0, 0);
	CHANGE(fd, 0x500, 2, 0x80, 0);
	CHANGE(fd, 0x500, 0, PIO | MATCH, 1);
	CHANGE(fd, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(-1, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 2, PIO, 0);
	CHANGE(other, 0x500, 2, PIO, 0);
	CHANGE(other, 0x500, 2, PIO | MATCH, 5);
	CHANGE(other, 0x500, 4, PIO, 0);
	CHANGE(other, 0x500, 0, PIO, 0);
	CHANGE(other, 0x500, 2, 0, 0);
	CHANGE(other, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 2, PIO | REMOVE | MATCH, 0);
	CHANGE(fd, 0x500, 4, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(other, 0x500, 4, PIO | REMOVE, 0);
	CHANGE(other, 0x500, 2, REMOVE, 0);
	RESULT(ioctl(machine->vm, KVM_IOEVENTFD, BAD_POINTER));
	close(file);
}

/* To ports 0x500 and 0x501: a byte, a word and a double word, and two other words. */
static const uint8_t out_to_ports[] = {
	0xba, 0x00,
	0x05, /* mov dx, 0x500 */
	0xb8, 0x34,
	0x12,	    /* mov ax, 0x1234 */
	0xee,	    /* out dx, al */
	0xef,	    /* out dx, ax */
	0x66, 0xef, /* out dx, eax */
	0xb8, 0x05,
	0x00, 0xef, /* mov ax, 5; out dx, ax */
	0xb8, 0x06,
	0x00, 0xef, /* mov ax, 6; out dx, ax */
	0x42, 0xef, /* inc dx; out dx, ax */
	0xe6, MACHINE_END_PORT,
};

static void say_count(const char *name, int fd)
{
	uint64_t count = 0;

	say("%s: signalled %d times", name,
	    read(fd, &count, sizeof(count)) == sizeof(count) ? (int)count : 0);
}

static void run(struct machine *machine, const char *what, int fd, int other)
{
	say("%s", what);
	machine_load(machine, out_to_ports, sizeof(out_to_ports));
	machine_run(machine);
	say_count("the one", fd);
	say_count("the other", other);
}

static void say_ports(struct machine *machine, int fd, int other)
{
	run(machine, "none", fd, other);
	CHANGE(fd, 0x500, 2, PIO, 0);
	run(machine, "words", fd, other);
	CHANGE(fd, 0x500, 2, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 2, PIO | MATCH, 5);
	CHANGE(other, 0x500, 2, PIO | MATCH, 6);
	CHANGE(other, 0x500, 2, PIO | MATCH, 6);
	run(machine, "words of two values", fd, other);
	CHANGE(other, 0x500, 2, PIO | MATCH | REMOVE, 6);
	CHANGE(other, 0x500, 1, PIO, 0);
	run(machine, "a value, and bytes", fd, other);
	CHANGE(fd, 0x500, 2, PIO | MATCH | REMOVE, 5);
	CHANGE(other, 0x500, 1, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 0, PIO, 0);
	run(machine, "any length", fd, other);
	CHANGE(fd, 0x500, 0, PIO | REMOVE, 0);
	CHANGE(fd, 0x500, 4, PIO | MATCH, 0x1234);
	run(machine, "a double word", fd, other);
	CHANGE(fd, 0x500, 4, PIO | MATCH | REMOVE, 0x1234);
	run(machine, "none again", fd, other);
}

void group_kvm_ioeventfd(void)
{
	struct machine opened, *machine = &opened;
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);

	if (!machine_open(machine, 0, 1)) {
		say_errors(machine, fd, other);
		say_ports(machine, fd, other);
		/* What is left goes with the VM. */
		CHANGE(fd, 0x510, 2, PIO, 0);
		CHANGE(other, 0xd0000000, 4, 0, 0);
	}
	machine_close(machine);
	close(fd);
	close(other);
}
