/*
 * Ways into the kernel: exceptions, interrupts, system calls; and the ways back. All build the same struct
 * trap_frame (trap.h) on the kernel's stack.
 */
#define CPU_KERNEL_STACK 8
#define CPU_USER_RSP	 16
#define USER_DATA	 0x23
#define USER_CODE	 0x2b
#define VECTOR_SYSCALL	 0x100
#define FRAME_VECTOR	 120
#define FRAME_CS	 144

#define MSR_GS_BASE 0xc0000101

.macro PUSH_REGISTERS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGISTERS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

/* What ring 3 left in registers is of no use to the kernel's speculation. */
.macro CLEAR_REGISTERS
	xorl %eax, %eax
	xorl %ebx, %ebx
	xorl %ecx, %ecx
	xorl %edx, %edx
	xorl %esi, %esi
	xorl %edi, %edi
	xorl %ebp, %ebp
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	xorl %r11d, %r11d
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
.endm

	.text

/* One stub per vector: a number, and an error code where the processor pushes none. */
	.align 16
	.global trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.align 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq $0
	.endif
	pushq $vector
	.if vector == 2 || vector == 8 || vector == 18
	jmp trap_paranoid
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

trap_common:
	cld
	testb $3, 24(%rsp)		/* CS */
	jz 1f
	swapgs
1:	PUSH_REGISTERS
	CLEAR_REGISTERS
	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $-16, %rsp
	call trap_dispatch
	movq %rbp, %rsp
	.global trap_return
trap_return:
	testb $3, FRAME_CS(%rsp)
	jz 2f
	swapgs
2:	POP_REGISTERS
	addq $16, %rsp
	iretq

/*
 * NMI, double fault and machine check can come anywhere, also where CS is the kernel's and GS still ring 3's. Ring 3
 * can't set its GS base to a kernel address (no FSGSBASE), so its sign tells.
 */
trap_paranoid:
	cld
	PUSH_REGISTERS
	movl $MSR_GS_BASE, %ecx
	rdmsr
	xorl %ebx, %ebx
	testl %edx, %edx
	js 1f
	swapgs
	movl $1, %ebx
1:	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $-16, %rsp
	call trap_dispatch
	movq %rbp, %rsp
	testl %ebx, %ebx
	jz 2f
	swapgs
2:	POP_REGISTERS
	addq $16, %rsp
	iretq

/* SYSCALL: RCX is the return address, R11 the flags; the stack is still ring 3's, interrupts are off. */
	.align 16
	.global syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_KERNEL_STACK, %rsp
	pushq $USER_DATA
	pushq %gs:CPU_USER_RSP
	pushq %r11
	pushq $USER_CODE
	pushq %rcx
	pushq $0
	pushq $VECTOR_SYSCALL
	PUSH_REGISTERS
	movq %rsp, %rdi
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	call syscall_dispatch		/* true: registers are as at entry but for RAX: SYSRET does */
	testb %al, %al
	jz trap_return
	POP_REGISTERS
	movq 16(%rsp), %rcx		/* rip */
	movq 32(%rsp), %r11		/* rflags */
	movq 40(%rsp), %rsp
	swapgs
	sysretq

/* The first steps of a thread: switched to by thread_switch(), with its function and argument in saved registers. */
	.global thread_begin
thread_begin:
	movq %r12, %rdi
	call thread_started		/* ends the switch: unlocks, opens interrupts */
	movq %r13, %rdi
	xorl %ebp, %ebp
	call *%rbx
	ud2				/* thread functions don't return */

/* thread_switch(uint64_t *old_rsp, uint64_t new_rsp): everything else is caller-saved or the same. */
	.global thread_switch
thread_switch:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
