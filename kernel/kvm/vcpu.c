/*
 * One virtual processor: see vcpu.h.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <string.h>

#include "kernel/cpu/cpu.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

static struct object_cache vcpu_cache = OBJECT_CACHE("vcpu", struct vcpu);

void vcpu_destroy(struct vcpu *vcpu)
{
	virt->destroy(vcpu->virt);
	frame_put(direct_hpa(vcpu->run));
	object_free(&vcpu_cache, vcpu);
}

/* --- running --- */

static void complete(struct vcpu *vcpu)
{
	uint64_t value = 0;

	if (vcpu->completion == COMPLETE_PORT_IN) {
		memcpy(&value, (uint8_t *)vcpu->run + VCPU_PORT_DATA_AT, vcpu->port_bytes);
		virt->set_rax(vcpu->virt, value, vcpu->port_bytes);
	}
	vcpu->completion = COMPLETE_NOTHING;
}

static bool is_immediate_exit(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_ACQUIRE);
}

/* --- exits --- */

/* What an exit's handler says. */
enum vcpu_exit {
	VCPU_RESUME,  /* into the guest again */
	VCPU_TO_USER, /* run->exit_reason says why */
};

static enum vcpu_exit internal_error(struct vcpu *vcpu, uint32_t suberror)
{
	vcpu->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal.suberror = suberror;
	vcpu->run->internal.ndata = 0;
	return VCPU_TO_USER;
}

static enum vcpu_exit exit_port(struct vcpu *vcpu, const struct virt_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	if (exit->port.is_string)
		return internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = exit->port.is_in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = exit->port.bytes;
	run->io.port = exit->port.number;
	run->io.count = 1;
	run->io.data_offset = VCPU_PORT_DATA_AT;
	memcpy((uint8_t *)run + VCPU_PORT_DATA_AT, &exit->port.value, exit->port.bytes);
	vcpu->port_bytes = exit->port.bytes;
	vcpu->completion = exit->port.is_in ? COMPLETE_PORT_IN : COMPLETE_NOTHING;
	return VCPU_TO_USER;
}

static enum vcpu_exit exit_memory(struct vcpu *vcpu, const struct virt_exit *exit)
{
	switch (vm_map_page(vcpu->vm, exit->memory.at, exit->memory.is_write)) {
	case VM_MEMORY_MAPPED:
		return VCPU_RESUME;
	case VM_MEMORY_MMIO:
		return internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
	case VM_MEMORY_FAILED:
		break;
	}
	return internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV);
}

static enum vcpu_exit handle_exit(struct vcpu *vcpu, const struct virt_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	switch (exit->kind) {
	case VIRT_EXIT_INTERRUPT:
		return VCPU_RESUME;
	case VIRT_EXIT_PORT:
		return exit_port(vcpu, exit);
	case VIRT_EXIT_MEMORY:
		return exit_memory(vcpu, exit);
	case VIRT_EXIT_HALT:
		run->exit_reason = KVM_EXIT_HLT;
		return VCPU_TO_USER;
	case VIRT_EXIT_SHUTDOWN:
		run->exit_reason = KVM_EXIT_SHUTDOWN;
		return VCPU_TO_USER;
	case VIRT_EXIT_REFUSED:
		run->exit_reason = KVM_EXIT_FAIL_ENTRY;
		run->fail_entry.hardware_entry_failure_reason = exit->code;
		return VCPU_TO_USER;
	case VIRT_EXIT_UNHANDLED:
		break;
	}
	run->exit_reason = KVM_EXIT_UNKNOWN;
	run->hw.hardware_exit_reason = exit->code;
	return VCPU_TO_USER;
}

static enum vcpu_exit enter(struct vcpu *vcpu)
{
	struct virt_exit exit = { 0 };

	virt->enter(vcpu->virt, &exit);
	return handle_exit(vcpu, &exit);
}

static int64_t run(struct vcpu *vcpu)
{
	complete(vcpu);
	if (is_immediate_exit(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return -EINTR;
	}
	while (enter(vcpu) == VCPU_RESUME) {
		if (thread_is_interrupted() || is_immediate_exit(vcpu)) {
			vcpu->run->exit_reason = KVM_EXIT_INTR;
			return -EINTR;
		}
		if (__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED))
			thread_preempt();
	}
	return 0;
}

/* --- the descriptor --- */

static int64_t get_regs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_regs regs;

	virt->get_regs(vcpu->virt, &regs);
	return copy_to_user(argument, &regs, sizeof(regs));
}

static int64_t set_regs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_regs regs;

	if (copy_from_user(&regs, argument, sizeof(regs)))
		return -EFAULT;
	virt->set_regs(vcpu->virt, &regs);
	return 0;
}

static int64_t get_sregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs sregs = { 0 };

	virt->get_sregs(vcpu->virt, &sregs);
	sregs.apic_base = vcpu->apic_base;
	return copy_to_user(argument, &sregs, sizeof(sregs));
}

static int64_t set_sregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs sregs;
	int err;

	if (copy_from_user(&sregs, argument, sizeof(sregs)))
		return -EFAULT;
	err = virt->set_sregs(vcpu->virt, &sregs);
	if (!err)
		vcpu->apic_base = sregs.apic_base;
	return err;
}

/* One row per request. */
static const struct {
	uint32_t request;
	int64_t (*handle)(struct vcpu *vcpu, uint64_t argument);
} requests[] = {
	{ KVM_GET_REGS, get_regs },
	{ KVM_SET_REGS, set_regs },
	{ KVM_GET_SREGS, get_sregs },
	{ KVM_SET_SREGS, set_sregs },
};

static int64_t dispatch(struct vcpu *vcpu, uint32_t request, uint64_t argument)
{
	if (request == KVM_RUN)
		return argument ? -EINVAL : run(vcpu);
	for (uint32_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].request == request)
			return requests[i].handle(vcpu, argument);
	return -ENOTTY;
}

static int64_t vcpu_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	struct vcpu *vcpu = file->data;
	int64_t result;

	if (current_process()->mm != vcpu->vm->mm)
		return -EIO;
	mutex_lock(&vcpu->lock);
	result = dispatch(vcpu, request, argument);
	mutex_unlock(&vcpu->lock);
	return result;
}

static void vcpu_release(struct file *file)
{
	struct vcpu *vcpu = file->data;

	vm_put(vcpu->vm);
}

/* --- the run structure, mapped --- */

static int run_page(void *owner, uint64_t index, hpa_t *out)
{
	const struct vcpu *vcpu = owner;

	if (index >= VCPU_RUN_PAGES)
		return -EINVAL;
	*out = hpa(direct_hpa(vcpu->run).v + index * PAGE_BYTES);
	return 0;
}

static void run_get(void *owner)
{
	struct vcpu *vcpu = owner;

	vm_get(vcpu->vm);
}

static void run_put(void *owner)
{
	struct vcpu *vcpu = owner;

	vm_put(vcpu->vm);
}

static const struct area_ops run_area_ops = { .page = run_page, .get = run_get, .put = run_put };

static int vcpu_map(struct file *file, struct mm_request *request)
{
	request->ops = &run_area_ops;
	request->owner = file->data;
	request->flags |= AREA_DEVICE;
	return 0;
}

static const struct file_ops vcpu_ops = {
	.name = "kvm-vcpu",
	.ioctl = vcpu_ioctl,
	.map = vcpu_map,
	.release = vcpu_release,
};

/* --- making one --- */

static struct vcpu *vcpu_create(struct vm *vm, uint32_t id)
{
	struct vcpu *vcpu = object_alloc(&vcpu_cache);
	hpa_t run;

	if (!vcpu)
		return NULL;
	if (frame_alloc(FRAME_KERNEL, 1, &run))
		goto err_free;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->run = memset(direct(run), 0, VCPU_RUN_BYTES);
	mutex_init(&vcpu->lock);
	if (virt->create(direct_hpa(vm->npt.top), &vcpu->virt))
		goto err_run;
	return vcpu;

err_run:
	frame_put(run);
err_free:
	object_free(&vcpu_cache, vcpu);
	return NULL;
}

static int64_t create_locked(struct vm *vm, uint32_t id)
{
	struct vcpu *vcpu;
	struct file *file;
	int fd;

	if (vm->vcpus[id])
		return -EEXIST;
	vcpu = vcpu_create(vm, id);
	if (!vcpu)
		return -ENOMEM;
	file = file_create(&vcpu_ops, vcpu, O_RDWR);
	if (!file) {
		vcpu_destroy(vcpu);
		return -ENOMEM;
	}
	/* From here on it is the VM's, whatever becomes of the descriptor. */
	vm_get(vm);
	__atomic_store_n(&vm->vcpus[id], vcpu, __ATOMIC_RELEASE);
	fd = fd_install(&current_process()->fds, file, true, 0);
	if (fd < 0)
		file_put(file);
	return fd;
}

int64_t vcpu_create_fd(struct vm *vm, uint64_t id)
{
	int64_t fd;

	if (id >= VM_VCPUS_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	fd = create_locked(vm, (uint32_t)id);
	mutex_unlock(&vm->lock);
	return fd;
}
