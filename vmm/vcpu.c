/*
 * A virtual processor: see vcpu.h.
 *
 * Before each entry the thread clears immediate_exit and then looks at what it may have been kicked for (the
 * gate, the PIC). A kick sets the cause first and immediate_exit after it, so that none is ever missed:
 * either the look finds the cause, or KVM_RUN returns at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "vmm/entry.h"
#include "vmm/sandbox.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

enum { KICK_SIGNAL = SIGUSR1 };

/* What to do after an exit was handled. */
enum exit_result {
	EXIT_RESUME, /* into the guest again */
	EXIT_FAIL,   /* this VM can't go on; why has been logged */
	EXIT_LEAVE,  /* the VM is over */
};

/* --- exits --- */

static void port_access(struct vcpu *vcpu, uint8_t *data)
{
	const struct kvm_run *run = vcpu->run;
	struct bus *io = &vcpu->vm->io;
	uint64_t value = 0;

	if (run->io.direction == KVM_EXIT_IO_OUT) {
		memcpy(&value, data, run->io.size);
		bus_write(io, run->io.port, value, run->io.size);
	} else {
		value = bus_read(io, run->io.port, run->io.size);
		memcpy(data, &value, run->io.size);
	}
}

/* A string instruction brings several accesses to one port. */
static enum exit_result exit_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	pthread_mutex_lock(&vcpu->vm->lock);
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		port_access(vcpu, data);
	pthread_mutex_unlock(&vcpu->vm->lock);
	vcpu->has_unfinished_exit = true;
	return EXIT_RESUME;
}

static enum exit_result exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct bus *mmio = &vcpu->vm->mmio;
	uint64_t value = 0;

	pthread_mutex_lock(&vcpu->vm->lock);
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		bus_write(mmio, run->mmio.phys_addr, value, run->mmio.len);
	} else {
		value = bus_read(mmio, run->mmio.phys_addr, run->mmio.len);
		memcpy(run->mmio.data, &value, run->mmio.len);
	}
	pthread_mutex_unlock(&vcpu->vm->lock);
	vcpu->has_unfinished_exit = true;
	return EXIT_RESUME;
}

static enum exit_result exit_eoi(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->vm->lock);
	ioapic_eoi(&vcpu->vm->interrupts.ioapic, vcpu->run->eoi.vector);
	pthread_mutex_unlock(&vcpu->vm->lock);
	return EXIT_RESUME;
}

/* A signal came, or the guest can take an external interrupt now: the loop looks after both. */
static enum exit_result exit_resume(struct vcpu *vcpu UNUSED)
{
	return EXIT_RESUME;
}

/* A triple fault resets a PC. */
static enum exit_result exit_shutdown(struct vcpu *vcpu)
{
	static struct log_limit limit;

	log_limited(&limit, "vCPU %u: triple fault; the machine resets", vcpu->id);
	pthread_mutex_lock(&vcpu->vm->lock);
	power_wish(&vcpu->vm->power, POWER_WISH_RESET);
	pthread_mutex_unlock(&vcpu->vm->lock);
	return EXIT_RESUME;
}

static void log_where(const struct vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (kvm_call(vcpu->fd, KVM_GET_REGS, &regs, "registers", NULL) < 0 ||
	    kvm_call(vcpu->fd, KVM_GET_SREGS, &sregs, "registers", NULL) < 0)
		return;
	log_error("vCPU %u: at %#llx:%#llx, rsp %#llx, cr0 %#llx, cr3 %#llx, cr4 %#llx, efer %#llx",
		  vcpu->id, sregs.cs.selector + 0ull, regs.rip, regs.rsp, sregs.cr0, sregs.cr3,
		  sregs.cr4, sregs.efer);
}

static enum exit_result exit_internal_error(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	log_error("vCPU %u: KVM cannot go on: internal error %u%s", vcpu->id,
		  run->internal.suberror,
		  run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
			  ? " (an instruction that it cannot emulate)"
			  : "");
	log_where(vcpu);
	return EXIT_FAIL;
}

static enum exit_result exit_fail_entry(struct vcpu *vcpu)
{
	log_error("vCPU %u: the processor refuses to enter the guest: hardware reason %#llx",
		  vcpu->id, vcpu->run->fail_entry.hardware_entry_failure_reason);
	log_where(vcpu);
	return EXIT_FAIL;
}

static const struct exit_row {
	const char *name;
	enum exit_result (*handle)(struct vcpu *vcpu);
} exits[VCPU_EXITS_MAX] = {
	[KVM_EXIT_IO] = { "io", exit_io },
	[KVM_EXIT_MMIO] = { "mmio", exit_mmio },
	[KVM_EXIT_IRQ_WINDOW_OPEN] = { "irq_window", exit_resume },
	[KVM_EXIT_INTR] = { "signal", exit_resume },
	[KVM_EXIT_IOAPIC_EOI] = { "ioapic_eoi", exit_eoi },
	[KVM_EXIT_SHUTDOWN] = { "shutdown", exit_shutdown },
	[KVM_EXIT_INTERNAL_ERROR] = { "internal_error", exit_internal_error },
	[KVM_EXIT_FAIL_ENTRY] = { "fail_entry", exit_fail_entry },
};

const char *vcpu_exit_name(uint32_t reason)
{
	return reason < VCPU_EXITS_MAX ? exits[reason].name : NULL;
}

static enum exit_result handle_exit(struct vcpu *vcpu)
{
	uint32_t reason = vcpu->run->exit_reason;

	if (!vcpu_exit_name(reason)) {
		log_error("vCPU %u: KVM left the guest for reason %u, which bhvm doesn't know",
			  vcpu->id, reason);
		log_where(vcpu);
		return EXIT_FAIL;
	}
	__atomic_store_n(&vcpu->exits[reason], vcpu->exits[reason] + 1, __ATOMIC_RELAXED);
	return exits[reason].handle(vcpu);
}

/* --- the thread --- */

/* The PIC's wire ends at the first processor; KVM says when it can take a vector. */
static void inject_extint(struct vcpu *vcpu)
{
	struct interrupts *interrupts = &vcpu->vm->interrupts;
	struct kvm_interrupt interrupt;

	if (!vcpu->run->ready_for_interrupt_injection)
		return;
	pthread_mutex_lock(&vcpu->vm->lock);
	if (pic_has_interrupt(&interrupts->pic)) {
		interrupt.irq = pic_acknowledge(&interrupts->pic);
		if (kvm_call(vcpu->fd, KVM_INTERRUPT, &interrupt, "interrupt", NULL) < 0)
			log_warn("vCPU %u: the PIC's interrupt %u was refused", vcpu->id,
				 interrupt.irq);
	}
	pthread_mutex_unlock(&vcpu->vm->lock);
}

static void prepare_extint(struct vcpu *vcpu)
{
	bool *has_extint = &vcpu->vm->interrupts.has_extint;

	if (__atomic_load_n(has_extint, __ATOMIC_ACQUIRE))
		inject_extint(vcpu);
	vcpu->run->request_interrupt_window = __atomic_load_n(has_extint, __ATOMIC_ACQUIRE);
}

static enum exit_result run_once(struct vcpu *vcpu)
{
	int result = ioctl(vcpu->fd, KVM_RUN, 0);

	vcpu->has_unfinished_exit = false;
	if (!result)
		return handle_exit(vcpu);
	if (errno == EINTR || errno == EAGAIN)
		return EXIT_RESUME;
	log_error("vCPU %u: KVM_RUN failed: %s", vcpu->id, strerror(errno));
	log_where(vcpu);
	return EXIT_FAIL;
}

/*
 * The kernel takes the answer to a port or memory access with the next KVM_RUN: have it take it now, without
 * entering the guest. An access in several pieces brings the next piece instead.
 */
static enum exit_result finish_exit(struct vcpu *vcpu)
{
	enum exit_result result = EXIT_RESUME;

	while (vcpu->has_unfinished_exit && result == EXIT_RESUME) {
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		result = run_once(vcpu);
	}
	return result;
}

/* One turn: at a closed gate wait, else run the guest until something is to be done. */
static enum exit_result take_turn(struct vcpu *vcpu)
{
	struct gate *gate = &vcpu->vm->gate;

	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (gate_is_closed(gate)) {
		if (finish_exit(vcpu) == EXIT_FAIL)
			return EXIT_FAIL;
		return gate_pass(gate) ? EXIT_RESUME : EXIT_LEAVE;
	}
	if (vcpu->id == 0)
		prepare_extint(vcpu);
	return run_once(vcpu);
}

static void *vcpu_main(void *argument)
{
	struct vcpu *vcpu = argument;
	enum exit_result result = EXIT_RESUME;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	(void)prctl(PR_SET_NAME, name);
	if (sandbox_enter(SYSCALL_VCPU)) {
		log_error("vCPU %u: cannot enter its sandbox", vcpu->id);
		result = EXIT_FAIL;
	}
	while (result == EXIT_RESUME)
		result = take_turn(vcpu);
	gate_leave(&vcpu->vm->gate);
	if (result == EXIT_FAIL)
		vm_fail(vcpu->vm);
	return NULL;
}

static void on_kick(int signal UNUSED)
{
}

void vcpu_init_kicks(void)
{
	struct sigaction action = { .sa_handler = on_kick };

	sigaction(KICK_SIGNAL, &action, NULL);
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (vcpu->has_thread)
		pthread_kill(vcpu->thread, KICK_SIGNAL);
}

int vcpu_start(struct vcpu *vcpu, struct errmsg *why)
{
	int err = thread_start(&vcpu->thread, vcpu_main, vcpu);

	if (err)
		return errmsg_system(why, err, "vCPU %u: cannot start its thread: %s", vcpu->id,
				     strerror(-err));
	vcpu->has_thread = true;
	return 0;
}

void vcpu_join(struct vcpu *vcpu)
{
	if (vcpu->has_thread)
		pthread_join(vcpu->thread, NULL);
	vcpu->has_thread = false;
}

/* --- making one --- */

enum {
	MSR_MISC_ENABLE = 0x1a0,
	MISC_ENABLE_FAST_STRINGS = 1,
	MSR_MTRR_PHYS_BASE0 = 0x200,
	MSR_MTRR_PHYS_MASK0 = 0x201,
	MSR_MTRR_DEFAULT_TYPE = 0x2ff,
	MTRR_DEFAULT_WRITE_BACK_ENABLED = 0x806,
	MTRR_MASK_VALID = 1 << 11,
	PHYSICAL_BITS_MIN = 36,
};

/* What firmware would have set: memory cached, the hole below 4 GiB not. */
static int set_firmware_msrs(struct vcpu *vcpu, struct errmsg *why)
{
	const uint64_t hole_bytes = MMIO_HOLE_END - MMIO_HOLE_START;
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[4];
	} msrs = {
		.header.nmsrs = 4,
		.entries = {
			{ .index = MSR_MTRR_PHYS_BASE0, .data = MMIO_HOLE_START },
			{ .index = MSR_MTRR_PHYS_MASK0,
			  .data = ((UINT64_C(1) << PHYSICAL_BITS_MIN) - hole_bytes) | MTRR_MASK_VALID },
			{ .index = MSR_MTRR_DEFAULT_TYPE, .data = MTRR_DEFAULT_WRITE_BACK_ENABLED },
			/* Last: an AMD guest may not have it, and KVM stops at the first that fails. */
			{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRINGS },
		},
	};
	int done = kvm_call(vcpu->fd, KVM_SET_MSRS, &msrs, "setting MTRRs", why);

	if (done < 0)
		return done;
	if (done < 3)
		return errmsg_system(why, -EINVAL, "KVM: vCPU %u takes no MTRRs", vcpu->id);
	return 0;
}

static int save_initial(struct vcpu *vcpu, const struct vcpu_msrs *msrs, struct errmsg *why)
{
	vcpu->initial = malloc(sizeof(*vcpu->initial));
	if (!vcpu->initial)
		return errmsg_system(why, -ENOMEM, "vCPU %u: out of memory", vcpu->id);
	return vcpu_state_get(vcpu->fd, msrs, vcpu->initial, why);
}

int vcpu_create(struct vm *vm, uint32_t id, struct cpuid_table *cpuid, const struct vcpu_msrs *msrs,
		struct vcpu *out, struct errmsg *why)
{
	struct vcpu vcpu = { .vm = vm, .id = id };
	int err;

	vcpu.fd = kvm_call(vm->kvm.vm_fd, KVM_CREATE_VCPU, (void *)(uintptr_t)id, "creating a vCPU",
			   why);
	if (vcpu.fd < 0)
		return vcpu.fd;
	vcpu.run = mmap(NULL, vm->kvm.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
	if (vcpu.run == MAP_FAILED) {
		err = errmsg_system(why, -errno, "KVM: cannot map vCPU %u: %s", id,
				    strerror(errno));
		goto err_close;
	}
	cpuid_personalize(cpuid, id);
	err = kvm_call(vcpu.fd, KVM_SET_CPUID2, cpuid, "setting CPUID", why);
	if (err >= 0)
		err = set_firmware_msrs(&vcpu, why);
	if (err >= 0)
		err = save_initial(&vcpu, msrs, why);
	if (err < 0)
		goto err_unmap;
	*out = vcpu;
	return 0;

err_unmap:
	free(vcpu.initial);
	munmap(vcpu.run, vm->kvm.run_bytes);
err_close:
	close(vcpu.fd);
	return err;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	free(vcpu->initial);
	munmap(vcpu->run, vcpu->vm->kvm.run_bytes);
	close(vcpu->fd);
}

int vcpu_reset(struct vcpu *vcpu, struct errmsg *why)
{
	return vcpu_state_set(vcpu->fd, vcpu->initial, why);
}

int vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry, struct errmsg *why)
{
	struct kvm_sregs sregs = vcpu->initial->sregs;
	struct kvm_regs regs;
	int err;

	err = entry_prepare(entry, &vcpu->vm->memory, &regs, &sregs);
	if (err)
		return errmsg_system(why, err, "the guest's first registers cannot be prepared");
	err = kvm_call(vcpu->fd, KVM_SET_SREGS, &sregs, "setting registers", why);
	if (err >= 0)
		err = kvm_call(vcpu->fd, KVM_SET_REGS, &regs, "setting registers", why);
	return err;
}
