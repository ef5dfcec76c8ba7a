/*
 * /dev/kvm itself.
 */
#pragma once

/* Makes the node. Where the machine has no virtualization, opening it says so (-ENODEV). */
void kvm_device_init(void);
