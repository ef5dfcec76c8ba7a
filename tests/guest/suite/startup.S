/*
 * How another processor comes from real mode to cpu_main(): a copy of this lies at STARTUP_AT, 0x8000. A start-up
 * interrupt gives it CS = 0x800, IP = 0.
 */
	.set STARTUP_AT, 0x8000

	.section .rodata
	.globl startup_begin, startup_end
	.code16
startup_begin:
	cli
	movw %cs, %ax
	movw %ax, %ds
	lgdtl startup_gdt_pointer - startup_begin
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x18, $(startup32 - startup_begin + STARTUP_AT)
	.code32
startup32:
	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %ss
	movl %cr4, %eax
	orl $0x20, %eax			/* PAE */
	movl %eax, %cr4
	movl startup_cr3, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER */
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80000021, %eax		/* PG, NE, PE */
	andl $0x9fffffff, %eax		/* caches on */
	movl %eax, %cr0
	ljmp $8, $(startup64 - startup_begin + STARTUP_AT)
	.code64
startup64:
	movq startup_stack, %rsp
	movl $cpu_main, %eax
	call *%rax
	.balign 8
startup_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* 64-bit code */
	.quad 0x00cf93000000ffff	/* data */
	.quad 0x00cf9b000000ffff	/* 32-bit code */
startup_gdt_pointer:
	.word startup_gdt_pointer - startup_gdt - 1
	.long startup_gdt - startup_begin + STARTUP_AT
startup_end:

	.bss
	.balign 8
	.globl startup_stack, startup_cr3
startup_stack:
	.skip 8
startup_cr3:
	.skip 4

	.section .note.GNU-stack, "", @progbits
