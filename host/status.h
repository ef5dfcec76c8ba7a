/*
 * Asking all VMs for their counters before they are shown.
 */
#pragma once

#include <stdbool.h>

#include "host/vm_list.h"

enum { STATUS_TIMEOUT_MS = 3000 };

struct status {
	unsigned nr_asked; /* that haven't answered yet */
	struct timer timer;
	void (*complete)(void *context);
	void *context;
};

/* Asks those that are up, then calls @complete: when all have answered, or the time is over. */
void status_collect(struct status *status, struct vm_list *list, void (*complete)(void *context),
		    void *context);
