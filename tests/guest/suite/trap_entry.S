/*
 * The ways into trap(), and out of a case or of ring 3.
 */
	.text
	.code64

	/* 256 entries of 16 bytes: those without an error code push a zero. */
	.balign 16
	.globl trap_entries
trap_entries:
	vector = 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	vector = vector + 1
	.endr

trap_common:
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap
	movq %rbx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp
	iretq

	/* case_call(run): 0 when it has returned, 1 when it ended in case_abort(). */
	.globl case_call, case_abort
case_call:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, case_stack
	subq $8, %rsp
	call *%rdi
	xorl %eax, %eax
	jmp 1f
case_abort:
	movl $1, %eax
1:	movq case_stack, %rsp
	cld
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.globl halt, halt_at
halt:
	sti
halt_at:
	hlt
	cli
	ret

	/* ring3_enter(rip, rsp, argument): comes back when trap() resumes at ring3_back. */
	.globl ring3_enter, ring3_back
ring3_enter:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, ring3_stack
	movw $0x3b, %ax
	movw %ax, %ds
	movw %ax, %es
	pushq $0x3b
	pushq %rsi
	pushq $2
	pushq $0x43
	pushq %rdi
	movq %rdx, %rdi
	iretq
ring3_back:
	movq ring3_stack, %rsp
	xorl %eax, %eax
	movw %ax, %ds
	movw %ax, %es
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.bss
	.balign 8
case_stack:
	.skip 8
	.globl ring3_stack
ring3_stack:
	.skip 8

	.section .note.GNU-stack, "", @progbits
