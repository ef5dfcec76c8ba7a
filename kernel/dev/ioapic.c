/*
 * The host's I/O APICs: see ioapic.h.
 *
 * Fields: [L] lock  [I] immutable after ioapic_init()
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/ioapic.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/print.h"
#include "kernel/mem/kspace.h"

enum {
	IOAPIC_BYTES = 0x20,
	SELECT = 0x00 / 4, /* the window's two registers */
	WINDOW = 0x10 / 4,
	VERSION = 0x01, /* indices */
	REDIRECTION = 0x10,

	ENTRY_LOW_ACTIVE = 1 << 13,
	ENTRY_LEVEL = 1 << 15,
	ENTRY_MASKED = 1 << 16,
	ENTRY_DESTINATION_SHIFT = 24, /* in the high half */

	MESSAGE_ID_SHIFT = 12,
	LINES_MAX = 240,

	/* ACPI 6.4, table 5.26 "MPS INTI Flags" */
	FLAGS_POLARITY = 3,
	FLAGS_LOW = 3,
	FLAGS_TRIGGER = 3 << 2,
	FLAGS_LEVEL = 3 << 2,
};

static struct ioapic {
	volatile uint32_t *registers; /* [I]; what they select and hold: [L] */
	uint32_t gsi_base, nr_lines;  /* [I] */
} ioapics[ACPI_IOAPICS_MAX];

static uint32_t nr_ioapics;
static struct spinlock lock;

static uint32_t read_register(const struct ioapic *ioapic, uint32_t index)
{
	ioapic->registers[SELECT] = index;
	return ioapic->registers[WINDOW];
}

static void write_register(const struct ioapic *ioapic, uint32_t index, uint32_t value)
{
	ioapic->registers[SELECT] = index;
	ioapic->registers[WINDOW] = value;
}

static struct ioapic *ioapic_of(uint32_t gsi)
{
	for (uint32_t i = 0; i < nr_ioapics; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].nr_lines)
			return &ioapics[i];
	return NULL;
}

static uint32_t entry_index(const struct ioapic *ioapic, uint32_t gsi)
{
	return REDIRECTION + 2 * (gsi - ioapic->gsi_base);
}

static void mask_gsi(void *source, bool is_masked)
{
	uint32_t gsi = (uint32_t)(uintptr_t)source;
	const struct ioapic *ioapic = ioapic_of(gsi);
	uint64_t flags = spin_lock_irqsave(&lock);
	uint32_t entry = read_register(ioapic, entry_index(ioapic, gsi)) & ~(uint32_t)ENTRY_MASKED;

	write_register(ioapic, entry_index(ioapic, gsi), entry | (is_masked ? ENTRY_MASKED : 0));
	spin_unlock_irqrestore(&lock, flags);
}

static void add(const struct madt_ioapic *found)
{
	struct ioapic *ioapic = &ioapics[nr_ioapics];

	ioapic->registers =
		kspace_map(hpa(found->address), IOAPIC_BYTES, PTE_WRITE | PTE_PCD | PTE_PWT);
	if (!ioapic->registers) {
		print_warn("I/O APIC %u can't be mapped: left out", found->id);
		return;
	}
	ioapic->gsi_base = found->gsi_base;
	ioapic->nr_lines = (read_register(ioapic, VERSION) >> 16 & 0xff) + 1;
	if (ioapic->nr_lines > LINES_MAX)
		return; /* nobody there: all ones */
	for (uint32_t line = 0; line < ioapic->nr_lines; line++)
		write_register(ioapic, REDIRECTION + 2 * line, ENTRY_MASKED);
	nr_ioapics++;
}

void ioapic_init(void)
{
	for (uint32_t i = 0; i < acpi.madt.nr_ioapics; i++)
		add(&acpi.madt.ioapics[i]);
}

struct ioapic_line ioapic_isa_line(uint8_t irq)
{
	for (uint32_t i = 0; i < acpi.madt.nr_overrides; i++) {
		const struct madt_override *override = &acpi.madt.overrides[i];

		if (override->irq == irq)
			return (struct ioapic_line){
				.gsi = override->gsi,
				.is_level = (override->flags & FLAGS_TRIGGER) == FLAGS_LEVEL,
				.is_low = (override->flags & FLAGS_POLARITY) == FLAGS_LOW,
			};
	}
	return (struct ioapic_line){ .gsi = irq }; /* edge, active high: ISA's way */
}

int ioapic_route(struct ioapic_line line, uint32_t vector)
{
	const struct ioapic *ioapic = ioapic_of(line.gsi);
	const struct irq_message message = irq_message(vector);
	uint32_t low, high;
	uint64_t flags;

	if (!ioapic)
		return -ENODEV;
	low = vector | (line.is_level ? ENTRY_LEVEL : 0) | (line.is_low ? ENTRY_LOW_ACTIVE : 0);
	high = (uint32_t)(message.address >> MESSAGE_ID_SHIFT & 0xff) << ENTRY_DESTINATION_SHIFT;
	irq_set_mask(vector, mask_gsi, (void *)(uintptr_t)line.gsi);
	flags = spin_lock_irqsave(&lock);
	write_register(ioapic, entry_index(ioapic, line.gsi) + 1, high);
	write_register(ioapic, entry_index(ioapic, line.gsi), low);
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}
