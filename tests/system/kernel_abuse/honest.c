/*
 * A guest with nothing wrong: see abuse.h.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/system/kernel_abuse/abuse.h"

enum { END_PORT = 0xe0 };

/* A guest that does OUT, in the smallest of VMs. */
bool honest_guest_works(void)
{
	static const uint8_t code[] = { 0xb0, 0x2a, 0xe6, END_PORT };
	struct kvm_regs regs = { .rip = ENTRY, .rflags = 2 };
	int kvm = open("/dev/kvm", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0),
	    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	size_t bytes = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	uint8_t *memory =
		mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES,
						      .userspace_addr = (uintptr_t)memory };
	struct kvm_sregs sregs;
	bool works = false;

	if (memory != MAP_FAILED && run != MAP_FAILED) {
		memcpy(memory + ENTRY, code, sizeof(code));
		ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
		ioctl(vcpu, KVM_GET_SREGS, &sregs);
		set_real_mode(&sregs);
		works = !ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs) &&
			!ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO &&
			run->io.port == END_PORT && ((uint8_t *)run)[run->io.data_offset] == 0x2a;
		munmap(run, bytes);
		munmap(memory, GUEST_BYTES);
	}
	close(vcpu);
	close(vm);
	close(kvm);
	return works;
}
