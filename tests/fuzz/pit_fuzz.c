/*
 * Any programming at any time. What must hold: the next interrupt lies in the future once what is due was
 * served, and the timer goes off no more often than the smallest period allows.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/pit.h"
#include "vmm/platform/ticks.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	struct irq_probe irq = { 0 };
	struct irq_line line = irq_probe_line(&irq, 0);
	struct vm_time time;
	struct pit pit;
	uint64_t step;

	vm_time_start(&time, 0);
	if (pit_create(&pit, &time.loop, &time.clock, &time.lock, &line))
		abort();
	time.timer = &pit.timer;

	while (fuzz_has_more(&script)) {
		switch (fuzz_take(&script, 1) % 8) {
		case 0:
			fuzz_access(&script, &pit_speaker_ops, &pit, 1);
			break;
		case 1:
			step = fuzz_take(&script, 3);
			time.fired = 0;
			vm_time_advance(&time, step);
			fuzz_claim(time.fired <= step / PIT_MIN_PERIOD_NS + 2);
			fuzz_claim(pit.state.irq_tick > ticks_at_ns(vm_time_now_ns(&time), PIT_HZ));
			break;
		case 2: /* the host is late by anything up to centuries */
			vm_time_set(&time, vm_time_now_ns(&time) + (fuzz_take(&script, 8) >> 4));
			if (vm_time_now_ns(&time) > UINT64_MAX / 4)
				vm_time_set(&time, UINT64_MAX / 4);
			vm_time_fire(&time);
			break;
		case 3:
			pit_resume(&pit);
			break;
		default:
			fuzz_access(&script, &pit_ops, &pit, PIT_PORTS);
		}
		fuzz_claim(!irq.level);
	}
	pit_destroy(&pit);
	vm_time_stop(&time);
	return 0;
}
