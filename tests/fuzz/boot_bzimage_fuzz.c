/*
 * bzImages of every kind, and files of any. What must hold: one that is accepted has its code in RAM.
 */
#include "tests/support/fuzz_kernel.h"
#include "tests/support/fuzz_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct boot_entry entry;

	if (fuzz_kernel_boot(bytes, n, &entry) && entry.protocol == BOOT_LINUX64)
		fuzz_claim(fuzz_kernel_has_ram(entry.address) &&
			   fuzz_kernel_has_ram(entry.argument));
	return 0;
}
