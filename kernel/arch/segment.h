/*
 * Segments: selectors, the descriptor table, the task state. (AMD APM vol. 2, 4 "Segmented Virtual Memory".)
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"

/* SYSCALL and SYSRET fix the order: kernel code, kernel data; (32-bit user code), user data, user code. */
enum selector {
	SELECTOR_KERNEL_CODE = 0x08,
	SELECTOR_KERNEL_DATA = 0x10,
	SELECTOR_USER_CODE32 = 0x18,
	SELECTOR_USER_DATA = 0x20,
	SELECTOR_USER_CODE = 0x28,
	SELECTOR_TSS = 0x30, /* two slots */
	SELECTOR_END = 0x40,

	RPL_USER = 3,
};

#define DESCRIPTOR_KERNEL_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_KERNEL_DATA UINT64_C(0x00cf93000000ffff)
#define DESCRIPTOR_USER_DATA   UINT64_C(0x00cff3000000ffff)
#define DESCRIPTOR_USER_CODE   UINT64_C(0x00affb000000ffff)
#define DESCRIPTOR_TSS	       UINT64_C(0x0000890000000000)

enum { IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3, IST_COUNT = 3 };

struct tss {
	uint32_t reserved0;
	uint64_t rsp0, rsp1, rsp2;
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap; /* beyond the limit: no port is allowed */
} __attribute__((packed));
static_assert(sizeof(struct tss) == 104, "AMD APM vol. 2, figure 12-8");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));
