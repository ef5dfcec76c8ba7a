/*
 * /dev/kvm itself.
 */
#pragma once

#include <stdbool.h>

/* Makes the node. Where the machine has no virtualization, opening it says so. */
void kvm_device_init(bool has_virtualization);
