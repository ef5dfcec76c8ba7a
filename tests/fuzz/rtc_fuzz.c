/*
 * Any register at any time, with a host clock that jumps. What must hold: the line is high exactly while an
 * enabled flag is set, and a guest that doesn't read register C costs at most four timers: one per
 * flag, and one that was armed before the host's clock jumped.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/rtc.h"

static const struct vm_time *host;
static int64_t host_step_ns;

static int64_t host_time_ns(void)
{
	return INT64_C(1700000000000000000) + (int64_t)vm_time_now_ns(host) + host_step_ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct rtc_memory memory = { .below_4g_bytes = 1 << 28 };
	struct fuzz_script script = { bytes, n };
	struct irq_probe irq = { 0 };
	struct irq_line line = irq_probe_line(&irq, RTC_IRQ);
	struct vm_time time;
	struct rtc rtc;

	vm_time_start(&time, 0);
	host = &time;
	host_step_ns = 0;
	if (rtc_create(&rtc, &time.loop, &time.clock, &time.lock, &line, &memory))
		abort();
	rtc.realtime_ns = host_time_ns;
	rtc_resume(&rtc);
	time.timer = &rtc.timer;

	while (fuzz_has_more(&script)) {
		switch (fuzz_take(&script, 1) % 8) {
		case 0:
			time.fired = 0;
			vm_time_advance(&time, fuzz_take(&script, 6));
			fuzz_claim(time.fired <= 4);
			break;
		case 1:
			host_step_ns = (int64_t)fuzz_take(&script, 7) - (INT64_C(1) << 55);
			break;
		case 2:
			rtc_reset(&rtc);
			break;
		case 3:
		case 4: /* the time, the alarm and the control registers */
			rtc_ops.write(&rtc, 0, fuzz_take(&script, 1) % 14, 1);
			rtc_ops.write(&rtc, 1, fuzz_take(&script, 1), 1);
			break;
		default:
			fuzz_access(&script, &rtc_ops, &rtc, RTC_PORTS);
		}
		fuzz_claim(irq.level == !!(rtc.state.cmos[0x0b] & rtc.state.cmos[0x0c] & 0x70));
	}
	rtc_destroy(&rtc);
	vm_time_stop(&time);
	return 0;
}
