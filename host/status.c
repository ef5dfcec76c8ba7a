/*
 * Asking all VMs for their counters: see status.h.
 */
#include "host/daemon.h"
#include "host/status.h"

static void finish(struct status *status)
{
	void (*complete)(void *context) = status->complete;

	status->complete = NULL;
	if (complete)
		complete(status->context);
}

static void time_is_over(void *context)
{
	finish(context);
}

static void stats_answered(void *context, const json_t *result, const char *problem UNUSED)
{
	struct vm *vm = context;
	struct daemon *daemon = vm->host->context;
	struct status *status = &daemon->status;

	json_decref(vm->stats);
	vm->stats = json_incref((json_t *)result);
	if (--status->nr_asked)
		return;
	timer_cancel(vm->host->timers, &status->timer);
	finish(status);
}

void status_collect(struct status *status, struct vm_list *list, void (*complete)(void *context),
		    void *context)
{
	status->complete = complete;
	status->context = context;
	status->timer.expired = time_is_over;
	status->timer.context = status;

	/* Counted as asked until all are, so that answers that come at once don't complete it early. */
	status->nr_asked++;
	for (size_t i = 0; i < list->nr_vms; i++) {
		struct vm *vm = list->vms[i];

		if (!vm_is_up(vm))
			continue;
		status->nr_asked++;
		api_client_request(&vm->api, "stats", stats_answered, vm);
	}
	if (--status->nr_asked)
		timer_set(list->host->timers, &status->timer, clock_now_ms() + STATUS_TIMEOUT_MS);
	else
		finish(status);
}
