/*
 * Booting a fuzzer's input as a kernel: see fuzz_kernel.h.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/fuzz_kernel.h"
#include "tests/support/fuzz_script.h"

enum { MACHINE_BYTES = 4 << 20, INITRD_UNIT_BYTES = 8192 };

struct machine {
	struct guest_memory memory;
	int kernel, initrd;
	char kernel_path[32], initrd_path[32];
};

static struct machine *machine(void)
{
	static struct machine machine;
	struct errmsg why = { 0 };

	if (machine.memory.mapping)
		return &machine;
	fuzz_claim(!memory_create(MACHINE_BYTES, &machine.memory, &why));
	machine.kernel = memfd_create("kernel", MFD_CLOEXEC);
	machine.initrd = memfd_create("initrd", MFD_CLOEXEC);
	snprintf(machine.kernel_path, sizeof(machine.kernel_path), "/proc/self/fd/%d",
		 machine.kernel);
	snprintf(machine.initrd_path, sizeof(machine.initrd_path), "/proc/self/fd/%d",
		 machine.initrd);
	return &machine;
}

static void write_files(struct machine *m, const uint8_t *bytes, size_t n)
{
	fuzz_claim(!ftruncate(m->initrd, bytes[0] * (off_t)INITRD_UNIT_BYTES));
	fuzz_claim(!ftruncate(m->kernel, 0));
	fuzz_claim(pwrite(m->kernel, bytes + 1, n - 1, 0) == (ssize_t)(n - 1));
}

bool fuzz_kernel_boot(const uint8_t *bytes, size_t n, struct boot_entry *out)
{
	struct errmsg why = { 0 };
	struct boot_source source;
	struct machine *m;
	int err;

	if (!n)
		return false;
	m = machine();
	write_files(m, bytes, n);
	err = boot_open(m->kernel_path, bytes[0] ? m->initrd_path : NULL, "quiet", &source, &why);
	fuzz_claim(!err);
	err = boot_load(&source, &m->memory, 1, out, &why);
	boot_close(&source);
	fuzz_claim(!err || why.blame == BLAME_USER);
	return !err;
}

bool fuzz_kernel_has_ram(uint64_t address)
{
	return memory_at(&machine()->memory, gpa(address), 1);
}
