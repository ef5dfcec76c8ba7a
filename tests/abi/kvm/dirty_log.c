/*
 * KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG: which pages a guest has written to.
 */
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

/* All of it: in pages of 2 MiB, while it isn't logged. */
enum { PAGE = 4096, LOGGED_BYTES = MACHINE_BYTES, PAGES = LOGGED_BYTES / PAGE, WORDS = PAGES / 64 };

#define SET(...) result("set " #__VA_ARGS__, machine_region(machine, __VA_ARGS__))

/* Writes to the pages that are listed at 0x3000: words, up to 0; each a segment. Ends. */
static const uint8_t write_pages[] = {
	0xbe, 0x00,
	0x30,	    /* mov si, 0x3000 */
	0xad,	    /* next: lodsw */
	0x85, 0xc0, /* test ax, ax */
	0x74, 0x09, /* jz end */
	0x8e, 0xc0, /* mov es, ax */
	0x26, 0xfe,
	0x06, 0x00,
	0x00,			/* inc byte es:[0] */
	0xeb, 0xf2,		/* jmp next */
	0xe6, MACHINE_END_PORT, /* end: */
};

static void write_to(struct machine *machine, const uint16_t *segments, size_t count)
{
	uint16_t *list = (uint16_t *)(void *)(machine->memory + 0x3000);

	memcpy(list, segments, count * sizeof(*segments));
	list[count] = 0;
	machine_load(machine, write_pages, sizeof(write_pages));
	machine_run(machine);
}

#define WRITE_TO(...)                                                \
	do {                                                         \
		const uint16_t segments_[] = { __VA_ARGS__ };        \
                                                                     \
		say("the guest writes to segments " #__VA_ARGS__);   \
		write_to(machine, segments_, ARRAY_SIZE(segments_)); \
	} while (0)

static void say_log(const struct machine *machine)
{
	uint64_t words[WORDS];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = words };

	memset(words, 0xee, sizeof(words));
	RESULT(ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log));
	for (uint32_t page = 0; page < PAGES; page++)
		if (words[page / 64] >> page % 64 & 1)
			say("dirty: page %x", page);
}

static void say_errors(const struct machine *machine)
{
	uint64_t words[WORDS];
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = words };

	RESULT(ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log));
	log.slot = 5;
	RESULT(ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log));
	log.slot = 0x7fff;
	RESULT(ioctl(machine->vm, KVM_GET_DIRTY_LOG, &log));
	RESULT(ioctl(machine->vm, KVM_GET_DIRTY_LOG, BAD_POINTER));
}

static void say_toggled(struct machine *machine)
{
	SET(0, 0, 0, 0, NULL);
	SET(0, 0, 0, LOGGED_BYTES, machine->memory);
	WRITE_TO(0x4000, 0x5000);
	SET(0, KVM_MEM_LOG_DIRTY_PAGES, 0, LOGGED_BYTES, machine->memory);
	say_log(machine);
	WRITE_TO(0x4000, 0x4100, 0xf000);
	say_log(machine);
	say_log(machine);
	WRITE_TO(0x4000);
	WRITE_TO(0x4100, 0x4000, 0x4000);
	say_log(machine);
	machine->memory[0x50000]++;
	say_log(machine);
	SET(0, 0, 0, LOGGED_BYTES, machine->memory);
	say_errors(machine);
	WRITE_TO(0x4000);
	SET(0, KVM_MEM_LOG_DIRTY_PAGES, 0, LOGGED_BYTES, machine->memory);
	say_log(machine);
	WRITE_TO(0x6000);
	say_log(machine);
}

#define CLEAR(first, pages, ...)                                                \
	do {                                                                    \
		uint64_t words_[WORDS + 1] = { __VA_ARGS__ };                   \
		struct kvm_clear_dirty_log clear_ = { .slot = 0,                \
						      .first_page = (first),    \
						      .num_pages = (pages),     \
						      .dirty_bitmap = words_ }; \
                                                                                \
		result("clear " #first ", " #pages,                             \
		       ioctl(machine->vm, KVM_CLEAR_DIRTY_LOG, &clear_));       \
	} while (0)

static void say_manual(struct machine *machine)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 8 } };

	RESULT(ioctl(machine->vm, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) & 1);
	RESULT(ioctl(machine->vm, KVM_ENABLE_CAP, &cap));
	cap.args[0] = 1;
	RESULT(ioctl(machine->vm, KVM_ENABLE_CAP, &cap));
	WRITE_TO(0x4000, 0x4100, 0x8000);
	say_log(machine);
	say_log(machine);
	CLEAR(1, 64, ~0ull);
	CLEAR(0, 63, ~0ull);
	CLEAR(PAGES - 64, 128, ~0ull);
	CLEAR(PAGES, 64, ~0ull);
	CLEAR(64, 64, 1);
	say_log(machine);
	WRITE_TO(0x4000, 0x4100);
	say_log(machine);
	CLEAR(0, PAGES, ~0ull, ~0ull, ~0ull, ~0ull);
	say_log(machine);
	WRITE_TO(0x4100);
	say_log(machine);
}

void group_kvm_dirty_log(void)
{
	struct machine opened, *machine = &opened;

	if (!machine_open(machine, 0, 1)) {
		say_errors(machine);
		say_toggled(machine);
		say_manual(machine);
	}
	machine_close(machine);
}
