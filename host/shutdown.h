/*
 * The way down: every VM is stopped, then bhd ends; as the first process of a machine, the machine too.
 */
#pragma once

#include <stdbool.h>

#include "host/vm_list.h"

/* Zero-initialised: nobody asked yet. */
struct shutdown {
	bool is_begun;
};

/* Stops all VMs. Again: pulls the plug of those that still run. */
void shutdown_begin(struct shutdown *shutdown, struct vm_list *list);

/* Begun, and nothing is left to wait for? */
bool shutdown_is_complete(const struct shutdown *shutdown, const struct vm_list *list);

/* Writes the disks out. Process 1 doesn't return from here. */
void shutdown_power_off(void);
