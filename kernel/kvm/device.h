/*
 * /dev/kvm itself.
 */
#pragma once

#include <stdbool.h>

/* Makes the node. Where the machine has no virtualization, opening it says so (-ENODEV). */
void kvm_device_init(void);

/* Switches virtualization on, on the first CPU. Whether it is there: */
void kvm_start(void);
bool kvm_is_available(void);
