/*
 * One virtual processor: see vcpu.h.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <string.h>

#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

static struct object_cache vcpu_cache = OBJECT_CACHE("vcpu", struct vcpu);

static void run_put(void *run)
{
	for (uint32_t i = 0; i < VCPU_RUN_PAGES; i++)
		frame_put(hpa(direct_hpa(run).v + i * PAGE_BYTES));
}

void vcpu_destroy(struct vcpu *vcpu)
{
	vcpu_apic_destroy(vcpu);
	cpuid_table_destroy(&vcpu->cpuid);
	virt->destroy(vcpu->virt);
	fpu_destroy(vcpu->fpu);
	run_put(vcpu->run);
	object_free(&vcpu_cache, vcpu);
}

/* --- the descriptor --- */

static int64_t dispatch(struct vcpu *vcpu, uint32_t request, uint64_t argument)
{
	if (request == KVM_RUN)
		return argument ? -EINVAL : vcpu_run(vcpu);
	return vcpu_state_ioctl(vcpu, request, argument);
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

/*
 * A mapping counts as the frames', not as the VM's: an address space whose VM is alive is alive itself, so a mapping in it
 * that kept the VM would be there for ever.
 */
static int run_page(void *owner, uint64_t index, hpa_t *out)
{
	if (index >= VCPU_RUN_PAGES)
		return -EINVAL;
	*out = hpa(direct_hpa(owner).v + index * PAGE_BYTES);
	return 0;
}

/* Each page counts for itself: whoever pins one by its address doesn't know the others. */
static void run_get(void *owner)
{
	for (uint32_t i = 0; i < VCPU_RUN_PAGES; i++)
		frame_get(hpa(direct_hpa(owner).v + i * PAGE_BYTES));
}

static const struct area_ops run_area_ops = { .page = run_page, .get = run_get, .put = run_put };

static int vcpu_map(struct file *file, struct mm_request *request)
{
	const struct vcpu *vcpu = file->data;

	request->ops = &run_area_ops;
	request->owner = vcpu->run;
	request->flags |= AREA_DEVICE;
	return 0;
}

static const struct file_ops vcpu_ops = {
	.ioctl = vcpu_ioctl,
	.map = vcpu_map,
	.release = vcpu_release,
};

/* --- making one --- */

/* As after RESET: the first one boots the machine, others wait for it where the local APICs are ours. */
static void init_state(struct vcpu *vcpu)
{
	bool is_bsp = !vcpu->id;

	vcpu->extint = -1;
	vcpu->xcr0 = 1;
	vcpu->mp_state = is_bsp || !vm_has_irqchip(vcpu->vm) ? KVM_MP_STATE_RUNNABLE
							     : KVM_MP_STATE_UNINITIALIZED;
	msrs_reset(&vcpu->msrs);
	vcpu_apic_create(vcpu);
	lapic_set_features(&vcpu->lapic, is_bsp ? LAPIC_IS_BSP | LAPIC_OPENS_LINT0 : 0,
			   cpuid_phys_bits(vcpu));
	lapic_reset(&vcpu->lapic, false);
	pvclock_create(vcpu);
}

static struct vcpu *vcpu_create(struct vm *vm, uint32_t id)
{
	struct vcpu *vcpu = object_alloc(&vcpu_cache);
	hpa_t run;

	if (!vcpu)
		return NULL;
	if (frame_alloc(FRAME_KERNEL, 1, &run))
		goto err_free;
	frame_split(run);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->run = memset(direct(run), 0, VCPU_RUN_BYTES);
	mutex_init(&vcpu->lock);
	waitq_init(&vcpu->waitq);
	vcpu->fpu = fpu_create();
	if (!vcpu->fpu)
		goto err_run;
	if (virt->create(direct_hpa(vm->npt.top), vcpu_fast_exit, vcpu, &vcpu->virt))
		goto err_fpu;
	init_state(vcpu);
	return vcpu;

err_fpu:
	fpu_destroy(vcpu->fpu);
err_run:
	run_put(vcpu->run);
err_free:
	object_free(&vcpu_cache, vcpu);
	return NULL;
}

static int64_t create_locked(struct vm *vm, uint32_t id)
{
	struct vcpu *vcpu;
	struct file *file;
	int64_t fd;

	if (vm->vcpus[id])
		return -EEXIST;
	vcpu = vcpu_create(vm, id);
	if (!vcpu)
		return -ENOMEM;
	file = file_create(&vcpu_ops, vcpu, NULL, O_RDWR);
	if (!file) {
		vcpu_destroy(vcpu);
		return -ENOMEM;
	}
	vm_get(vm);
	mutex_lock(&vcpu->lock); /* whoever guesses the descriptor waits until it is the VM's */
	fd = fd_install(&current_process()->fds, file, true, 0);
	if (fd >= 0) {
		__atomic_store_n(&vm->vcpus[id], vcpu, __ATOMIC_RELEASE);
		if (vm_has_irqchip(vm) && apic_map_add(&vm->apics, &vcpu->lapic))
			panic("vCPU %u has an APIC already", id);
	}
	mutex_unlock(&vcpu->lock);
	if (fd < 0)
		vcpu_destroy(vcpu);
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
