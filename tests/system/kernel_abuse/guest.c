/*
 * What a misused guest starts with: see abuse.h.
 */
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/system/kernel_abuse/abuse.h"

/* --- memory --- */

static const uint8_t snippets[][12] = {
	{ 0xe6, 0xe0 },			  /* out %al, $0xe0 */
	{ 0xe5, 0x10 },			  /* in $0x10, %eax */
	{ 0xf3, 0x6c },			  /* rep insb */
	{ 0xf3, 0x6f },			  /* rep outsw */
	{ 0xf4 },			  /* hlt */
	{ 0xfb, 0xf4 },			  /* sti; hlt */
	{ 0x0f, 0x01, 0xd9 },		  /* vmmcall */
	{ 0x0f, 0x01, 0xd8 },		  /* vmrun */
	{ 0x0f, 0xa2 },			  /* cpuid */
	{ 0x0f, 0x30 },			  /* wrmsr */
	{ 0x0f, 0x32 },			  /* rdmsr */
	{ 0xeb, 0xfe },			  /* jmp . */
	{ 0xcd, 0x03 },			  /* int $3 */
	{ 0x0f, 0x22, 0xc0 },		  /* mov %eax, %cr0 */
	{ 0x0f, 0x22, 0xe0 },		  /* mov %eax, %cr4 */
	{ 0x44, 0x0f, 0x22, 0xc0 },	  /* mov %eax, %cr8 */
	{ 0x0f, 0x01, 0xd1 },		  /* xsetbv */
	{ 0xff, 0x06, 0x00, 0x00 },	  /* incw 0 */
	{ 0x89, 0x07 },			  /* mov %eax, (%edi) or (%bx) */
	{ 0xf3, 0xa5 },			  /* rep movs */
	{ 0xf3, 0xab },			  /* rep stos */
	{ 0xf0, 0x0f, 0xb1, 0x07 },	  /* lock cmpxchg */
	{ 0x0f, 0xc7, 0x0f },		  /* cmpxchg8b */
	{ 0xb8, 0x00, 0x03, 0xe0, 0xfe }, /* mov $0xfee00300, %eax */
	{ 0xbf, 0xb0, 0x00, 0xe0, 0xfe }, /* mov $0xfee000b0, %edi */
	{ 0xb9, 0x30, 0x08, 0x00, 0x00 }, /* mov $0x830, %ecx */
	{ 0xb9, 0x1b, 0x00, 0x00, 0x00 }, /* mov $0x1b, %ecx */
	{ 0x0f, 0x01, 0x1f },		  /* lidt (%edi) */
	{ 0x0f, 0x00, 0xd8 },		  /* ltr %ax */
	{ 0xcf },			  /* iret */
	{ 0x9d },			  /* popf */
	{ 0x0f, 0xae, 0x07 },		  /* fxsave */
	{ 0x0f, 0x6f, 0x07 },		  /* movq (%edi), %mm0 */
};

static void write_code(struct random *random, uint8_t *at, size_t size)
{
	for (size_t i = 0; i + sizeof(snippets[0]) < size;) {
		const uint8_t *snippet = snippets[pick(random, ARRAY_SIZE(snippets))];
		size_t length = sizeof(snippets[0]);

		while (length > 1 && !snippet[length - 1])
			length--;
		memcpy(at + i, snippet, length);
		i += length;
		if (one_in(random, 8))
			at[i++] = (uint8_t)next(random);
	}
}

/* Page tables: 2 MiB pages from 0 on; some are wrong. */
static void write_tables(struct random *random, uint8_t *memory)
{
	uint64_t *table = (uint64_t *)(memory + TABLES);

	table[0] = 0x11003;
	table[512] = 0x12003;
	for (uint64_t i = 0; i < 512; i++)
		table[1024 + i] = (i << 21) | 0x83;
	while (one_in(random, 2))
		table[pick(random, 1536)] ^= 1ull << pick(random, 64);
}

void write_guest(struct random *random)
{
	uint8_t *at = arena + pick(random, ARENA_BYTES / GUEST_BYTES) * GUEST_BYTES;

	/* By read(), which fails where a store would end us. */
	static __thread uint8_t image[0x14000];
	int pipe_ends[2];

	memset(image, 0, sizeof(image));
	write_code(random, image + ENTRY, PAGE);
	write_tables(random, image);
	if (pipe(pipe_ends))
		return;
	for (size_t done = 0; done < sizeof(image); done += PAGE) {
		(void)!write(pipe_ends[1], image + done, PAGE);
		if (read(pipe_ends[0], at + done, PAGE) != PAGE)
			break;
	}
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* --- registers --- */

static struct kvm_segment flat(uint8_t type, bool is_code, bool is_long)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = is_code ? 8 : 16,
		.type = type,
		.present = 1,
		.s = 1,
		.db = !is_long,
		.l = is_code && is_long,
		.g = 1,
	};
}

/* Protected mode, or long mode. */
static void set_flat(struct kvm_sregs *sregs, bool is_long)
{
	sregs->cs = flat(11, true, is_long);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = flat(3, false, is_long);
	sregs->cr0 = is_long ? 0x80050033 : 0x33;
	sregs->cr3 = TABLES;
	sregs->cr4 = is_long ? 0x620 : 0;
	sregs->efer = is_long ? 0x500 : 0;
}

void set_real_mode(struct kvm_sregs *sregs)
{
	sregs->cs = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1, .s = 1 };
	sregs->ds = sregs->es = sregs->ss =
		(struct kvm_segment){ .limit = 0xffff, .type = 3, .present = 1, .s = 1 };
	sregs->cr0 = 0x60000010;
	sregs->cr4 = sregs->efer = 0;
}

/* In QEMU's processor the host loses its paging when a guest is left that has LME without PAE and without paging. */
static void avoid_fault_of_emulator(struct kvm_sregs *sregs)
{
	enum { EFER_LME = 1 << 8, CR4_PAE = 1 << 5 };

	if (sregs->efer & EFER_LME)
		sregs->cr4 |= CR4_PAE;
}

static void set_sregs(struct random *random, int vcpu)
{
	struct kvm_sregs sregs;

	memset(&sregs, 0, sizeof(sregs));
	if (!one_in(random, 8) && ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return;
	switch (pick(random, 4)) {
	case 0:
		set_real_mode(&sregs);
		break;
	case 1:
	case 2:
		set_flat(&sregs, one_in(random, 2));
		break;
	default:
		break;
	}
	for (uint64_t n = one_in(random, 2) ? pick(random, 4) : 0; n; n--)
		((uint8_t *)&sregs)[pick(random, sizeof(sregs))] ^=
			(uint8_t)(1u << pick(random, 8));
	avoid_fault_of_emulator(&sregs);
	ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static void set_regs(struct random *random, int vcpu)
{
	struct kvm_regs regs;
	uint64_t *value = (uint64_t *)&regs;

	for (size_t i = 0; i < sizeof(regs) / sizeof(*value); i++)
		value[i] = any_number(random);
	if (!one_in(random, 4)) {
		regs.rip = ENTRY + pick(random, 256);
		regs.rflags = 2 | (pick(random, 2) << 9) |
			      (one_in(random, 8) ? next(random) & 0x3f7fd5 : 0);
		regs.rsp = 0x8000;
	}
	ioctl(vcpu, KVM_SET_REGS, &regs);
}

void set_registers(struct random *random, int vcpu)
{
	set_sregs(random, vcpu);
	set_regs(random, vcpu);
}
