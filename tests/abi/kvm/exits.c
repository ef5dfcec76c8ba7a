/*
 * Why a guest comes back: ports, memory that isn't there, instructions that aren't a guest's. In real mode, with a handler for
 * each exception that says its vector at a port.
 */
#include <string.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum {
	HANDLERS = 0x2000,
	HANDLER_BYTES = 16,
	VECTOR_PORT = 0xe1,
	DEVICE = 0x10000000, /* nothing is there: MMIO */
	DATA = 0x3000,
};

/* Instructions between here and there, for a guest. */
#define CODE(name, instructions)                                                \
	extern const uint8_t name[], name##_end[];                              \
	__asm__(".pushsection .rodata\n.code16\n" #name ":\n" instructions "\n" \
		"out %al, $0xe0\nhlt\n" #name "_end:\n.code64\n.popsection")

CODE(ports, "mov $0x12345678, %eax\nout %al, $0x70\nout %ax, $0x71\nout %eax, $0x72\n"
	    "mov $0x1234, %dx\nout %al, %dx\n"
	    "mov $0xffffffff, %eax\nin $0x60, %al\nout %eax, $0x80\n"
	    "mov $0xffffffff, %eax\nin $0x60, %ax\nout %eax, $0x80\n"
	    "in $0x60, %eax\nout %eax, $0x80");
CODE(strings, "cld\nmov $0x3000, %si\nmov $3, %cx\nmov $0x99, %dx\nrep outsb\n"
	      "mov %cx, %ax\nout %ax, $0x80\nmov %si, %ax\nout %ax, $0x80\n"
	      "mov $0x3100, %di\nmov $0x98, %dx\ninsw\nmov 0x3100, %ax\nout %ax, $0x80\n"
	      "std\nmov $0x3004, %si\noutsw\nmov %si, %ax\nout %ax, $0x80\n"
	      "mov $0, %cx\nrep outsb");
CODE(memory, "movb $0x11, %es:0\nmovw $0x2233, %es:2\nmovl $0x44556677, %es:4\n"
	     "mov %es:8, %eax\nout %eax, $0x80\nmovzbl %es:3, %ebx\nmov %ebx, %eax\n"
	     "out %eax, $0x80\nmovsbl %es:3, %eax\nout %eax, $0x80\n"
	     "orl $0x100, %es:12\naddb $1, %es:16\ntestb $0x80, %es:16\nsetz %al\nout %al, $0x80\n"
	     "xchg %eax, %es:20\nout %eax, $0x80\nbtsl $3, %es:24\nsetc %al\nout %al, $0x80\n"
	     "pushl %es:28\npop %eax\nout %eax, $0x80\npushw $0x5a5a\npopw %es:32\nnotl %es:36\n"
	     "cmpl $0x42, %es:40\nsete %al\nout %al, $0x80\nincw %es:44\nmov %es:46, %ax\n"
	     "out %ax, $0x80");
CODE(moves, "cld\nmov $0x3000, %si\nxor %di, %di\nmov $2, %cx\nrep movsl\nmov %cx, %ax\n"
	    "out %ax, $0x80\nmov $0x7f, %al\nmov $3, %cx\nrep stosb\nmov %di, %ax\nout %ax, $0x80\n"
	    "push %ds\npush %es\npop %ds\nxor %si, %si\nlodsl\npop %ds\nout %eax, $0x80");
/* Across the end of memory: one part is there, the other isn't. */
CODE(straddle, "movl $0x11223344, %fs:0xffe\nmov %fs:0xffe, %eax\nout %eax, $0x80");
CODE(cpuid, "mov $0x40000000, %eax\ncpuid\nmov %ebx, %eax\nout %eax, $0x80\n"
	    "mov %ecx, %eax\nout %eax, $0x80");
CODE(no_msr, "mov $0x12345, %ecx\nrdmsr");
CODE(write_no_msr, "mov $0x12345, %ecx\nwrmsr");
CODE(msr, "mov $0x174, %ecx\nmov $0x1234, %eax\nxor %edx, %edx\nwrmsr\nxor %eax, %eax\nrdmsr\n"
	  "out %eax, $0x80");
CODE(apic_base, "mov $0x1b, %ecx\nrdmsr\nout %eax, $0x80");
CODE(hypercall, "mov $9999, %eax\nvmmcall\nout %eax, $0x80");
CODE(poll_hypercall, "mov $1, %eax\nvmmcall\nout %eax, $0x80");
CODE(invalidate, "wbinvd\ninvd");
CODE(undefined, "ud2");
CODE(run_guest, "vmrun %eax");
CODE(load_guest, "vmload %eax");
CODE(save_guest, "vmsave %eax");
CODE(clear_gif, "clgi");
CODE(set_xcr, "mov %cr4, %eax\nor $0x40000, %eax\nmov %eax, %cr4\nxor %ecx, %ecx\nxor %edx, %edx\n"
	      "mov $3, %eax\nxsetbv\nxor %eax, %eax\nxgetbv\nout %eax, $0x80");
CODE(set_bad_xcr, "mov %cr4, %eax\nor $0x40000, %eax\nmov %eax, %cr4\nxor %ecx, %ecx\n"
		  "xor %edx, %edx\nmov $4, %eax\nxsetbv");
CODE(breakpoint, "int3");
CODE(software, "int $0x44");
CODE(division, "xor %cx, %cx\ndiv %cx");
CODE(debug_registers, "mov $0x1234, %eax\nmov %eax, %dr0\nmov $0x5678, %ebx\nmov %ebx, %dr3\n"
		      "mov %dr0, %eax\nout %eax, $0x80\nmov %dr7, %eax\nout %eax, $0x80");
CODE(trap_flag, "pushf\npop %ax\nor $0x100, %ax\npush %ax\npopf\nnop\nnop");
CODE(trap_over_cpuid, "pushf\npop %ax\nor $0x100, %ax\npush %ax\nxor %eax, %eax\npopf\ncpuid\nnop");
CODE(vectors, "mov %cr4, %eax\nor $0x200, %eax\nmov %eax, %cr4\nmov $0x3000, %si\n"
	      "movups (%si), %xmm1\nmovups %xmm1, %es:0x40\nmovups %es:0x60, %xmm1\n"
	      "movups %xmm1, (%si)\nmov (%si), %eax\nout %eax, $0x80");
CODE(halt, "hlt");

#define ROW(name, irqchip)                       \
	{                                        \
#name, name, name##_end, irqchip \
	}

static const struct row {
	const char *name;
	const uint8_t *code, *end;
	int has_irqchip;
} rows[] = {
	ROW(ports, 0),
	ROW(strings, 0),
	ROW(memory, 0),
	ROW(moves, 0),
	ROW(straddle, 0),
	ROW(cpuid, 0),
	ROW(no_msr, 0),
	ROW(write_no_msr, 0),
	ROW(msr, 0),
	ROW(apic_base, 0),
	ROW(apic_base, 1),
	ROW(hypercall, 0),
	ROW(poll_hypercall, 0),
	ROW(invalidate, 0),
	ROW(undefined, 0),
	ROW(run_guest, 0),
	ROW(load_guest, 0),
	ROW(save_guest, 0),
	ROW(clear_gif, 0),
	ROW(set_xcr, 0),
	ROW(set_bad_xcr, 0),
	ROW(breakpoint, 0),
	ROW(software, 0),
	ROW(division, 0),
	ROW(trap_flag, 0),
	ROW(trap_over_cpuid, 0),
	ROW(debug_registers, 0),
	ROW(vectors, 0),
	ROW(halt, 0),
};

/* mov $vector, %al; out %al, $VECTOR_PORT; out %al, $MACHINE_END_PORT */
static void lay_out_handlers(const struct machine *machine)
{
	for (uint32_t vector = 0; vector < 256; vector++) {
		uint32_t at = HANDLERS + vector * HANDLER_BYTES;
		const uint8_t code[] = { 0xb0, (uint8_t)vector, 0xe6, VECTOR_PORT,
					 0xe6, MACHINE_END_PORT };

		memcpy(machine->memory + vector * 4, &at, sizeof(at));
		memcpy(machine->memory + at, code, sizeof(code));
	}
}

static void point_segments(const struct machine *machine)
{
	struct kvm_sregs sregs;

	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.es.base = DEVICE;
	sregs.es.selector = 0;
	sregs.fs.base = MACHINE_BYTES - 0x1000;
	sregs.fs.selector = 0;
	ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
}

/* What a device answers: a byte each, counting on. */
static void answer(struct kvm_run *run)
{
	static const uint8_t values[] = { 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 };

	if (run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_IN)
		memcpy((uint8_t *)run + run->io.data_offset, values, run->io.size);
	if (run->exit_reason == KVM_EXIT_MMIO && !run->mmio.is_write)
		memcpy(run->mmio.data, values, run->mmio.len);
}

static void run(struct machine *machine)
{
	while (machine_step(machine))
		answer(machine->run);
}

static void run_row(const struct row *row)
{
	static const uint8_t data[] = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8 };
	struct machine machine;
	struct kvm_regs regs;

	if (!machine_open(&machine, row->has_irqchip, 1)) {
		say("%s:", row->name);
		machine_give_cpuid(&machine);
		machine_load(&machine, row->code, (size_t)(row->end - row->code));
		lay_out_handlers(&machine);
		point_segments(&machine);
		memcpy(machine.memory + DATA, data, sizeof(data));
		run(&machine);
		ioctl(machine.vcpu, KVM_GET_REGS, &regs);
		say("rip %llx rsp %llx", regs.rip, regs.rsp);
	}
	machine_close(&machine);
}

void group_kvm_exits(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		run_row(&rows[i]);
}
