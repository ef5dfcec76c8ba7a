/*
 * Where the kernel begins: in 32-bit protected mode, without paging, from one of two loaders.
 *
 *   PVH         (QEMU -kernel, Xen):  EBX points to its start info
 *   Multiboot2  (GRUB, BIOS and UEFI): EAX holds its magic, EBX points to its information
 *
 * Puts the processor into long mode on provisional page tables (the first 4 GiB where they are, the first 1 GiB
 * once more where the kernel is linked) and calls boot_main(magic, information).
 */
#define PHYS(symbol) (symbol - 0xffffffff80000000)

	.section .multiboot2, "a"
	.align 8
multiboot2_header:
	.long 0xe85250d6		/* magic */
	.long 0				/* architecture: i386 */
	.long multiboot2_end - multiboot2_header
	.long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))

	.align 8
	.word 3, 0			/* entry address: the ELF header's is a virtual one */
	.long 12
	.long PHYS(multiboot2_entry)

	.align 8
	.word 4, 1			/* VGA's text mode will do */
	.long 12
	.long 2

	.align 8
	.word 5, 1			/* a framebuffer, or text, if there is a screen */
	.long 20
	.long 1024, 768, 32		/* rather this than what the loader would choose */

	.align 8
	.word 6, 0			/* modules at page boundaries */
	.long 8

	.align 8
	.word 0, 0
	.long 8
multiboot2_end:

	.section .note.Xen, "a", @note
	.align 4
	.long 4, 8, 18			/* "Xen", 8 bytes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYS(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.global pvh_entry
pvh_entry:
	xorl %eax, %eax			/* no magic: the start info has one */
multiboot2_entry:
	cli
	cld
	movl %eax, %esi			/* kept for boot_main() */
	movl %ebx, %edi
	movl $PHYS(boot_stack_top), %esp

	/* Long mode at all? */
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode

	/* Top: entry 0 for where we are, entry 511 for where we are linked. */
	movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8
	movl $PHYS(boot_directories) + 3, PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_directories) + 3, %eax
	xorl %ecx, %ecx
1:	movl %eax, PHYS(boot_pdpt)(, %ecx, 8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 1b

	movl $0x83, %eax		/* 2 MiB, writable, present */
	xorl %ecx, %ecx
2:	movl %eax, PHYS(boot_directories)(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 2b

	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $0x20, %eax		/* PAE */
	movl %eax, %cr4
	movl $0x80000001, %eax
	cpuid
	shrl $9, %edx			/* NX: bit 20, to where EFER has NXE; without it, cpu_check() speaks */
	andl $0x800, %edx
	orl $0x101, %edx		/* LME, SCE */
	movl %edx, %ebp
	movl $0xc0000080, %ecx		/* EFER */
	rdmsr
	orl %ebp, %eax
	wrmsr
	movl $0x80010031, %eax		/* PG, WP, NE, ET, PE */
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $0x08, $PHYS(long_mode)

no_long_mode:
	movl $PHYS(no_long_mode_text), %esi
	movl $0xb8000, %edi		/* to VGA's text, if that is what the screen shows */
3:	lodsb
	testb %al, %al
	jz 5f
	movb %al, %bl
	movb $0x07, %ah
	cmpb $' ', %al
	jb 8f
	stosw
8:	movl $1000000, %ecx
	movw $0x3fd, %dx		/* and to the first serial port, when it is ready */
4:	inb %dx, %al
	testb $0x20, %al
	loopz 4b
	movw $0x3f8, %dx
	movb %bl, %al
	outb %al, %dx
	jmp 3b
5:	movw $0xf4, %dx			/* an emulated server ends with status 2 (cpu/smp.c) */
	inb %dx, %al
	incb %al
	jz 6f
	movb $18, %al
	outb %al, %dx
6:	hlt
	jmp 6b

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movabsq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	movl %edi, %edx
	movl %esi, %edi			/* magic */
	movl %edx, %esi			/* information, physical */
	movabsq $boot_main, %rax
	call *%rax
7:	hlt
	jmp 7b

	.section .rodata
no_long_mode_text:
	.asciz "bulkhead: cannot go on: expected a 64-bit x86 processor, found one without long mode; use another machine\r\n"

	.align 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.quad PHYS(boot_gdt)

	.bss
	.align 4096
	.global boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pdpt_high:
	.skip 4096
boot_directories:
	.skip 4 * 4096
	.global boot_stack, boot_stack_top
boot_stack:
	.skip 16384
boot_stack_top:
