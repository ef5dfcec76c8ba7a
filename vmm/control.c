/*
 * The control protocol's hands: see control.h.
 */
#include "vmm/control.h"

static const char *state_name(enum vm_state state)
{
	static const char *const names[] = {
		[VM_PAUSED] = "paused",
		[VM_RUNNING] = "running",
		[VM_ENDED] = "stopping",
	};

	return names[state];
}

static json_t *control_state(void *context)
{
	struct vm *vm = context;

	return json_pack("{s:s, s:s, s:i, s:I}", "state", state_name(vm->state), "name",
			 vm->config->name, "cpus", (int)vm->nr_vcpus, "memory_bytes",
			 (json_int_t)vm->memory.size_bytes);
}

/* Counts by name; those that are 0 stay out, since most reasons never occur. */
static json_t *exit_counts(const struct vm *vm)
{
	json_t *counts = json_object();

	for (uint32_t reason = 0; reason < VCPU_EXITS_MAX; reason++) {
		uint64_t total = 0;

		for (uint32_t i = 0; i < vm->nr_vcpus; i++)
			total += __atomic_load_n(&vm->vcpus[i].exits[reason], __ATOMIC_RELAXED);
		if (total)
			json_object_set_new(counts, vcpu_exit_name(reason),
					    json_integer((json_int_t)total));
	}
	return counts;
}

static json_t *device_counts(const struct virtio_dev *dev)
{
	json_t *counts = json_pack("{s:s}", "kind", dev->ops->name);

	for (uint32_t i = 0; dev->ops->counters[i]; i++)
		json_object_set_new(counts, dev->ops->counters[i],
				    json_integer((json_int_t)__atomic_load_n(&dev->counters[i],
									     __ATOMIC_RELAXED)));
	json_object_set_new(counts, "needs_reset", json_boolean(virtio_dev_is_failed(dev)));
	return counts;
}

static json_t *control_stats(void *context)
{
	struct vm *vm = context;
	json_t *devices = json_object();

	for (uint32_t i = 0; i < vm->nr_devices; i++)
		json_object_set_new(devices, vm->devices[i]->dev->id,
				    device_counts(vm->devices[i]->dev));
	return json_pack("{s:I, s:o, s:o, s:{s:I}}", "guest_ns",
			 (json_int_t)vmclock_now_ns(&vm->clock), "exits", exit_counts(vm),
			 "devices", devices, "console", "dropped_bytes",
			 (json_int_t)console_dropped_bytes(vm->console));
}

static json_t *control_config(void *context)
{
	struct vm *vm = context;

	return config_to_json(vm->config);
}

static int control_pause(void *context, struct errmsg *why)
{
	return vm_pause(context, why);
}

static int control_resume(void *context, struct errmsg *why)
{
	return vm_resume(context, why);
}

static int control_powerdown(void *context, struct errmsg *why UNUSED)
{
	vm_press_power_button(context);
	return 0;
}

static int control_reset(void *context, struct errmsg *why)
{
	return vm_reset(context, why);
}

static int control_quit(void *context, struct errmsg *why UNUSED)
{
	vm_quit(context);
	return 0;
}

const struct api_ops control_ops = {
	.state = control_state,
	.stats = control_stats,
	.config = control_config,
	.pause = control_pause,
	.resume = control_resume,
	.powerdown = control_powerdown,
	.reset = control_reset,
	.quit = control_quit,
};

static void on_change(void *context, enum vm_state state)
{
	json_t *data = json_pack("{s:s}", "state", state_name(state));

	api_event(context, "state", data);
	json_decref(data);
}

void control_watch(struct vm *vm, struct api_server *server)
{
	vm->changed_context = server;
	vm->changed = server ? on_change : NULL;
}
