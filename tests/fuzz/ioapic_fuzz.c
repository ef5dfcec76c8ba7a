/*
 * Accesses, line changes and EOIs in any order. What must hold: an EOI or an access delivers at most one
 * interrupt per pin, and only level entries are ever in service.
 */
#include "tests/support/fuzz_script.h"
#include "vmm/platform/ioapic.h"

static unsigned delivered;

static void deliver(void *context UNUSED, uint64_t address, uint32_t data)
{
	fuzz_claim((address & ~UINT64_C(0xff00c)) == 0xfee00000);
	fuzz_claim((data & ~0xc7ffu) == 0);
	delivered++;
}

static void route_changed(void *context UNUSED, uint32_t pin, bool is_live UNUSED,
			  uint64_t address UNUSED, uint32_t data UNUSED)
{
	fuzz_claim(pin < IOAPIC_PINS);
}

/* Half of the accesses select a register first: the window would be hard to hit otherwise. */
static void access_window(struct fuzz_script *script, struct ioapic *ioapic)
{
	ioapic_ops.write(ioapic, 0x00, fuzz_take(script, 1) % 0x48, 4);
	ioapic_ops.write(ioapic, 0x10, fuzz_take(script, 4), 4);
	(void)ioapic_ops.read(ioapic, 0x10, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	struct ioapic_sink sink = { deliver, route_changed, NULL };
	struct ioapic ioapic;
	uint8_t pin;

	ioapic_init(&ioapic, &sink);
	while (fuzz_has_more(&script)) {
		delivered = 0;
		switch (fuzz_take(&script, 1) % 5) {
		case 0:
			fuzz_access(&script, &ioapic_ops, &ioapic, IOAPIC_MMIO_BYTES);
			break;
		case 1:
			access_window(&script, &ioapic);
			break;
		case 2:
			pin = (uint8_t)fuzz_take(&script, 1);
			ioapic_set_irq(&ioapic, pin & 31, pin & 128);
			break;
		case 3:
			ioapic_eoi(&ioapic, (uint8_t)fuzz_take(&script, 1));
			break;
		default:
			ioapic_reset(&ioapic);
			ioapic_resume(&ioapic);
		}
		fuzz_claim(delivered <= IOAPIC_PINS);
		for (pin = 0; pin < IOAPIC_PINS; pin++)
			fuzz_claim((ioapic.state.redirection[pin] & 0xc000) != 0x4000);
	}
	return 0;
}
