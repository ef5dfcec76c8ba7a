/*
 * The 8254 interval timer and port 0x61, through which a PC reaches its third channel.
 *
 *   - Counting is computed from the VM's clock whenever somebody looks; nothing runs per tick.
 *   - Every rise of channel 0's output pulses the interrupt line. Rises that the host comes too late for
 *     are not made up for, and rises closer than PIT_MIN_PERIOD_NS are thinned out, so that no guest can
 *     make the host's thread spin. A control word alone makes no interrupt.
 *   - Channel 0's and 1's gates are tied high; channel 2's is bit 0 of port 0x61.
 *
 * Context: the holder of vm->lock, except the timer's callback, which takes it.
 * Source: Intel 8254 datasheet, "Mode Definitions", "Read Operations"; ICH9, "NMI_SC" (port 0x61).
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq_line.h"
#include "vmm/vtimer.h"

enum {
	PIT_HZ = 1193182,
	PIT_CHANNELS = 3,
	PIT_PORT = 0x40,
	PIT_PORTS = 4,
	PIT_SPEAKER_PORT = 0x61,
};

#define PIT_MIN_PERIOD_NS UINT64_C(100000)

/* Ticks count the PIT's clock since the VM's clock was 0; signed, since a period may reach back before it. */
struct pit_channel_state {
	int64_t start_tick;  /* when the counter was, or will be, loaded with @count */
	int64_t switch_tick; /* modes 2 and 3: when @next_count takes over */
	int64_t held_ticks;  /* counted so far, while a low gate stops the count */
	uint32_t count;	     /* 1-65536; 0: nothing loaded since the control word */
	uint32_t next_count; /* written, not loaded yet; 0: none */
	uint16_t latched_count;
	uint8_t mode;	/* 0-5 */
	uint8_t access; /* RW field of the control word: 1 low byte, 2 high, 3 both */
	uint8_t is_bcd;
	uint8_t gate;
	uint8_t is_count_latched, is_status_latched;
	uint8_t latched_status;
	uint8_t has_read_low; /* access 3: the next read is of the high byte */
	uint8_t has_written_low, written_low;
	uint8_t reserved[4];
};

struct pit_state {
	struct pit_channel_state channels[PIT_CHANNELS];
	uint64_t irq_tick; /* channel 0's next rise that interrupts; PIT_NO_TICK */
	uint8_t speaker;   /* port 0x61, bits 0-3 */
	uint8_t reserved[7];
};

#define PIT_NO_TICK UINT64_MAX

struct pit {
	struct pit_state state; /* guest-visible: all that is saved */
	struct irq_line irq;
	struct vtimer timer;
	const struct vmclock *clock; /* borrowed */
	pthread_mutex_t *lock;	     /* borrowed: vm->lock */
};

extern const struct bus_ops pit_ops;	     /* PIT_PORT, PIT_PORTS */
extern const struct bus_ops pit_speaker_ops; /* PIT_SPEAKER_PORT, 1 */

/*
 * @loop, @clock and @lock are borrowed until pit_destroy(); @irq is copied.
 * Returns 0 or -errno (no descriptor for the timer).
 */
MUST_CHECK int pit_create(struct pit *pit, struct loop *loop, const struct vmclock *clock,
			  pthread_mutex_t *lock, const struct irq_line *irq);
void pit_destroy(struct pit *pit);

/* Power-on state: no channel counts, no timer is armed. */
void pit_reset(struct pit *pit);

/* After ->state was loaded or the clock thawed: arms the timer. */
void pit_resume(struct pit *pit);
