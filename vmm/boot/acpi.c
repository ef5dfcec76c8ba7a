/*
 * ACPI tables: see acpi.h.
 *
 * Source: ACPI specification 6.4, 5.2 "ACPI System Description Tables"; PCI Firmware Specification 3.2, 4.1.2
 * "MCFG Table Description".
 */
#include <errno.h>
#include <string.h>

#include "dsdt.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/layout.h"
#include "vmm/platform/ioapic.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/reset.h"
#include "vmm/platform/rtc.h"

#define PACKED __attribute__((packed))

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;
static_assert(sizeof(struct rsdp) == 36, "ACPI");

struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;
static_assert(sizeof(struct table_header) == 36, "ACPI");

struct generic_address {
	uint8_t space, bit_width, bit_offset, access_size;
	uint64_t address;
} PACKED;

struct fadt {
	struct table_header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved0, preferred_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base,
		cst_cnt;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct generic_address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_revision;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct generic_address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr,
		x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor_id;
} PACKED;
static_assert(sizeof(struct fadt) == 276, "ACPI");

struct facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved[31];
} PACKED;
static_assert(sizeof(struct facs) == 64, "ACPI");

struct madt {
	struct table_header header;
	uint32_t local_apic, flags;
} PACKED;

struct madt_local_apic {
	uint8_t type, length, processor_uid, apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_local_nmi {
	uint8_t type, length, processor_uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;

struct mcfg {
	struct table_header header;
	uint64_t reserved0;
	uint64_t base;
	uint16_t segment;
	uint8_t start_bus, end_bus;
	uint32_t reserved1;
} PACKED;
static_assert(sizeof(struct mcfg) == 60, "PCI Firmware Specification");

enum {
	SPACE_IO = 1,
	ACCESS_BYTE = 1,
	ACCESS_WORD = 2,
	ACCESS_DWORD = 3,

	PROFILE_ENTERPRISE_SERVER = 4,
	RESET_VALUE = 0x06,

	/* IA-PC boot architecture flags */
	ARCH_LEGACY_DEVICES = 1 << 0,
	ARCH_NO_VGA = 1 << 2,

	/* fixed feature flags; the power button is a fixed feature because its bit is clear */
	FADT_WBINVD = 1 << 0,
	FADT_PROC_C1 = 1 << 2,
	FADT_SLEEP_BUTTON_IS_NONE = 1 << 5,
	FADT_PM_TIMER_32_BIT = 1 << 8,
	FADT_RESET_REGISTER = 1 << 10,

	C2_UNSUPPORTED = 0x65,
	C3_UNSUPPORTED = 0x3e9,

	MADT_PC_AT_COMPATIBLE = 1,
	MADT_TYPE_LOCAL_APIC = 0,
	MADT_TYPE_IOAPIC = 1,
	MADT_TYPE_OVERRIDE = 2,
	MADT_TYPE_LOCAL_NMI = 4,
	MADT_ENABLED = 1,
	MADT_ALL_PROCESSORS = 0xff,
	INTI_CONFORMS = 0,
	INTI_ACTIVE_HIGH_LEVEL = 0x000d,

	PIT_IRQ = 0,
	PIT_PIN = 2, /* where line 0 arrives at the I/O APIC */

	MADT_BYTES_MAX = 2048,
};

/* Tables are put one after the other; the first failure sticks. */
struct builder {
	const struct guest_memory *memory;
	uint64_t next;
	int err;
};

static uint8_t checksum(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *at++);
	return (uint8_t)-sum;
}

static uint64_t put(struct builder *builder, const void *bytes, size_t size)
{
	uint64_t at = builder->next;

	if (at + size > ACPI_END)
		builder->err = -ENOSPC;
	if (!builder->err)
		builder->err = memory_write(builder->memory, gpa(at), bytes, size);
	builder->next = align_up(at + size, 64);
	return at;
}

static void fill_header(struct table_header *header, const char *signature, uint8_t revision,
			size_t length)
{
	*header = (struct table_header){
		.length = (uint32_t)length,
		.revision = revision,
		.oem_id = "BULKHD",
		.oem_table_id = "BHVM    ",
		.oem_revision = 1,
		.creator_id = "BLKH",
		.creator_revision = 1,
	};
	memcpy(header->signature, signature, sizeof(header->signature));
}

/* @table begins with its header, which says how long it is. */
static uint64_t put_table(struct builder *builder, void *table)
{
	struct table_header *header = table;

	header->checksum = 0;
	header->checksum = checksum(table, header->length);
	return put(builder, table, header->length);
}

static uint64_t put_facs(struct builder *builder)
{
	struct facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };

	return put(builder, &facs, sizeof(facs));
}

static struct generic_address io_address(uint32_t port, uint8_t bits, uint8_t access)
{
	return (struct generic_address){
		.space = SPACE_IO, .bit_width = bits, .access_size = access, .address = port
	};
}

static uint64_t put_fadt(struct builder *builder, uint64_t dsdt, uint64_t facs)
{
	struct fadt fadt = {
		.firmware_ctrl = (uint32_t)facs,
		.dsdt = (uint32_t)dsdt,
		.preferred_profile = PROFILE_ENTERPRISE_SERVER,
		.sci_int = PM_SCI_GSI,
		.pm1a_evt = PM_PORT + PM_EVENT_OFFSET,
		.pm1a_cnt = PM_PORT + PM_CONTROL_OFFSET,
		.pm_tmr = PM_PORT + PM_TIMER_OFFSET,
		.gpe0 = PM_PORT + PM_GPE_OFFSET,
		.pm1_evt_len = 4,
		.pm1_cnt_len = 2,
		.pm_tmr_len = 4,
		.gpe0_len = PM_GPE_BYTES,
		.c2_latency = C2_UNSUPPORTED,
		.c3_latency = C3_UNSUPPORTED,
		.century = RTC_CENTURY,
		.boot_arch = ARCH_LEGACY_DEVICES | ARCH_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLEEP_BUTTON_IS_NONE |
			 FADT_PM_TIMER_32_BIT | FADT_RESET_REGISTER,
		.reset_reg = io_address(RESET_CONTROL_PORT, 8, ACCESS_BYTE),
		.reset_value = RESET_VALUE,
		.minor_revision = 4,
		.x_dsdt = dsdt,
		.x_pm1a_evt = io_address(PM_PORT + PM_EVENT_OFFSET, 32, ACCESS_WORD),
		.x_pm1a_cnt = io_address(PM_PORT + PM_CONTROL_OFFSET, 16, ACCESS_WORD),
		.x_pm_tmr = io_address(PM_PORT + PM_TIMER_OFFSET, 32, ACCESS_DWORD),
		.x_gpe0 = io_address(PM_PORT + PM_GPE_OFFSET, 8 * PM_GPE_BYTES, ACCESS_BYTE),
	};

	fill_header(&fadt.header, "FACP", 6, sizeof(fadt));
	memcpy(&fadt.hypervisor_id, "BULKHEAD", sizeof(fadt.hypervisor_id));
	return put_table(builder, &fadt);
}

/* Appends one entry of the MADT, whose header grows with it. */
static void madt_append(uint8_t *table, const void *entry, size_t size)
{
	struct madt *madt = (struct madt *)table;

	assert(madt->header.length + size <= MADT_BYTES_MAX);
	memcpy(table + madt->header.length, entry, size);
	madt->header.length += (uint32_t)size;
}

static uint64_t put_madt(struct builder *builder, uint32_t cpus)
{
	static const struct madt_override overrides[] = {
		{ MADT_TYPE_OVERRIDE, sizeof(struct madt_override), 0, PIT_IRQ, PIT_PIN,
		  INTI_CONFORMS },
		{ MADT_TYPE_OVERRIDE, sizeof(struct madt_override), 0, PM_SCI_GSI, PM_SCI_GSI,
		  INTI_ACTIVE_HIGH_LEVEL },
	};
	const struct madt_ioapic ioapic = {
		.type = MADT_TYPE_IOAPIC,
		.length = sizeof(ioapic),
		.address = (uint32_t)IOAPIC_BASE,
	};
	const struct madt_local_nmi nmi = {
		.type = MADT_TYPE_LOCAL_NMI,
		.length = sizeof(nmi),
		.processor_uid = MADT_ALL_PROCESSORS,
		.flags = INTI_CONFORMS,
		.lint = 1,
	};
	uint8_t table[MADT_BYTES_MAX] __attribute__((aligned(8))) = { 0 };
	struct madt *madt = (struct madt *)table;

	fill_header(&madt->header, "APIC", 5, sizeof(*madt));
	madt->local_apic = (uint32_t)LOCAL_APIC_AT;
	madt->flags = MADT_PC_AT_COMPATIBLE;
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		struct madt_local_apic apic = {
			.type = MADT_TYPE_LOCAL_APIC,
			.length = sizeof(apic),
			.processor_uid = (uint8_t)cpu,
			.apic_id = (uint8_t)cpu,
			.flags = MADT_ENABLED,
		};

		madt_append(table, &apic, sizeof(apic));
	}
	madt_append(table, &ioapic, sizeof(ioapic));
	for (uint32_t i = 0; i < ARRAY_SIZE(overrides); i++)
		madt_append(table, &overrides[i], sizeof(overrides[i]));
	madt_append(table, &nmi, sizeof(nmi));
	return put_table(builder, table);
}

static uint64_t put_mcfg(struct builder *builder)
{
	struct mcfg mcfg = { .base = PCI_ECAM_AT, .end_bus = PCI_BUSES - 1 };

	fill_header(&mcfg.header, "MCFG", 1, sizeof(mcfg));
	return put_table(builder, &mcfg);
}

static uint64_t put_xsdt(struct builder *builder, const uint64_t *tables, size_t count)
{
	struct {
		struct table_header header;
		uint64_t tables[4];
	} PACKED xsdt;

	assert(count <= ARRAY_SIZE(xsdt.tables));
	fill_header(&xsdt.header, "XSDT", 1, sizeof(xsdt.header) + count * sizeof(tables[0]));
	memcpy(xsdt.tables, tables, count * sizeof(tables[0]));
	return put_table(builder, &xsdt);
}

static void put_rsdp(struct builder *builder, uint64_t xsdt)
{
	struct rsdp rsdp = {
		.signature = "RSD PTR ",
		.oem_id = "BULKHD",
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt = xsdt,
	};

	rsdp.checksum = checksum(&rsdp, offsetof(struct rsdp, length));
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	put(builder, &rsdp, sizeof(rsdp));
}

int acpi_build(const struct guest_memory *memory, uint32_t cpus, uint64_t *rsdp, struct errmsg *why)
{
	/* The root pointer goes first and is written last. */
	struct builder builder = { .memory = memory,
				   .next = align_up(ACPI_AT + sizeof(struct rsdp), 64) };
	uint64_t tables[3], dsdt, facs, xsdt;

	dsdt = put(&builder, dsdt_aml, sizeof(dsdt_aml));
	facs = put_facs(&builder);
	tables[0] = put_fadt(&builder, dsdt, facs);
	tables[1] = put_madt(&builder, cpus);
	tables[2] = put_mcfg(&builder);
	xsdt = put_xsdt(&builder, tables, ARRAY_SIZE(tables));
	builder.next = ACPI_AT;
	put_rsdp(&builder, xsdt);
	if (builder.err)
		return errmsg_system(why, builder.err, "the ACPI tables don't fit below 1 MiB");
	*rsdp = ACPI_AT;
	return 0;
}
