/*
 * Code for processors that start in real mode; modes.c says what it is for. Each piece between CODE and END_CODE is copied to
 * 0x8000 and started there by a start-up interrupt, with CS 0x800. It leaves words at 0x7004 and then DONE at 0x7000.
 */
	.set CODE_AT, 0x8000
	.set RESULT, 0x7000
	.set DONE, 0x600d

	.macro CODE name
	.balign 16
	.globl code_\name, code_\name\()_end
	.code16
code_\name:
	.endm

	.macro END_CODE name
code_\name\()_end:
	.endm

	/* In real mode and 16-bit code; %ds becomes 0. */
	.macro FINISH
	xorw %ax, %ax
	movw %ax, %ds
	movl $DONE, RESULT
9:	cli
	hlt
	jmp 9b
	.endm

	.macro VECTOR number, handler, start
	movw $(\handler - \start), (\number * 4)
	movw $(CODE_AT >> 4), (\number * 4 + 2)
	.endm

	.section .rodata

	CODE registers
	movl %eax, %edi			/* before anything changes */
	pushfl				/* SS:SP is 0:0, so this lies at 0xfffc */
	popl %esi
	movw %ds, %bx
	xorw %cx, %cx
	movw %cx, %ds
	movl %edi, RESULT + 4
	movl %esi, RESULT + 8
	movw %cs, RESULT + 12
	movw %bx, RESULT + 14
	movl %cr0, %eax
	movl %eax, RESULT + 16
	movl %edx, RESULT + 20
	movl %cr4, %eax
	movl %eax, RESULT + 24
	movl $0xc0000080, %ecx
	rdmsr
	movl %eax, RESULT + 28
	FINISH
	END_CODE registers

	CODE segments
	movw $0x700, %ax		/* bases are selectors times 16 */
	movw %ax, %ds
	movw %ax, %es
	movl $0x12345678, 4
	movw $8, %di
	movl $0x9abcdef0, %eax
	stosl
	movw $0x6ff, %ax
	movw %ax, %fs
	movl $0x0badcafe, %fs:(0x10 + 12)
	FINISH
	END_CODE segments

	CODE interrupts
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7f00, %sp
	VECTOR 0x21, 1f, code_interrupts
	movl $0, RESULT + 4
	stc
	int $0x21
	int $0x21
	sbbl %ebx, %ebx			/* CF is back: -1 */
	movl %ebx, RESULT + 8
	movzwl %sp, %ebx
	movl %ebx, RESULT + 12
	FINISH
1:	incl RESULT + 4
	clc
	iretw
	END_CODE interrupts

	CODE exceptions
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7f00, %sp
	VECTOR 0, 1f, code_exceptions
	VECTOR 6, 2f, code_exceptions
	xorw %dx, %dx
	xorw %cx, %cx
	divw %cx
	ud2
	movzwl %sp, %ebx
	movl %ebx, RESULT + 16
	FINISH
1:	incl RESULT + 4
	addw $2, %cs:(4f - code_exceptions)	/* anything: the code segment may be written in real mode */
	movw %sp, %bp
	addw $2, (%bp)
	iretw
2:	incl RESULT + 8
	movw %sp, %bp
	addw $2, (%bp)
	iretw
4:	.word 0
	END_CODE exceptions

	CODE limits
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7f00, %sp
	VECTOR 13, 1f, code_limits
	movl 0xffff, %ebx		/* over the segment's end: #GP, without an error code */
	movzwl %sp, %ebx
	movl %ebx, RESULT + 8
	FINISH
1:	incl RESULT + 4
	movw %sp, %bp
	addw $5, (%bp)
	iretw
	END_CODE limits

	CODE ports
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw $0x3ff, %dx
	movb $0xa7, %al
	outb %al, %dx
	xorl %eax, %eax
	inb %dx, %al
	movl %eax, RESULT + 4
	movw $(RESULT + 8), %di
	movw $8, %cx
	cld
	rep insb
	movw %cx, RESULT + 16
	movw %di, RESULT + 18
	movl $0x80001234, %eax
	movw $0xcf8, %dx
	outl %eax, %dx
	inl %dx, %eax
	movl %eax, RESULT + 20
	FINISH
	END_CODE ports

	CODE exits
	xorw %ax, %ax
	movw %ax, %ds
	movl $0x40000000, %eax
	cpuid
	movl %ebx, RESULT + 4
	movl $0x1b, %ecx
	rdmsr
	movl %eax, RESULT + 8
	rdtsc
	movl %eax, RESULT + 12
	wbinvd
	FINISH
	END_CODE exits

	CODE halt
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7f00, %sp
	VECTOR 2, 1f, code_halt
	movl $1, RESULT + 4
	cli
	hlt
	movl $2, RESULT + 4
	FINISH
1:	incl RESULT + 8
	iretw
	END_CODE halt

	/* Real mode with segments of 4 GiB: the APIC can be reached, and its interrupts taken through the IVT. */
	CODE unreal
	cli
	xorw %ax, %ax
	movw %ax, %ss
	movw $0x7f00, %sp
	lgdtl %cs:(gdt_pointer_unreal - code_unreal)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	movw $8, %bx
	movw %bx, %ds
	movw %bx, %es
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $(CODE_AT >> 4), $(1f - code_unreal)
1:	VECTOR 0x51, 2f, code_unreal
	movl $0xfee00030, %ebx
	movl (%ebx), %eax		/* version */
	movl %eax, RESULT + 4
	movl $0x1ff, 0xc0(%ebx)		/* spurious vector register: enabled */
	movl 0xc0(%ebx), %eax
	movl %eax, RESULT + 8
	movl $1, RESULT + 16
	sti
	hlt
	cli
	FINISH
2:	incl RESULT + 12
	addr32 movl $0, 0xfee000b0
	iretw
	.balign 8
gdt_unreal:
	.quad 0
	.quad 0x00cf93000000ffff
gdt_pointer_unreal:
	.word 15
	.long gdt_unreal - code_unreal + CODE_AT
	END_CODE unreal

	/* The way into 32-bit protected mode, flat. */
	.macro ENTER_32 start
	cli
	lgdtl %cs:(gdt_pointer_\start - code_\start)
	movl %cr0, %eax
	andl $0x9fffffff, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $0x10, $(enter_\start - code_\start + CODE_AT)
	.code32
enter_\start:
	movw $0x08, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $0x7f00, %esp
	.endm

	.macro FINISH_32 start
	movl $DONE, RESULT
9:	cli
	hlt
	jmp 9b
	.balign 8
gdt_\start:
	.quad 0
	.quad 0x00cf93000000ffff	/* 0x08: flat data */
	.quad 0x00cf9b000000ffff	/* 0x10: flat code */
	.quad 0xfec0930000000fff	/* 0x18: data, base 0xfe000000, 4 KiB */
	.quad 0x0040930070000fff	/* 0x20: data, base 0x7000, 4 KiB */
	.quad 0x00cf13000000ffff	/* 0x28: data, not present */
	.quad 0x00009b008000ffff	/* 0x30: 16-bit code, base 0x8000 */
	.quad 0xfe40930000000fff	/* 0x38: data, base 0xfe000000, 4 KiB, writable */
	.quad 0xfec093e000000fff	/* 0x40: data, base 0xfee00000, pages */
gdt_pointer_\start:
	.word gdt_pointer_\start - gdt_\start - 1
	.long gdt_\start - code_\start + CODE_AT
	.endm

	CODE flat
	ENTER_32 flat
	movl $0x40000000, %eax
	cpuid
	movl %ebx, RESULT + 4
	movl 0xfee00030, %eax
	movl %eax, RESULT + 8
	movl $0x1ff, 0xfee000f0
	movl 0xfee000f0, %eax
	movl %eax, RESULT + 12
	movb $0x6b, %al
	movw $0x3ff, %dx
	outb %al, %dx
	movl $(RESULT + 16), %edi
	movl $4, %ecx
	rep insb
	FINISH_32 flat
	END_CODE flat

	/* Segments with bases and limits, on memory, ports and devices. */
	CODE based
	ENTER_32 based
	movw $0x20, %ax
	movw %ax, %es
	movw $0x40, %ax
	movw %ax, %fs
	movl $0x11112222, %es:4
	movl $0x77, %eax
	movl $8, %edi
	stosl				/* %es:%edi */
	movl %fs:0x30, %eax		/* the APIC's version, through a base */
	movl %eax, RESULT + 12
	movb $0x3c, %al
	movw $0x3ff, %dx
	outb %al, %dx
	movl $16, %edi
	movl $4, %ecx
	rep insb			/* through the base too */
	movl %edi, RESULT + 20
	lcall $0x30, $(1f - code_based)
	movl %eax, RESULT + 24
	FINISH_32 based
	.code16
1:	movl $0x16161616, %eax
	lretl
	END_CODE based

	/* Faults, through an IDT of 32-bit gates that is built at 0x7400. */
	CODE faults
	ENTER_32 faults
	movl $0x7400, %edi
	movl $32, %ecx
1:	movl $((2f - code_faults + CODE_AT) & 0xffff | 0x100000), (%edi)
	movl $0x8e00, 4(%edi)
	addl $8, %edi
	loop 1b
	movl $((3f - code_faults + CODE_AT) & 0xffff | 0x100000), (0x7400 + 6 * 8)
	lidtl (4f - code_faults + CODE_AT)
	movl $RESULT + 4, %ebp
	/* Each fault leaves its error code; the handler skips to %esi. */
	movl $(5f - code_faults + CODE_AT), %esi
	movw $0x28, %ax
	movw %ax, %ds			/* #NP */
5:	movl $(6f - code_faults + CODE_AT), %esi
	movw $0x28, %ax
	movw %ax, %ss			/* #SS */
6:	movl $(8f - code_faults + CODE_AT), %esi
	movw $0x1238, %ax
	movw %ax, %fs			/* no such descriptor: #GP */
8:	movl $0, (RESULT + 20)
	ud2
	movl $1, (RESULT + 24)
	FINISH_32 faults
2:	popl (%ebp)			/* the error code */
	addl $4, %ebp
	movl %esi, (%esp)
	iretl
3:	incl RESULT + 20		/* #UD: no error code */
	addl $2, (%esp)
	iretl
4:	.word 32 * 8 - 1
	.long 0x7400
	END_CODE faults

	/* INTO (a trap: behind it) and BOUND (a fault: at it), which 64-bit mode doesn't have. */
	CODE checks
	ENTER_32 checks
	movl $((2f - code_checks + CODE_AT) & 0xffff | 0x100000), (0x7400 + 4 * 8)
	movl $0x8e00, (0x7400 + 4 * 8 + 4)
	movl $((3f - code_checks + CODE_AT) & 0xffff | 0x100000), (0x7400 + 5 * 8)
	movl $0x8e00, (0x7400 + 5 * 8 + 4)
	lidtl (4f - code_checks + CODE_AT)
	xorl %eax, %eax
	into				/* no overflow, no interrupt */
	movb $0x7f, %al
	addb $1, %al
	into
	movl $4, %eax
	boundl %eax, 5f - code_checks + CODE_AT
	movl $5, %eax
	boundl %eax, 5f - code_checks + CODE_AT
	movl %esp, RESULT + 12
	FINISH_32 checks
2:	incl RESULT + 4
	iretl
3:	incl RESULT + 8
	addl $6, (%esp)
	iretl
4:	.word 6 * 8 - 1
	.long 0x7400
5:	.long 0, 4
	END_CODE checks

	/* Paging of 32 bits with pages of 4 MiB and of 4 KiB: a directory at 0x10000, a table at 0x11000. */
	CODE paging32
	ENTER_32 paging32
	movl $0x10000, %edi
	xorl %eax, %eax
	movl $2048, %ecx
	rep stosl
	movl $0x00000083, 0x10000		/* 0: itself */
	movl $0xfec00083, 0x10000 + 4 * 0x3fb	/* 0xfec00000: itself */
	movl $0x00011003, 0x10000 + 4 * 0x100	/* 0x40000000: by the table */
	movl $0x00007003, 0x11000		/* ... memory */
	movl $0xfee00003, 0x11000 + 4		/* ... the APIC */
	movl %cr4, %eax
	orl $0x10, %eax				/* PSE */
	movl %eax, %cr4
	movl $0x10000, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	movl 0xfee00030, %eax
	movl %eax, RESULT + 4
	movl $0x5151, 0x40000008
	movl 0x40001030, %eax
	movl %eax, RESULT + 12
	movl $0x1ff, 0x400010f0
	movl 0x11000 + 4, %eax			/* accessed and dirty */
	movl %eax, RESULT + 16
	movl 0x10000 + 4 * 0x100, %eax
	movl %eax, RESULT + 20
	FINISH_32 paging32
	END_CODE paging32

	/* With PAE: pointers at 0x10000, directories at 0x11000 to 0x14000, a table at 0x15000. */
	CODE pae
	ENTER_32 pae
	movl $0x10000, %edi
	xorl %eax, %eax
	movl $6 * 1024, %ecx
	rep stosl
	movl $0x11001, 0x10000
	movl $0x12001, 0x10008
	movl $0x14001, 0x10018
	movl $0x00000083, 0x11000		/* 0: itself, 2 MiB */
	movl $0xfee00083, 0x14000 + 8 * 0x1f7	/* 0xfee00000: itself */
	movl $0x00015003, 0x12000		/* 0x40000000: by the table */
	movl $0x00007003, 0x15000
	movl $0xfee00003, 0x15008
	movl %cr4, %eax
	orl $0x20, %eax				/* PAE */
	movl %eax, %cr4
	movl $0x10000, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	movl 0xfee00030, %eax
	movl %eax, RESULT + 4
	movl $0x5151, 0x40000008
	movl 0x40001030, %eax
	movl %eax, RESULT + 12
	movl $0x1ff, 0x400010f0
	movl 0x15008, %eax
	movl %eax, RESULT + 16
	FINISH_32 pae
	END_CODE pae

	/* Up to 64-bit mode and all the way back to real mode. */
	CODE there_and_back
	ENTER_32 there_and_back
	movl $1, RESULT + 4
	movl startup_cr3, %ebx			/* tables that map everything */
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl %ebx, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0				/* compatibility mode */
	rdmsr
	movl %eax, RESULT + 8			/* EFER: LMA */
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0				/* out of long mode */
	rdmsr
	movl %eax, RESULT + 12			/* EFER: no LMA */
	andl $~0x100, %eax
	wrmsr
	ljmpl $0x30, $(1f - code_there_and_back)
	.code16
1:	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $(CODE_AT >> 4), $(2f - code_there_and_back)
2:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7f00, %sp
	movl $2, RESULT + 4
	VECTOR 0x21, 3f, code_there_and_back
	int $0x21
	movl $DONE, RESULT
4:	cli
	hlt
	jmp 4b
3:	movl $3, RESULT + 16
	iretw
	.code32
	FINISH_32 there_and_back
	END_CODE there_and_back

	/* On the first processor: 32-bit code in long mode. compatible_run(): what it found is in %eax. */
	.text
	.code64
	.globl compatible_run
compatible_run:
	pushq %rbx
	pushq %rbp
	movq %rsp, %rbp
	pushq $0x18
	leaq 1f(%rip), %rax
	pushq %rax
	lretq
	.code32
1:	movw $0x10, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl 0xfee00030, %ebx		/* the APIC's version */
	movl $0, 0xfee000b0
	movl $0x40000000, %eax
	cpuid
	.byte 0x40			/* inc %eax here, a REX prefix in 64-bit mode */
	pushl $0x12345678
	popl %ecx
	movl 0xfee00030, %eax
	andl $0xff, %eax
	ljmp $8, $2f
	.code64
2:	xorl %ecx, %ecx
	movw %cx, %ds
	movw %cx, %es
	movw %cx, %ss
	movq %rbp, %rsp
	popq %rbp
	popq %rbx
	ret

	.section .note.GNU-stack, "", @progbits
