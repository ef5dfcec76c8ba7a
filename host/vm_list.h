/*
 * The VMs of this host: one for each *.json file in a folder, in the order of their files' names.
 */
#pragma once

#include "host/vm.h"
#include "lib/compiler.h"
#include "lib/errmsg.h"

struct vm_list {
	struct vm_host *host;
	const char *folder;
	struct vm **vms; /* owned, as are they */
	size_t nr_vms;
	void (*problem)(void *context, const char *text); /* with one document, which isn't taken */
	void *context;
};

/**
 * vm_list_reload() - look at the folder
 *
 * New documents make new VMs, which are loaded; those of vanished documents leave once they don't run;
 * what the documents of the others say counts from their next start.
 * Returns 0, or -errno with @why: the folder can't be read, and nothing has changed.
 */
MUST_CHECK int vm_list_reload(struct vm_list *list, struct errmsg *why);
void vm_list_destroy(struct vm_list *list);

/* Borrowed, or NULL. */
struct vm *vm_list_find(const struct vm_list *list, const char *name);
