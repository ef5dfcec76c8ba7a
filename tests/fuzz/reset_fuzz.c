/*
 * Any access to the ports that can reset a PC. What must hold: nothing but a reset is ever wished for.
 */
#include "tests/support/fuzz_script.h"
#include "vmm/platform/reset.h"

static void wish(void *context UNUSED, enum power_wish wanted)
{
	fuzz_claim(wanted == POWER_WISH_RESET);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct bus_ops *const ports[] = {
		&reset_i8042_data_ops,
		&reset_i8042_command_ops,
		&reset_port92_ops,
	};
	struct fuzz_script script = { bytes, n };
	struct power_sink power = { wish, NULL };
	struct reset reset;
	uint8_t which;

	reset_init(&reset, &power);
	while (fuzz_has_more(&script)) {
		which = (uint8_t)fuzz_take(&script, 1) % 4;
		if (which < ARRAY_SIZE(ports))
			fuzz_access(&script, ports[which], &reset, 1);
		else
			reset_control_write(&reset, (uint8_t)fuzz_take(&script, 1));
		fuzz_claim((reset_control_read(&reset) & ~0x0a) == 0);
	}
	return 0;
}
