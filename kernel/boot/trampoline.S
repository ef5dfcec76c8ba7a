/*
 * Where the other processors begin: in real mode, at the page that the startup message names. The code is copied
 * there (boot/smp_start.c); it goes by the provisional page tables, which have it where it is, to the kernel.
 */
#define PHYS(symbol) (symbol - 0xffffffff80000000)
#define TRAMPOLINE_AT 0x8000
#define HERE(symbol) (TRAMPOLINE_AT + symbol - trampoline_start)

	.section .rodata
	.global trampoline_start, trampoline_end
	.align 16
trampoline_start:
	.code16
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl HERE(trampoline_gdt_pointer)
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x08, $HERE(trampoline32)

	.code32
trampoline32:
	movl $0x10, %eax
	movl %eax, %ds
	movl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER: LME, NXE, SCE */
	rdmsr
	orl $0x901, %eax
	wrmsr
	movl $0x80010031, %eax		/* PG, WP, NE, ET, PE */
	movl %eax, %cr0
	ljmpl $0x18, $HERE(trampoline64)

	.code64
trampoline64:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movabsq $smp_start_top, %rax	/* the kernel's own page tables, then its stack in them */
	movq (%rax), %rcx
	movabsq $smp_start_stack, %rax
	movabsq $secondary_enter, %rdx
	jmp *%rdx

	.align 8
trampoline_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 32-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00af9b000000ffff	/* 64-bit code */
trampoline_gdt_end:
trampoline_gdt_pointer:
	.word trampoline_gdt_end - trampoline_gdt - 1
	.long HERE(trampoline_gdt)
trampoline_end:

	.text
/* Now at the kernel's addresses: RCX its page tables, RAX where the stack's address is. */
secondary_enter:
	movq %rcx, %cr3
	movq (%rax), %rsp
	xorl %ebp, %ebp
	call secondary_main
	ud2
