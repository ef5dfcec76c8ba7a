/*
 * The world switch.
 *
 *	void svm_enter(struct svm_vcpu *vcpu, uint64_t vmcb, uint64_t host_vmcb)
 *
 * Runs the guest until svm_fast_exit() says that its exit needs more than a straight line. Interrupts are held off by
 * GIF all the way: VMRUN opens the world for the guest, #VMEXIT closes it. Between the two VMLOADs GS, TR and the
 * system-call MSRs are the guest's: svm_fast_exit() must not use per-CPU data, fault, or take long.
 *
 * RAX and RSP are the VMCB's: run.c moves them. Offsets into struct svm_vcpu are asserted there.
 */
#define REGS_RCX 8
#define REGS_RDX 16
#define REGS_RBX 24
#define REGS_RBP 40
#define REGS_RSI 48
#define REGS_RDI 56
#define REGS_R8	 64
#define REGS_R9	 72
#define REGS_R10 80
#define REGS_R11 88
#define REGS_R12 96
#define REGS_R13 104
#define REGS_R14 112
#define REGS_R15 120

	.text
	.global svm_enter
svm_enter:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdx			/* host_vmcb: -48(%rbp) */
	pushq %rsi			/* vmcb: -56(%rbp) */
	pushq %rdi			/* vcpu: -64(%rbp) */

	clgi
	movq %rdx, %rax
	vmsave %rax			/* the host's FS, GS, TR, LDTR, system-call MSRs */
	movq %rsi, %rax
	vmload %rax			/* the guest's */
	sti				/* GIF holds: so that an interrupt ends the guest's run */

again:
	movq (%rsp), %rdi
	movq REGS_RBX(%rdi), %rbx
	movq REGS_RCX(%rdi), %rcx
	movq REGS_RDX(%rdi), %rdx
	movq REGS_RSI(%rdi), %rsi
	movq REGS_RBP(%rdi), %rbp
	movq REGS_R8(%rdi), %r8
	movq REGS_R9(%rdi), %r9
	movq REGS_R10(%rdi), %r10
	movq REGS_R11(%rdi), %r11
	movq REGS_R12(%rdi), %r12
	movq REGS_R13(%rdi), %r13
	movq REGS_R14(%rdi), %r14
	movq REGS_R15(%rdi), %r15
	movq 8(%rsp), %rax
	movq REGS_RDI(%rdi), %rdi
	vmrun %rax

	pushq %rdi
	movq 8(%rsp), %rdi
	movq %rbx, REGS_RBX(%rdi)
	movq %rcx, REGS_RCX(%rdi)
	movq %rdx, REGS_RDX(%rdi)
	movq %rsi, REGS_RSI(%rdi)
	movq %rbp, REGS_RBP(%rdi)
	movq %r8, REGS_R8(%rdi)
	movq %r9, REGS_R9(%rdi)
	movq %r10, REGS_R10(%rdi)
	movq %r11, REGS_R11(%rdi)
	movq %r12, REGS_R12(%rdi)
	movq %r13, REGS_R13(%rdi)
	movq %r14, REGS_R14(%rdi)
	movq %r15, REGS_R15(%rdi)
	popq %rax
	movq %rax, REGS_RDI(%rdi)

	/* What the guest left in registers doesn't steer our speculation. */
	xorl %ebx, %ebx
	xorl %ebp, %ebp
	xorl %r12d, %r12d
	xorl %r13d, %r13d
	xorl %r14d, %r14d
	xorl %r15d, %r15d
	call svm_fast_exit		/* rdi: vcpu */
	testb %al, %al
	jnz again

	cli
	movq 8(%rsp), %rax
	vmsave %rax
	movq 16(%rsp), %rax
	vmload %rax
	stgi

	addq $24, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
