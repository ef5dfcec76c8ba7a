/*
 * ELF kernels of every kind. What must hold: one that is accepted has its description in RAM and an entry of
 * 32 bits; where that points is the guest's own business.
 */
#include "tests/support/fuzz_kernel.h"
#include "tests/support/fuzz_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct boot_entry entry;

	if (fuzz_kernel_boot(bytes, n, &entry) && entry.protocol == BOOT_PVH)
		fuzz_claim(entry.address <= UINT32_MAX && fuzz_kernel_has_ram(entry.argument));
	return 0;
}
