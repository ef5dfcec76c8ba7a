/*
 * The way into the payload: a PVH entry (32-bit, no paging) that says a byte on the serial port
 * first of all, turns to long mode with the first 4 GiB mapped one to one, and calls
 * payload_main(start information).
 *
 * Source: Xen's "x86/HVM direct boot ABI"; AMD APM vol. 2, 14.6 "Enabling and Activating Long
 * Mode".
 */
#define SERIAL_PORT 0x3f8
#define SERIAL_LINE_CONTROL 3
#define SERIAL_8N1 3
#define NOTE_PHYS32_ENTRY 18

#define PTE_PRESENT_WRITABLE 0x3
#define PTE_HUGE 0x80
#define PTES 512
#define PAGE_BYTES 4096
#define DIRECTORIES 4

#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)

#define SELECTOR_CODE 8

	.section .note.pvh, "a", @note
	.long 4, 4, NOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long start

	.section .text.start, "ax"
	.code32
	.globl start
start:
	/* From its reset a 16550 has words of five bits. */
	mov $(SERIAL_PORT + SERIAL_LINE_CONTROL), %edx
	mov $SERIAL_8N1, %al
	out %al, (%dx)
	mov $SERIAL_PORT, %edx
	mov $'+', %al
	out %al, (%dx)

	cld
	mov $stack_end, %esp

	movl $(directory_pointers + PTE_PRESENT_WRITABLE), pml4
	mov $(directories + PTE_PRESENT_WRITABLE), %eax
	mov $directory_pointers, %edi
	mov $DIRECTORIES, %ecx
1:	mov %eax, (%edi)
	add $PAGE_BYTES, %eax
	add $8, %edi
	loop 1b

	mov $(PTE_HUGE + PTE_PRESENT_WRITABLE), %eax
	mov $directories, %edi
	mov $(DIRECTORIES * PTES), %ecx
2:	mov %eax, (%edi)
	add $(2 << 20), %eax
	add $8, %edi
	loop 2b

	mov %cr4, %eax
	or $CR4_PAE, %eax
	mov %eax, %cr4
	mov $pml4, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov %cr0, %eax
	or $CR0_PG, %eax
	mov %eax, %cr0

	lgdt gdt_pointer
	ljmp $SELECTOR_CODE, $start64

	.code64
start64:
	xor %eax, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %ebx, %edi /* the boot protocol's start information */
	call payload_main
3:	cli
	hlt
	jmp 3b

	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00209a0000000000 /* 64-bit code */
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.bss
	.balign PAGE_BYTES
pml4:
	.skip PAGE_BYTES
directory_pointers:
	.skip PAGE_BYTES
directories:
	.skip DIRECTORIES * PAGE_BYTES
	.skip 4 * PAGE_BYTES
stack_end:

	.section .note.GNU-stack, "", @progbits
