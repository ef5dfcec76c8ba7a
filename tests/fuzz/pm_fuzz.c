/*
 * Accesses, events and time in any order. What must hold: the SCI is high exactly while an enabled event's
 * status is set, and SCI_EN always reads 1.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/pm.h"

static void wish(void *context UNUSED, enum power_wish wanted)
{
	fuzz_claim(wanted == POWER_WISH_OFF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	struct irq_probe sci = { 0 };
	struct irq_line line = irq_probe_line(&sci, PM_SCI_GSI);
	struct power_sink power = { wish, NULL };
	struct vm_time time;
	struct pm pm;

	vm_time_start(&time, 0);
	if (pm_create(&pm, &time.loop, &time.clock, &time.lock, &line, &power))
		abort();
	time.timer = &pm.timer;

	while (fuzz_has_more(&script)) {
		switch (fuzz_take(&script, 1) % 8) {
		case 0:
			vm_time_advance(&time, fuzz_take(&script, 5));
			break;
		case 1:
			pm_gpe_raise(&pm, (uint32_t)fuzz_take(&script, 1));
			break;
		case 2:
			pm_power_button(&pm);
			break;
		default:
			fuzz_access(&script, &pm_ops, &pm, PM_PORTS);
		}
		fuzz_claim(pm_ops.read(&pm, PM_CONTROL_OFFSET, 2) & 1);
		fuzz_claim(sci.level == ((pm.state.status & pm.state.enable) ||
					 (pm.state.gpe_status & pm.state.gpe_enable)));
	}
	pm_destroy(&pm);
	vm_time_stop(&time);
	return 0;
}
