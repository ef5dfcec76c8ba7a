/*
 * One virtual machine: see vm.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/layout.h"
#include "base/log.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"
#include "vmm/vm.h"

/* --- what other threads want of the main one --- */

/* The guest's own threads stop at the gate until the main thread has done as wished. */
static void on_power_wish(void *context, enum power_wish wish)
{
	struct vm *vm = context;

	if (!vm->has_wish || wish == POWER_WISH_OFF)
		vm->wish = wish;
	vm->has_wish = true;
	gate_close(&vm->gate);
	wakeup_raise(&vm->attention);
}

void vm_fail(struct vm *vm)
{
	__atomic_store_n(&vm->has_failed, true, __ATOMIC_RELEASE);
	wakeup_raise(&vm->attention);
}

static void on_extint(void *context)
{
	struct vm *vm = context;

	if (vm->nr_vcpus)
		vcpu_kick(&vm->vcpus[0]);
}

/* --- the console --- */

static void com1_transmit(void *context, const uint8_t *bytes, size_t n)
{
	struct vm *vm = context;

	console_write(vm->console, bytes, n);
}

static void com1_room(void *context)
{
	struct vm *vm = context;

	console_room_changed(vm->console);
}

static size_t console_room(void *context)
{
	struct vm *vm = context;
	size_t room;

	pthread_mutex_lock(&vm->lock);
	room = uart_room(&vm->platform.com1);
	pthread_mutex_unlock(&vm->lock);
	return room;
}

static void console_input(void *context, const uint8_t *bytes, size_t n)
{
	struct vm *vm = context;

	/* A guest that has shrunk its FIFO since it was asked loses the rest, as it would from a wire. */
	pthread_mutex_lock(&vm->lock);
	(void)uart_receive(&vm->platform.com1, bytes, n);
	pthread_mutex_unlock(&vm->lock);
}

static void console_quit(void *context)
{
	vm_quit(context);
}

static const struct console_ops console_ops = {
	.room = console_room,
	.input = console_input,
	.quit = console_quit,
};

/* --- running, pausing --- */

static void announce(struct vm *vm, enum vm_state state)
{
	vm->state = state;
	if (vm->changed)
		vm->changed(vm->changed_context, state);
}

static void hold_vcpus(struct vm *vm)
{
	gate_close(&vm->gate);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	gate_wait_closed(&vm->gate);
}

/* Guests stop first, then what serves them, then time. */
static void stop(struct vm *vm)
{
	hold_vcpus(vm);
	for (uint32_t i = 0; i < vm->nr_devices; i++)
		virtio_dev_pause(vm->devices[i]->dev);
	vmclock_freeze(&vm->clock);
}

/* A guest would take the lost time for a hang: by its KVM clock, its watchdog learns better. */
static void tell_of_pause(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		if (kvm_call(vm->vcpus[i].fd, KVM_KVMCLOCK_CTRL, NULL, "kvmclock", NULL) < 0)
			return; /* it has none */
}

static void go(struct vm *vm)
{
	vmclock_thaw(&vm->clock);
	pthread_mutex_lock(&vm->lock);
	platform_resume(&vm->platform);
	pthread_mutex_unlock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_devices; i++)
		virtio_dev_resume(vm->devices[i]->dev);
	gate_open(&vm->gate);
}

int vm_pause(struct vm *vm, struct errmsg *why)
{
	if (vm->state == VM_ENDED)
		return errmsg_user(why, -ESHUTDOWN, "the VM has ended");
	if (vm->state == VM_RUNNING) {
		stop(vm);
		announce(vm, VM_PAUSED);
	}
	return 0;
}

int vm_resume(struct vm *vm, struct errmsg *why)
{
	if (vm->state == VM_ENDED)
		return errmsg_user(why, -ESHUTDOWN, "the VM has ended");
	if (vm->state == VM_PAUSED) {
		tell_of_pause(vm);
		go(vm);
		announce(vm, VM_RUNNING);
	}
	return 0;
}

static int load_guest(struct vm *vm, struct errmsg *why)
{
	struct boot_entry entry;
	int err;

	err = boot_load(&vm->boot, &vm->memory, vm->nr_vcpus, &entry, why);
	return err ? err : vcpu_set_entry(&vm->vcpus[0], &entry, why);
}

static int reset_machine(struct vm *vm, struct errmsg *why)
{
	int err = 0;

	pthread_mutex_lock(&vm->lock);
	for (uint32_t i = 0; i < vm->nr_devices; i++)
		virtio_pci_reset(vm->devices[i]);
	platform_reset(&vm->platform);
	interrupts_reset(&vm->interrupts);
	for (uint32_t i = 0; i < vm->nr_vcpus && !err; i++)
		err = vcpu_reset(&vm->vcpus[i], why);
	vm->has_wish = false;
	pthread_mutex_unlock(&vm->lock);
	return err ? err : load_guest(vm, why);
}

int vm_reset(struct vm *vm, struct errmsg *why)
{
	bool was_running = vm->state == VM_RUNNING;
	int err;

	if (vm->state == VM_ENDED)
		return errmsg_user(why, -ESHUTDOWN, "the VM has ended");
	if (was_running)
		stop(vm);
	err = reset_machine(vm, why);
	if (err) {
		vm->state = VM_PAUSED;
		vm->end = VM_END_FAILED;
		vm->is_quit_wanted = true;
		return err;
	}
	if (was_running)
		go(vm);
	return 0;
}

void vm_press_power_button(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	pm_power_button(&vm->platform.pm);
	pthread_mutex_unlock(&vm->lock);
}

void vm_quit(struct vm *vm)
{
	vm->is_quit_wanted = true;
}

static bool take_wish(struct vm *vm, enum power_wish *wish)
{
	bool has_wish;

	pthread_mutex_lock(&vm->lock);
	has_wish = vm->has_wish;
	*wish = vm->wish;
	vm->has_wish = false;
	pthread_mutex_unlock(&vm->lock);
	return has_wish;
}

/* Carries out what the other threads have asked for. */
static int attend(struct vm *vm, struct errmsg *why)
{
	enum power_wish wish;

	if (__atomic_load_n(&vm->has_failed, __ATOMIC_ACQUIRE)) {
		vm->end = VM_END_FAILED;
		vm_quit(vm);
		return 0;
	}
	if (!take_wish(vm, &wish))
		return 0;
	if (wish == POWER_WISH_OFF || vm->config->on_reset == ON_RESET_EXIT) {
		log_info("the guest has %s",
			 wish == POWER_WISH_OFF ? "powered off" : "reset; ending");
		vm_quit(vm);
		return 0;
	}
	log_info("the guest resets");
	return vm_reset(vm, why);
}

/* The loop comes round, and then attend() looks. */
static void attention_called(void *context UNUSED)
{
}

enum vm_end vm_run(struct vm *vm, struct errmsg *why)
{
	int err = 0;

	for (uint32_t i = 0; i < vm->nr_vcpus && !err; i++)
		err = vcpu_start(&vm->vcpus[i], why);
	if (!err)
		err = vm_resume(vm, why);
	while (!err && !vm->is_quit_wanted) {
		err = loop_turn(&vm->loop, -1);
		if (!err)
			err = attend(vm, why);
	}
	if (err)
		vm->end = VM_END_FAILED;
	if (vm->state == VM_RUNNING)
		stop(vm);
	announce(vm, VM_ENDED);
	gate_dismiss(&vm->gate);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vcpu_join(&vm->vcpus[i]);
	return vm->end;
}

/* --- putting it together --- */

static int map_memory(struct vm *vm, struct errmsg *why)
{
	for (uint32_t i = 0; i < vm->memory.nr_regions; i++) {
		const struct memory_region *region = &vm->memory.regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = region->base.v,
			.memory_size = region->size_bytes,
			.userspace_addr = (uintptr_t)region->hva,
		};
		int err = kvm_call(vm->kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &slot,
				   "giving the guest memory", why);

		if (err < 0)
			return err;
	}
	return 0;
}

static int create_platform(struct vm *vm, struct errmsg *why)
{
	const struct platform_host host = {
		.io = &vm->io,
		.mmio = &vm->mmio,
		.loop = &vm->loop,
		.clock = &vm->clock,
		.lock = &vm->lock,
		.interrupts = &vm->interrupts,
		.memory = &vm->memory,
		.power = vm->power,
		.console = { .transmit = com1_transmit, .room = com1_room, .context = vm },
	};

	return platform_create(&vm->platform, &host, why);
}

/* Plugs @dev, which is taken over, into the next slot. */
static int plug(struct vm *vm, struct virtio_dev *dev, struct errmsg *why)
{
	uint32_t slot = vm->nr_devices + 1; /* the host bridge is in slot 0 */
	const struct virtio_pci_host host = {
		.bus = &vm->platform.pci,
		.loop = &vm->loop,
		.lock = &vm->lock,
		.msis = &vm->interrupts.msis,
		.kicks = &vm->interrupts.kicks,
		.intx = interrupts_line(&vm->interrupts, GSI_PCI_FIRST + slot % GSI_PCI_COUNT),
	};
	int err;

	err = virtio_pci_create(dev, &host, slot, &vm->devices[vm->nr_devices], why);
	if (err)
		return err;
	/* Until the VM runs, its devices are held. */
	virtio_dev_pause(dev);
	vm->nr_devices++;
	return 0;
}

static int create_devices(struct vm *vm, struct errmsg *why)
{
	const struct vm_config *config = vm->config;
	struct virtio_dev *dev;
	int err = 0;

	for (uint32_t i = 0; i < config->nr_disks && !err; i++) {
		err = virtio_blk_create(&config->disks[i], &vm->memory, &dev, why);
		if (!err)
			err = plug(vm, dev, why);
	}
	for (uint32_t i = 0; i < config->nr_nets && !err; i++) {
		err = virtio_net_create(&config->nets[i], &vm->memory, &dev, why);
		if (!err)
			err = plug(vm, dev, why);
	}
	if (config->rng && !err) {
		err = virtio_rng_create("rng", &vm->memory, &dev, why);
		if (!err)
			err = plug(vm, dev, why);
	}
	return err;
}

static void destroy_devices(struct vm *vm)
{
	while (vm->nr_devices)
		virtio_pci_destroy(vm->devices[--vm->nr_devices]);
}

static void destroy_vcpus(struct vm *vm)
{
	while (vm->nr_vcpus)
		vcpu_destroy(&vm->vcpus[--vm->nr_vcpus]);
	free(vm->vcpus);
}

static int create_vcpus(struct vm *vm, struct errmsg *why)
{
	uint32_t cpus = vm->config->cpus;
	struct cpuid_table cpuid;
	struct vcpu_msrs msrs;
	int err;

	if (cpus > vm->kvm.vcpus_max)
		return errmsg_user(why, -EINVAL,
				   "cpus: this host's KVM runs at most %u in one VM, found %u",
				   vm->kvm.vcpus_max, cpus);
	vm->vcpus = calloc(cpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return errmsg_system(why, -ENOMEM, "out of memory for %u vCPUs", cpus);
	err = cpuid_query(&vm->kvm, cpus, &cpuid, why);
	if (!err)
		err = vcpu_state_list_msrs(&vm->kvm, &msrs, why);
	while (!err && vm->nr_vcpus < cpus) {
		err = vcpu_create(vm, vm->nr_vcpus, &cpuid, &msrs, &vm->vcpus[vm->nr_vcpus], why);
		if (!err)
			vm->nr_vcpus++;
	}
	if (err)
		destroy_vcpus(vm);
	return err;
}

static void init(struct vm *vm, const struct vm_config *config)
{
	vm->config = config;
	vm->io.limit = 0x10000;
	vm->power = (struct power_sink){ .wish = on_power_wish, .context = vm };
	pthread_mutex_init(&vm->lock, NULL);
	vmclock_init(&vm->clock, 0);
	gate_init(&vm->gate, config->cpus);
}

int vm_create(const struct vm_config *config, struct vm *vm, struct errmsg *why)
{
	int err;

	init(vm, config);
	err = boot_open(config->boot.kernel, config->boot.initrd, config->boot.cmdline, &vm->boot,
			why);
	if (err)
		return err;
	err = kvm_open(&vm->kvm, why);
	if (err)
		goto err_boot;
	err = memory_create(config->memory_bytes, &vm->memory, why);
	if (err)
		goto err_kvm;
	err = map_memory(vm, why);
	if (err)
		goto err_memory;
	err = loop_create(&vm->loop);
	if (err)
		goto err_memory;
	err = wakeup_create(&vm->attention, &vm->loop, attention_called, vm);
	if (err)
		goto err_loop;
	interrupts_init(&vm->interrupts, &vm->kvm, on_extint, vm);
	err = create_platform(vm, why);
	if (err)
		goto err_attention;
	err = create_devices(vm, why);
	if (err)
		goto err_devices;
	err = create_vcpus(vm, why);
	if (err)
		goto err_devices;
	err = load_guest(vm, why);
	if (err)
		goto err_vcpus;
	/* Last: from here on the terminal is the guest's. */
	err = console_open(config->console, &vm->loop, &console_ops, vm, &vm->console, why);
	if (err)
		goto err_vcpus;
	return 0;

err_vcpus:
	destroy_vcpus(vm);
err_devices:
	destroy_devices(vm);
	platform_destroy(&vm->platform);
err_attention:
	wakeup_destroy(&vm->attention);
err_loop:
	loop_destroy(&vm->loop);
err_memory:
	memory_destroy(&vm->memory);
err_kvm:
	kvm_close(&vm->kvm);
err_boot:
	boot_close(&vm->boot);
	return errmsg_system(why, err, "the VM cannot be put together: %s", strerror(-err));
}

void vm_destroy(struct vm *vm)
{
	console_close(vm->console);
	destroy_vcpus(vm);
	destroy_devices(vm);
	platform_destroy(&vm->platform);
	wakeup_destroy(&vm->attention);
	loop_destroy(&vm->loop);
	memory_destroy(&vm->memory);
	kvm_close(&vm->kvm);
	boot_close(&vm->boot);
}
