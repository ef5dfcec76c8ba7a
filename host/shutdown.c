/*
 * The way down: see shutdown.h.
 */
#include <sys/reboot.h>
#include <unistd.h>

#include "base/log.h"
#include "host/shutdown.h"

void shutdown_begin(struct shutdown *shutdown, struct vm_list *list)
{
	for (size_t i = 0; i < list->nr_vms; i++) {
		if (shutdown->is_begun)
			vm_kill(list->vms[i]);
		else
			vm_stop(list->vms[i]);
	}
	shutdown->is_begun = true;
}

bool shutdown_is_complete(const struct shutdown *shutdown, const struct vm_list *list)
{
	if (!shutdown->is_begun)
		return false;
	for (size_t i = 0; i < list->nr_vms; i++)
		if (vm_is_busy(list->vms[i]))
			return false;
	return true;
}

void shutdown_power_off(void)
{
	sync();
	if (getpid() != 1)
		return;
	reboot(RB_POWER_OFF);
	/* The first process can't end: that would be a panic. */
	log_error("the machine doesn't power off; switch it off by hand");
	for (;;)
		pause();
}
