/*
 * Ways into the kernel: exceptions, interrupts, system calls; and the ways back. All build the same struct
 * trap_frame (trap.h) on the kernel's stack.
 */
#define CPU_KERNEL_STACK 8
#define CPU_USER_RSP	 16
#define USER_DATA	 0x23
#define USER_CODE	 0x2b
#define VECTOR_SYSCALL	 0x100
#define FRAME_CS	 144

#define MSR_GS_BASE 0xc0000101

.macro PUSH_REGISTERS
	.irp register, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
	pushq %\register
	.endr
.endm

.macro POP_REGISTERS
	.irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	popq %\register
	.endr
.endm

/* What ring 3 left in registers is of no use to the kernel's speculation. */
.macro CLEAR_REGISTERS registers:vararg
	.irp register, \registers
	xorl %\register, %\register
	.endr
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
	.elseif vector == 14
	jmp trap_page_fault
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr

/* Between a guest's exit and the return of GS the kernel may fault at one place only (mem/user.c). */
trap_page_fault:
	cmpq $user_words_read, 16(%rsp)	/* RIP */
	jne trap_common
	movq $user_words_fault, 16(%rsp)
	addq $16, %rsp
	iretq

trap_common:
	cld
	testb $3, 24(%rsp)		/* CS */
	jz 1f
	swapgs
1:	PUSH_REGISTERS
	CLEAR_REGISTERS eax, ebx, ecx, edx, esi, edi, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
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
	CLEAR_REGISTERS ebx, ebp, r12d, r13d, r14d, r15d
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
	.irp register, rbx, rbp, r12, r13, r14, r15
	pushq %\register
	.endr
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	.irp register, r15, r14, r13, r12, rbp, rbx
	popq %\register
	.endr
	ret
