/*
 * The I/O APIC: see ioapic.h.
 */
#include "vmm/platform/ioapic.h"

enum { /* offsets of the memory-mapped registers */
       IOREGSEL = 0x00,
       IOWIN = 0x10,
       IOEOI = 0x40,
};

enum { /* what IOREGSEL selects */
       REGISTER_ID = 0x00,
       REGISTER_VERSION = 0x01,
       REGISTER_ARBITRATION = 0x02,
       REGISTER_REDIRECTION = 0x10, /* two per pin: low, high */
};

#define VERSION	 (0x20u | (IOAPIC_PINS - 1) << 16)
#define ID_FIELD 0x0f000000u

/* Redirection entry */
#define ENTRY_VECTOR	     UINT64_C(0xff)
#define ENTRY_DELIVERY	     UINT64_C(0x700)
#define ENTRY_LOGICAL	     (UINT64_C(1) << 11)
#define ENTRY_REMOTE_IRR     (UINT64_C(1) << 14)
#define ENTRY_LEVEL	     (UINT64_C(1) << 15)
#define ENTRY_MASKED	     (UINT64_C(1) << 16)
#define ENTRY_WRITABLE	     UINT64_C(0xff0000000001afff)
#define ENTRY_DESTINATION(e) ((e) >> 56)

#define DELIVERY_FIXED	UINT64_C(0x000)
#define DELIVERY_LOWEST UINT64_C(0x100)

/* Message-signalled interrupt: Intel SDM vol. 3, "Message Address/Data Register Format" */
#define MSI_ADDRESS_BASE	UINT64_C(0xfee00000)
#define MSI_ADDRESS_DESTINATION 12 /* shift */
#define MSI_ADDRESS_REDIRECT	(UINT64_C(1) << 3)
#define MSI_ADDRESS_LOGICAL	(UINT64_C(1) << 2)
#define MSI_DATA_ASSERT		(1u << 14)
#define MSI_DATA_LEVEL		(1u << 15)

static_assert(sizeof(struct ioapic_state) == 208, "ioapic_state is saved");

/* The other delivery modes (SMI, NMI, INIT, ExtINT) are edges whatever the trigger bit says. */
static bool entry_is_level(uint64_t entry)
{
	uint64_t delivery = entry & ENTRY_DELIVERY;

	return (entry & ENTRY_LEVEL) && (delivery == DELIVERY_FIXED || delivery == DELIVERY_LOWEST);
}

static uint64_t entry_msi_address(uint64_t entry)
{
	uint64_t address = MSI_ADDRESS_BASE | ENTRY_DESTINATION(entry) << MSI_ADDRESS_DESTINATION;

	if (entry & ENTRY_LOGICAL)
		address |= MSI_ADDRESS_LOGICAL;
	if ((entry & ENTRY_DELIVERY) == DELIVERY_LOWEST)
		address |= MSI_ADDRESS_REDIRECT;
	return address;
}

/* An entry's vector and delivery mode lie where the message has them. */
static uint32_t entry_msi_data(uint64_t entry)
{
	uint32_t data = (uint32_t)(entry & (ENTRY_VECTOR | ENTRY_DELIVERY)) | MSI_DATA_ASSERT;

	return entry_is_level(entry) ? data | MSI_DATA_LEVEL : data;
}

static void pin_announce(struct ioapic *ioapic, uint32_t pin, const struct ioapic_route *route)
{
	ioapic->routes[pin] = *route;
	if (ioapic->sink.route_changed)
		ioapic->sink.route_changed(ioapic->sink.context, pin, route->is_live,
					   route->address, route->data);
}

static void pin_reroute(struct ioapic *ioapic, uint32_t pin)
{
	const struct ioapic_route *old = &ioapic->routes[pin];
	uint64_t entry = ioapic->state.redirection[pin];
	struct ioapic_route route = {
		.address = entry_msi_address(entry),
		.data = entry_msi_data(entry),
	};
	bool is_same = old->is_live && old->address == route.address && old->data == route.data;

	if (is_same)
		return;
	route.is_live = entry_is_level(entry) &&
			(!(entry & ENTRY_MASKED) || (entry & ENTRY_REMOTE_IRR));
	if (route.is_live || old->is_live)
		pin_announce(ioapic, pin, &route);
}

static void pin_deliver(struct ioapic *ioapic, uint32_t pin)
{
	uint64_t entry = ioapic->state.redirection[pin];

	ioapic->sink.deliver(ioapic->sink.context, entry_msi_address(entry), entry_msi_data(entry));
}

/* Deliver what a level pin asks for. Remote IRR, set first, is what limits it to once. */
static void pin_serve_level(struct ioapic *ioapic, uint32_t pin)
{
	uint64_t *entry = &ioapic->state.redirection[pin];

	if (!entry_is_level(*entry) || (*entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
		return;
	if (!(ioapic->state.asserted & 1u << pin))
		return;
	*entry |= ENTRY_REMOTE_IRR;
	pin_deliver(ioapic, pin);
}

void ioapic_set_irq(struct ioapic *ioapic, uint32_t pin, bool is_asserted)
{
	uint32_t bit = 1u << (pin % IOAPIC_PINS);
	bool was_asserted;
	uint64_t entry;

	if (pin >= IOAPIC_PINS)
		return;
	was_asserted = ioapic->state.asserted & bit;
	if (was_asserted == is_asserted)
		return;
	ioapic->state.asserted ^= bit;
	if (!is_asserted)
		return;

	entry = ioapic->state.redirection[pin];
	if (entry_is_level(entry))
		pin_serve_level(ioapic, pin);
	else if (!(entry & ENTRY_MASKED))
		pin_deliver(ioapic, pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
	for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t *entry = &ioapic->state.redirection[pin];

		if (!(*entry & ENTRY_REMOTE_IRR) || (*entry & ENTRY_VECTOR) != vector)
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		pin_serve_level(ioapic, pin);
	}
}

/* @shift: 0 for the entry's low half, 32 for its high half */
static void pin_write(struct ioapic *ioapic, uint32_t pin, uint32_t value, uint32_t shift)
{
	uint64_t half = (uint64_t)UINT32_MAX << shift;
	uint64_t entry = ioapic->state.redirection[pin];
	uint64_t writable = ENTRY_WRITABLE & half;

	entry = (entry & ~writable) | ((uint64_t)value << shift & writable);
	/* Older guests rely on this: an entry made edge and level again is out of service. */
	if (!entry_is_level(entry))
		entry &= ~ENTRY_REMOTE_IRR;
	ioapic->state.redirection[pin] = entry;

	pin_reroute(ioapic, pin);
	pin_serve_level(ioapic, pin);
}

static uint32_t register_read(const struct ioapic *ioapic)
{
	uint32_t select = ioapic->state.select;
	uint32_t pin = (select - REGISTER_REDIRECTION) / 2;

	if (select == REGISTER_VERSION)
		return VERSION;
	/* The arbitration register is loaded with the ID; there is no bus to arbitrate. */
	if (select == REGISTER_ID || select == REGISTER_ARBITRATION)
		return ioapic->state.id;
	if (select < REGISTER_REDIRECTION || pin >= IOAPIC_PINS)
		return 0;
	return (uint32_t)(ioapic->state.redirection[pin] >> (select % 2 ? 32 : 0));
}

static void register_write(struct ioapic *ioapic, uint32_t value)
{
	uint32_t select = ioapic->state.select;
	uint32_t pin = (select - REGISTER_REDIRECTION) / 2;

	if (select == REGISTER_ID)
		ioapic->state.id = value & ID_FIELD;
	else if (select >= REGISTER_REDIRECTION && pin < IOAPIC_PINS)
		pin_write(ioapic, pin, value, select % 2 ? 32 : 0);
}

/* Registers are 32 bits wide, 16 bytes apart; the bytes between them read 0. */
static uint64_t ioapic_read(void *device, uint64_t offset, uint32_t size UNUSED)
{
	struct ioapic *ioapic = device;
	uint64_t within = offset % 16;
	uint32_t value = 0;

	if (offset - within == IOREGSEL)
		value = ioapic->state.select;
	else if (offset - within == IOWIN)
		value = register_read(ioapic);
	return within < 4 ? value >> (8 * within) : 0;
}

/* A part of a register can't be written, except of those that only have 8 bits. */
static void ioapic_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	struct ioapic *ioapic = device;

	if (offset == IOREGSEL)
		ioapic->state.select = (uint8_t)value;
	else if (offset == IOWIN && size >= 4)
		register_write(ioapic, (uint32_t)value);
	else if (offset == IOEOI)
		ioapic_eoi(ioapic, (uint8_t)value);
}

const struct bus_ops ioapic_ops = { .read = ioapic_read, .write = ioapic_write };

void ioapic_init(struct ioapic *ioapic, const struct ioapic_sink *sink)
{
	*ioapic = (struct ioapic){ .sink = *sink };
	ioapic_reset(ioapic);
}

void ioapic_reset(struct ioapic *ioapic)
{
	ioapic->state = (struct ioapic_state){ .asserted = ioapic->state.asserted };
	for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++) {
		ioapic->state.redirection[pin] = ENTRY_MASKED;
		pin_reroute(ioapic, pin);
	}
}

void ioapic_resume(struct ioapic *ioapic)
{
	for (uint32_t pin = 0; pin < IOAPIC_PINS; pin++)
		pin_reroute(ioapic, pin);
}
