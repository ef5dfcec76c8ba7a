/*
 * The battery-backed clock: an MC146818 with 128 bytes of CMOS memory.
 *
 *   - Guest time is the host's CLOCK_REALTIME plus an offset, which setting the clock changes; so it goes
 *     on while the VM is paused, as a battery would have it.
 *   - The flags of register C are worked out when somebody looks. A timer is armed only for an
 *     enabled interrupt whose flag is clear, so one interrupt costs the guest one read of register C.
 *   - A jump of the host's clock is noticed at the next access or interrupt, not before.
 *   - Time written while the clock runs counts at once; the day of the week follows from the date.
 *   - Not here: daylight saving, the square wave.
 *
 * Context: the holder of vm->lock, except the timer's callback, which takes it.
 * Source: Motorola MC146818A datasheet; ICH9 datasheet, "Real Time Clock Registers".
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq_line.h"
#include "vmm/vtimer.h"

enum {
	RTC_PORT = 0x70,
	RTC_PORTS = 2,
	RTC_IRQ = 8,
	RTC_CMOS_BYTES = 128,
	RTC_CENTURY = 0x32, /* for the FADT */
};

/*
 * The divider chain counts nanoseconds since 1970 as CLOCK_REALTIME does, shifted by less than a second so that
 * its seconds begin where the guest wants them. The time of day is its seconds plus an offset.
 */
struct rtc_state {
	int64_t offset_seconds;
	int64_t phase_ns;     /* 0 to a second, exclusive */
	int64_t looked_at_ns; /* on the chain: register C's flags are worked out up to here */
	uint8_t cmos[RTC_CMOS_BYTES]; /* the time's bytes count only while the clock is stopped */
	uint8_t index;
	uint8_t reserved[7];
};

/* What firmware reads from CMOS. */
struct rtc_memory {
	uint64_t below_4g_bytes, above_4g_bytes;
};

struct rtc {
	struct rtc_state state; /* guest-visible: all that is saved */
	struct irq_line irq;
	struct vtimer timer;
	const struct vmclock *clock;  /* borrowed */
	pthread_mutex_t *lock;	      /* borrowed: vm->lock */
	int64_t (*realtime_ns)(void); /* CLOCK_REALTIME; a test sets its own */
};

extern const struct bus_ops rtc_ops; /* RTC_PORT, RTC_PORTS */

/*
 * Starts at the host's time, UTC. @loop, @clock and @lock are borrowed until rtc_destroy(); the rest
 * is copied. Returns 0 or -errno (no descriptor for the timer).
 */
MUST_CHECK int rtc_create(struct rtc *rtc, struct loop *loop, const struct vmclock *clock,
			  pthread_mutex_t *lock, const struct irq_line *irq,
			  const struct rtc_memory *memory);
void rtc_destroy(struct rtc *rtc);

/* The reset wire: interrupts off and acknowledged. Time, alarm and memory stay, as on a battery. */
void rtc_reset(struct rtc *rtc);

/* After ->state was loaded or the clock thawed: arms the timer and drives the line. */
void rtc_resume(struct rtc *rtc);
