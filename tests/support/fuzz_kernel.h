/*
 * Booting a fuzzer's input as a kernel, beside an initrd, in a small machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/boot.h"

/*
 * The first byte says how big the initrd is; the rest is the kernel. Returns whether it was loaded; if so,
 * its entry is in @out. If not, a message says why: that is checked.
 */
bool fuzz_kernel_boot(const uint8_t *bytes, size_t n, struct boot_entry *out);

/* Is there RAM at @address of the machine? */
bool fuzz_kernel_has_ram(uint64_t address);
