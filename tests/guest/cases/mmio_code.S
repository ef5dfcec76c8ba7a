/*
 * Where mmio.c maps a device within reach of 32-bit displacements: in a file of its own, or the assembler takes it for one.
 */
	.globl near_table
	.set near_table, 0xffffffffe0000000

	.section .note.GNU-stack, "", @progbits
