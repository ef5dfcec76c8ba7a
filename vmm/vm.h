/*
 * One virtual machine: its parts, and its life.
 *
 *	vm_create -> vm_run { running <-> paused, resets } -> vm_destroy
 *
 * Threads: the main thread runs the event loop and is the only one that creates, pauses, resumes, resets
 * and ends; a thread per vCPU runs the guest and emulates what it touches, under vm->lock; each virtio device
 * serves its queues on a worker of its own, which never takes vm->lock. docs/locking.md has the order.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/config.h"
#include "vmm/console.h"
#include "vmm/gate.h"
#include "vmm/interrupts.h"
#include "vmm/kvm.h"
#include "base/loop.h"
#include "vmm/memory.h"
#include "vmm/platform.h"
#include "vmm/power.h"
#include "vmm/vcpu.h"
#include "vmm/virtio/pci.h"
#include "vmm/vmclock.h"
#include "base/wakeup.h"

enum {
	VM_DEVICES_MAX = CONFIG_DISKS_MAX + CONFIG_NETS_MAX + 1,
};

enum vm_state {
	VM_PAUSED,
	VM_RUNNING,
	VM_ENDED,
};

/* How it ended: the exit status of the program. */
enum vm_end {
	VM_END_FINE = 0,   /* the guest powered off, or somebody asked us to quit */
	VM_END_FAILED = 1, /* it could not go on */
};

/* Fields: [I] immutable after vm_create()  [M] the main thread  [L] vm->lock  [a] atomic */
struct vm {
	const struct vm_config *config; /* [I] borrowed */
	pthread_mutex_t lock;
	struct loop loop; /* [M] */
	struct vmclock clock;
	struct kvm kvm;				    /* [I] */
	struct guest_memory memory;		    /* [I] */
	struct boot_source boot;		    /* [I] */
	struct bus io, mmio;			    /* [L] */
	struct interrupts interrupts;		    /* [L] */
	struct platform platform;		    /* [L] */
	struct power_sink power;		    /* [I] */
	struct console *console;		    /* [I] */
	struct virtio_pci *devices[VM_DEVICES_MAX]; /* [I] */
	uint32_t nr_devices;			    /* [I] */
	struct vcpu *vcpus;			    /* [I] config->cpus of them */
	uint32_t nr_vcpus;			    /* [I] */
	struct gate gate;
	struct wakeup attention;			     /* what follows has changed */
	bool has_wish;					     /* [L] */
	enum power_wish wish;				     /* [L] */
	bool has_failed;				     /* [a] a vCPU can't go on */
	bool is_quit_wanted;				     /* [M] */
	enum vm_state state;				     /* [M] */
	enum vm_end end;				     /* [M] */
	void (*changed)(void *context, enum vm_state state); /* [M] may be NULL */
	void *changed_context;				     /* [M] */
};

/**
 * vm_create() - put a machine together, with its kernel loaded, paused
 * @config: borrowed until vm_destroy()
 * @vm: all zero; the buses' tables are large, and what isn't used of them isn't touched
 *
 * Returns 0, or -errno with @why, and nothing to destroy.
 */
MUST_CHECK int vm_create(const struct vm_config *config, struct vm *vm, struct errmsg *why);
void vm_destroy(struct vm *vm);

/* Runs the guest until it ends. @why is filled where the result isn't VM_END_FINE and there is more to say. */
enum vm_end vm_run(struct vm *vm, struct errmsg *why);

/* Context: the main thread. Each is fine in a state that already is as wished. */
MUST_CHECK int vm_pause(struct vm *vm, struct errmsg *why);
MUST_CHECK int vm_resume(struct vm *vm, struct errmsg *why);
MUST_CHECK int vm_reset(struct vm *vm, struct errmsg *why);
void vm_press_power_button(struct vm *vm);
void vm_quit(struct vm *vm);

/* Any thread: a vCPU's thread has given up. */
void vm_fail(struct vm *vm);
