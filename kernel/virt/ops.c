/*
 * Which vendor's virtualization this machine has: see ops.h.
 */
#include <stddef.h>

#include "kernel/dev/print.h"
#include "kernel/virt/ops.h"

const struct virt_ops *virt;

void virt_choose(const struct virt_ops *const *candidates)
{
	const char *why = "the processor has none";

	for (; *candidates; candidates++) {
		if ((*candidates)->init(&why))
			continue;
		virt = *candidates;
		virt->init_cpu();
		return;
	}
	print_warn("no virtual machine can run here: %s", why);
}
