/*
 * KVM_SET_USER_MEMORY_REGION: errors, moves, deletions, read-only slots, memory that goes while it is in use.
 */
#include <string.h>
#include <sys/mman.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { PAGE = 4096, MORE_BYTES = 1 << 20, MORE_AT = 16 << 20 };

#define SET(...) result("set " #__VA_ARGS__, machine_region(machine, __VA_ARGS__))

static void say_errors(const struct machine *machine, uint8_t *more)
{
	SET(1, 1 << 5, MORE_AT, MORE_BYTES, more);
	SET(0x7fff, 0, MORE_AT, MORE_BYTES, more);
	SET(1, 0, MORE_AT + 1, MORE_BYTES, more);
	SET(1, 0, MORE_AT, MORE_BYTES + 1, more);
	SET(1, 0, MORE_AT, MORE_BYTES, more + 1);
	SET(1, 0, MORE_AT, 0, more);
	SET(1, 0, 0x1000, MORE_BYTES, more);
	SET(1, 0, MACHINE_BYTES - PAGE, 2 * PAGE, more);
	SET(1, 0, -(uint64_t)PAGE, 2 * PAGE, more);
	SET(1, 0, UINT64_C(1) << 52, PAGE, more);
	SET(1, 0, MORE_AT, PAGE, (void *)0xffff800000000000);
	RESULT(ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, BAD_POINTER));
}

static void say_changes(const struct machine *machine, uint8_t *more)
{
	SET(1, 0, MORE_AT, MORE_BYTES, more);
	SET(1, 0, MORE_AT, MORE_BYTES, more);
	SET(1, 0, MORE_AT, MORE_BYTES / 2, more);
	SET(1, 0, MORE_AT, MORE_BYTES, more + PAGE);
	SET(1, KVM_MEM_READONLY, MORE_AT, MORE_BYTES, more);
	SET(1, KVM_MEM_LOG_DIRTY_PAGES, MORE_AT, MORE_BYTES, more);
	SET(1, 0, 2 * MORE_AT, MORE_BYTES, more);
	SET(2, 0, MORE_AT, MORE_BYTES, more);
	SET(1, 0, MORE_AT, MORE_BYTES, more);
	SET(2, 0, 0, 0, NULL);
	SET(2, 0, 0, 0, NULL);
	SET(1, 0, MORE_AT, MORE_BYTES, more);
	SET(1, 0, 0, 0, NULL);
}

/* mov eax, [AT] through a flat segment would need protected mode: the pages are within real mode's first megabyte. */
static const uint8_t read_and_write[] = {
	0xb8, 0x00,
	0x80,	    /* mov ax, 0x8000 */
	0x8e, 0xd8, /* mov ds, ax: base 0x80000 */
	0xa1, 0x10,
	0x00,	    /* mov ax, [0x10] */
	0xe7, 0x50, /* out 0x50, ax */
	0xc7, 0x06,
	0x20, 0x00,
	0x34, 0x12, /* mov word [0x20], 0x1234 */
	0xa1, 0x20,
	0x00,	    /* mov ax, [0x20] */
	0xe7, 0x51, /* out 0x51, ax */
	0xe6, MACHINE_END_PORT,
};

static void run(struct machine *machine, const char *what)
{
	say("%s", what);
	machine_load(machine, read_and_write, sizeof(read_and_write));
	machine_run(machine);
}

static void put_word(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Slot 0 ends below 0x80000; slot 1 is there. */
static void say_slots_in_use(struct machine *machine, uint8_t *more)
{
	SET(0, 0, 0, 0, NULL);
	SET(0, 0, 0, 0x80000, machine->memory);
	SET(1, 0, 0x80000, MORE_BYTES / 2, more);
	put_word(more + 0x10, 0xabcd);
	run(machine, "a slot");
	say("written: %x", more[0x20]);

	SET(1, 0, 0x90000, MORE_BYTES / 2, more);
	SET(2, 0, 0x80000, 0x10000, more + MORE_BYTES / 2);
	put_word(more + MORE_BYTES / 2 + 0x10, 0x1111);
	run(machine, "moved, another in its place");
	say("written: %x", more[MORE_BYTES / 2 + 0x20]);

	SET(2, 0, 0, 0, NULL);
	SET(2, KVM_MEM_READONLY, 0x80000, 0x10000, more);
	more[0x20] = 0;
	run(machine, "read-only");
	say("written: %x", more[0x20]);
	SET(2, 0, 0, 0, NULL);
}

/* What the owner does to its memory shows in the guest. */
static void say_owner(struct machine *machine, uint8_t *more)
{
	SET(2, 0, 0x80000, 0x10000, more);
	put_word(more + 0x10, 0x2222);
	run(machine, "before");
	RESULT(madvise(more, 0x10000, MADV_DONTNEED));
	run(machine, "discarded");
	RESULT(mprotect(more, 0x10000, PROT_READ | PROT_WRITE));
	say("written: %x", more[0x20]);
	RESULT(mmap(more, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) == more);
	put_word(more + 0x10, 0x3333);
	run(machine, "mapped anew");
	say("written: %x", more[0x20]);
	RESULT(mprotect(more, 0x10000, PROT_READ));
	run(machine, "without the right to write");
	RESULT(mprotect(more, 0x10000, PROT_READ | PROT_WRITE));
	run(machine, "with it again");
	RESULT(munmap(more, 0x10000));
	run(machine, "not there");
	SET(2, 0, 0, 0, NULL);
}

void group_kvm_memory(void)
{
	struct machine opened, *machine = &opened;
	uint8_t *more =
		mmap(NULL, MORE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!machine_open(machine, 0, 1)) {
		say_errors(machine, more);
		say_changes(machine, more);
		say_slots_in_use(machine, more);
		say_owner(machine, more);
	}
	machine_close(machine);
	munmap(more, MORE_BYTES);
}
