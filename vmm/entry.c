/*
 * The registers with which a boot protocol wants the first processor to start: see entry.h.
 *
 * Source: the Linux/x86 Boot Protocol, "64-bit Boot Protocol"; Xen's "x86/HVM direct boot ABI".
 */
#include <errno.h>

#include "vmm/boot/layout.h"
#include "vmm/entry.h"

enum {
	SELECTOR_CODE = 0x10, /* __BOOT_CS */
	SELECTOR_DATA = 0x18, /* __BOOT_DS */
	SELECTOR_TSS = 0x20,

	TYPE_CODE = 0xb, /* execute, read, accessed */
	TYPE_DATA = 0x3, /* read, write, accessed */
	TYPE_TSS_BUSY = 0xb,

	CR0_PE = 1 << 0,
	CR0_ET = 1 << 4,
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,

	PTE_PRESENT_WRITABLE = 0x3,
	PTE_HUGE = 0x80,
	PAGE_BYTES = 4096,
	PTES = 512,
	IDENTITY_GIB = 4,
	RFLAGS_RESERVED = 0x2,
};

#define CR0_PG	   (1u << 31)
#define HUGE_BYTES (UINT64_C(2) << 20)

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_long)
{
	bool is_code = type == TYPE_CODE;

	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.l = is_code && is_long,
		.db = !(is_code && is_long),
		.g = 1,
	};
}

/* The same segment as a descriptor, for a guest that reloads a register before it has its own table. */
static uint64_t descriptor(const struct kvm_segment *seg)
{
	uint64_t limit = seg->g ? seg->limit >> 12 : seg->limit;

	return (limit & 0xffff) | (seg->base & 0xffffff) << 16 |
	       (uint64_t)(seg->type | seg->s << 4 | seg->dpl << 5 | seg->present << 7) << 40 |
	       (limit >> 16 & 0xf) << 48 |
	       (uint64_t)(seg->avl | seg->l << 1 | seg->db << 2 | seg->g << 3) << 52 |
	       (seg->base >> 24 & 0xff) << 56;
}

static int set_segments(const struct guest_memory *memory, struct kvm_sregs *sregs, bool is_long)
{
	struct kvm_segment code = segment(SELECTOR_CODE, TYPE_CODE, is_long);
	struct kvm_segment data = segment(SELECTOR_DATA, TYPE_DATA, is_long);
	uint64_t gdt[] = { 0, 0, descriptor(&code), descriptor(&data), 0, 0 };

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){
		.limit = 0x67, .selector = SELECTOR_TSS, .type = TYPE_TSS_BUSY, .present = 1
	};
	sregs->gdt.base = BOOT_GDT_AT;
	sregs->gdt.limit = sizeof(gdt) - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	return memory_write(memory, gpa(BOOT_GDT_AT), gdt, sizeof(gdt));
}

/* The first 4 GiB, by 2 MiB pages: a PML4, a PDPT and four page directories. */
static int map_identity(const struct guest_memory *memory)
{
	uint64_t *tables =
		memory_at(memory, gpa(BOOT_PAGE_TABLES_AT), (2 + IDENTITY_GIB) * PAGE_BYTES);
	uint64_t *pml4, *pdpt, *directories;

	if (!tables)
		return -EFAULT;
	pml4 = tables;
	pdpt = tables + PTES;
	directories = tables + (2 * PTES);
	for (uint64_t i = 0; i < PTES; i++) {
		pml4[i] = 0;
		pdpt[i] = 0;
	}
	pml4[0] = (BOOT_PAGE_TABLES_AT + PAGE_BYTES) | PTE_PRESENT_WRITABLE;
	for (uint64_t i = 0; i < IDENTITY_GIB; i++)
		pdpt[i] = (BOOT_PAGE_TABLES_AT + (2 + i) * PAGE_BYTES) | PTE_PRESENT_WRITABLE;
	for (uint64_t i = 0; i < IDENTITY_GIB * PTES; i++)
		directories[i] = i * HUGE_BYTES | PTE_HUGE | PTE_PRESENT_WRITABLE;
	return 0;
}

static int prepare_linux64(const struct boot_entry *entry, const struct guest_memory *memory,
			   struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	regs->rsi = entry->argument;
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr3 = BOOT_PAGE_TABLES_AT;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	return map_identity(memory) ?: set_segments(memory, sregs, true);
}

static int prepare_pvh(const struct boot_entry *entry, const struct guest_memory *memory,
		       struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	regs->rbx = entry->argument;
	sregs->cr0 = CR0_PE | CR0_ET;
	return set_segments(memory, sregs, false);
}

int entry_prepare(const struct boot_entry *entry, const struct guest_memory *memory,
		  struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	*regs = (struct kvm_regs){ .rip = entry->address, .rflags = RFLAGS_RESERVED };
	return entry->protocol == BOOT_LINUX64 ? prepare_linux64(entry, memory, regs, sregs)
					       : prepare_pvh(entry, memory, regs, sregs);
}
