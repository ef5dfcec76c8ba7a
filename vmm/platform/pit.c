/*
 * The 8254 interval timer and port 0x61: see pit.h.
 *
 * A channel is described by when its counter was loaded and with what; count and output at any tick follow from
 * that by arithmetic. The functions on a struct pit_channel_state below take that tick, and expect the channel
 * to be settled: a new count that was waiting for the end of a period has taken over.
 */
#include "vmm/platform/byte_io.h"
#include "vmm/platform/pit.h"
#include "vmm/platform/ticks.h"

enum {
	MODE_TERMINAL_COUNT = 0,
	MODE_ONE_SHOT = 1,
	MODE_RATE = 2,
	MODE_SQUARE = 3,
	MODE_SOFTWARE_STROBE = 4,
	MODE_HARDWARE_STROBE = 5,
};

enum { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };

enum { /* control word */
       CONTROL_OFFSET = 3,
       CONTROL_BCD = 0x01,
       CONTROL_MODE_SHIFT = 1,
       CONTROL_MODE_FIELD = 7,
       CONTROL_ACCESS_SHIFT = 4,
       CONTROL_ACCESS_FIELD = 3, /* 0: latch the count */
       CONTROL_CHANNEL_SHIFT = 6,
       CONTROL_READ_BACK = 3, /* in place of the channel */
       READ_BACK_NOT_STATUS = 0x10,
       READ_BACK_NOT_COUNT = 0x20,
       READ_BACK_CHANNEL_SHIFT = 1,
};

enum {
	STATUS_OUTPUT = 0x80,
	STATUS_NULL_COUNT = 0x40,
	STATUS_ACCESS_SHIFT = 4,
	STATUS_MODE_SHIFT = 1,
};

enum { COUNTS_BINARY = 0x10000, COUNTS_BCD = 10000 };

enum { SPEAKER_CHANNEL = 2 };

enum { /* port 0x61 */
       SPEAKER_GATE = 0x01,
       SPEAKER_WRITABLE = 0x0f, /* gate, data, parity and channel check enables */
       SPEAKER_REFRESH = 0x10,
       SPEAKER_OUTPUT = 0x20,
};

/* Channel 1 asks for a memory refresh every 15 us; only its toggling bit is left of it. */
enum { REFRESH_TICKS = 18 };

enum { MIN_PERIOD_TICKS = PIT_MIN_PERIOD_NS * PIT_HZ / NS_PER_SECOND + 1 };

static_assert(sizeof(struct pit_state) == 160, "pit_state is saved");

static int64_t now_tick(const struct pit *pit)
{
	return (int64_t)ticks_at_ns(vmclock_now_ns(pit->clock), PIT_HZ);
}

static bool is_periodic(const struct pit_channel_state *channel)
{
	return channel->mode == MODE_RATE || channel->mode == MODE_SQUARE;
}

/* Does a rising gate start the count, rather than a write? */
static bool is_triggered(const struct pit_channel_state *channel)
{
	return channel->mode == MODE_ONE_SHOT || channel->mode == MODE_HARDWARE_STROBE;
}

static bool is_held(const struct pit_channel_state *channel)
{
	return !channel->gate && !is_triggered(channel);
}

/* How much was counted since the counter was loaded. */
static int64_t elapsed(const struct pit_channel_state *channel, int64_t tick)
{
	if (is_held(channel))
		return channel->held_ticks;
	return tick > channel->start_tick ? tick - channel->start_tick : 0;
}

/* Mode 3's output is high for the first half of a period, the longer one where it is odd. */
static int64_t high_half(uint32_t count)
{
	return (count + 1) / 2;
}

static void settle(struct pit_channel_state *channel, int64_t tick)
{
	bool is_mid_period;

	if (!is_periodic(channel) || is_held(channel) || !channel->count || !channel->next_count ||
	    tick < channel->switch_tick)
		return;

	is_mid_period = (channel->switch_tick - channel->start_tick) % channel->count;
	channel->start_tick = channel->switch_tick;
	if (is_mid_period)
		channel->start_tick -= high_half(channel->next_count);
	channel->count = channel->next_count;
	channel->next_count = 0;
}

/* The counter takes the count register's value at the next pulse of its clock. */
static void load(struct pit_channel_state *channel, int64_t tick)
{
	if (channel->next_count)
		channel->count = channel->next_count;
	channel->next_count = 0;
	channel->start_tick = tick + 1;
	channel->held_ticks = 0;
}

static bool output(const struct pit_channel_state *channel, int64_t tick)
{
	int64_t done = elapsed(channel, tick);
	int64_t count = channel->count;
	bool has_started = count && (is_held(channel) || tick >= channel->start_tick);

	switch (channel->mode) {
	case MODE_TERMINAL_COUNT:
		return has_started && done >= count;
	case MODE_ONE_SHOT:
		return !has_started || done >= count;
	case MODE_RATE:
		return !has_started || is_held(channel) || done % count != count - 1;
	case MODE_SQUARE:
		return !has_started || is_held(channel) || done % count < high_half(channel->count);
	default: /* the strobes */
		return !has_started || done != count;
	}
}

/* What the counter holds, before BCD. It goes on past 0 where it isn't reloaded. */
static uint32_t counter(const struct pit_channel_state *channel, int64_t tick)
{
	int64_t modulus = channel->is_bcd ? COUNTS_BCD : COUNTS_BINARY;
	int64_t done = elapsed(channel, tick);
	int64_t count = channel->count;
	int64_t value;

	if (!count)
		return 0;
	switch (channel->mode) {
	case MODE_RATE:
		value = count - done % count;
		break;
	case MODE_SQUARE: /* twice as fast, once per half; even values only */
		done %= count;
		if (done >= high_half(channel->count))
			done -= high_half(channel->count);
		value = (count & ~INT64_C(1)) - 2 * done;
		break;
	default:
		value = count - done % modulus + modulus;
		break;
	}
	return (uint32_t)(value % modulus);
}

static uint16_t to_bcd(uint32_t value)
{
	return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
			  value / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint32_t value)
{
	return (value & 15) + (value >> 4 & 15) * 10 + (value >> 8 & 15) * 100 +
	       (value >> 12 & 15) * 1000;
}

static uint16_t count_register(const struct pit_channel_state *channel, int64_t tick)
{
	uint32_t value = counter(channel, tick);

	return channel->is_bcd ? to_bcd(value) : (uint16_t)value;
}

/* 0 stands for the largest count. */
static uint32_t count_from_register(const struct pit_channel_state *channel, uint32_t value)
{
	if (channel->is_bcd)
		value = from_bcd(value);
	if (value)
		return value;
	return channel->is_bcd ? COUNTS_BCD : COUNTS_BINARY;
}

static bool is_null_count(const struct pit_channel_state *channel, int64_t tick)
{
	return !channel->count || channel->next_count ||
	       (!is_held(channel) && tick < channel->start_tick);
}

/* The end of the running period, or in mode 3 of its half: where a new count may take over. */
static int64_t next_boundary(const struct pit_channel_state *channel, int64_t tick)
{
	int64_t done = elapsed(channel, tick);
	int64_t within = done % channel->count;
	int64_t half = high_half(channel->count);

	if (channel->mode == MODE_SQUARE && within < half)
		return channel->start_tick + done - within + half;
	return channel->start_tick + done - within + channel->count;
}

/* A new count is complete in the count register. */
static void count_written(struct pit_channel_state *channel, int64_t tick, uint32_t value)
{
	bool is_running = channel->count && !is_held(channel) && tick >= channel->start_tick;

	channel->next_count = count_from_register(channel, value);
	if (is_triggered(channel))
		return; /* waits for the gate */
	if (is_periodic(channel) && is_running)
		channel->switch_tick = next_boundary(channel, tick);
	else if (!is_periodic(channel) || !channel->count || !is_held(channel))
		load(channel, tick);
}

static void write_count(struct pit_channel_state *channel, int64_t tick, uint8_t value)
{
	if (channel->access == ACCESS_BOTH && !channel->has_written_low) {
		channel->has_written_low = true;
		channel->written_low = value;
		if (channel->mode == MODE_TERMINAL_COUNT)
			channel->count = 0; /* the first byte stops it, output low */
		return;
	}
	if (channel->access == ACCESS_BOTH)
		count_written(channel, tick, (uint32_t)value << 8 | channel->written_low);
	else if (channel->access == ACCESS_HIGH)
		count_written(channel, tick, (uint32_t)value << 8);
	else
		count_written(channel, tick, value);
	channel->has_written_low = false;
}

static void gate_rises(struct pit_channel_state *channel, int64_t tick)
{
	channel->gate = true;
	if (is_periodic(channel) || is_triggered(channel))
		load(channel, tick);
	else
		channel->start_tick = tick - channel->held_ticks;
}

static void gate_falls(struct pit_channel_state *channel, int64_t tick)
{
	channel->held_ticks = elapsed(channel, tick);
	channel->gate = false;
}

static void set_gate(struct pit_channel_state *channel, int64_t tick, bool gate)
{
	if (gate && !channel->gate)
		gate_rises(channel, tick);
	else if (!gate && channel->gate)
		gate_falls(channel, tick);
}

/*
 * The first rise of the output at or after @from, which is in the future. By value: the channel is taken
 * forward to where a waiting count takes over, which is at or before the running count's next rise.
 */
static uint64_t next_rise(struct pit_channel_state channel, int64_t from)
{
	int64_t rise = channel.start_tick + channel.count;

	if (!channel.count || is_held(&channel))
		return PIT_NO_TICK;
	if (channel.mode == MODE_SOFTWARE_STROBE || channel.mode == MODE_HARDWARE_STROBE)
		rise++; /* the strobe's end */

	if (is_periodic(&channel)) {
		if (channel.next_count) {
			int64_t at = channel.switch_tick;

			settle(&channel, at);
			rise = channel.start_tick;
			rise += rise < at ? channel.count : 0;
		}
		if (rise < from)
			rise += (from - rise + channel.count - 1) / channel.count * channel.count;
	}
	return rise >= from ? (uint64_t)rise : PIT_NO_TICK;
}

static void schedule_irq(struct pit *pit, int64_t from)
{
	uint64_t rise = next_rise(pit->state.channels[0], from);

	if (rise == pit->state.irq_tick)
		return;
	pit->state.irq_tick = rise;
	pit_resume(pit);
}

/* Interrupt if a rise is due: one pulse, however many the host has slept through. */
static void interrupt_if_due(struct pit *pit, int64_t tick)
{
	struct pit_state *s = &pit->state;
	int64_t from = tick + 1;

	if (s->irq_tick > (uint64_t)tick)
		return;
	if (from < (int64_t)s->irq_tick + MIN_PERIOD_TICKS)
		from = (int64_t)s->irq_tick + MIN_PERIOD_TICKS;
	settle(&s->channels[0], tick);
	schedule_irq(pit, from);
	irq_line_set(&pit->irq, true);
	irq_line_set(&pit->irq, false);
}

static void timer_expired(void *context)
{
	struct pit *pit = context;

	pthread_mutex_lock(pit->lock);
	interrupt_if_due(pit, now_tick(pit));
	pthread_mutex_unlock(pit->lock);
}

static void latch_count(struct pit_channel_state *channel, int64_t tick)
{
	if (channel->is_count_latched)
		return;
	channel->is_count_latched = true;
	channel->latched_count = count_register(channel, tick);
}

static void latch_status(struct pit_channel_state *channel, int64_t tick)
{
	if (channel->is_status_latched)
		return;
	channel->is_status_latched = true;
	channel->latched_status = (uint8_t)((output(channel, tick) ? STATUS_OUTPUT : 0) |
					    (is_null_count(channel, tick) ? STATUS_NULL_COUNT : 0) |
					    channel->access << STATUS_ACCESS_SHIFT |
					    channel->mode << STATUS_MODE_SHIFT | channel->is_bcd);
}

static uint8_t read_count(struct pit_channel_state *channel, int64_t tick)
{
	uint16_t value = channel->latched_count;

	if (channel->is_status_latched) {
		channel->is_status_latched = false;
		return channel->latched_status;
	}
	if (!channel->is_count_latched)
		value = count_register(channel, tick);
	if (channel->access == ACCESS_BOTH && !channel->has_read_low) {
		channel->has_read_low = true;
		return (uint8_t)value;
	}
	channel->has_read_low = false;
	channel->is_count_latched = false;
	return (uint8_t)(channel->access == ACCESS_LOW ? value : value >> 8);
}

static void read_back(struct pit *pit, int64_t tick, uint8_t control)
{
	for (uint32_t i = 0; i < PIT_CHANNELS; i++) {
		struct pit_channel_state *channel = &pit->state.channels[i];

		if (!(control >> READ_BACK_CHANNEL_SHIFT & 1u << i))
			continue;
		settle(channel, tick);
		if (!(control & READ_BACK_NOT_COUNT))
			latch_count(channel, tick);
		if (!(control & READ_BACK_NOT_STATUS))
			latch_status(channel, tick);
	}
}

/* A control word starts a channel over; only its gate stays. */
static void program(struct pit_channel_state *channel, uint8_t control)
{
	uint8_t mode = control >> CONTROL_MODE_SHIFT & CONTROL_MODE_FIELD;

	*channel = (struct pit_channel_state){
		.mode = mode > MODE_HARDWARE_STROBE ? mode & MODE_SQUARE
						    : mode, /* 6 is 2, 7 is 3 */
		.access = control >> CONTROL_ACCESS_SHIFT & CONTROL_ACCESS_FIELD,
		.is_bcd = control & CONTROL_BCD,
		.gate = channel->gate,
	};
}

static void write_control(struct pit *pit, int64_t tick, uint8_t control)
{
	uint32_t which = control >> CONTROL_CHANNEL_SHIFT;
	struct pit_channel_state *channel = &pit->state.channels[which % PIT_CHANNELS];

	if (which == CONTROL_READ_BACK) {
		read_back(pit, tick, control);
	} else if (control >> CONTROL_ACCESS_SHIFT & CONTROL_ACCESS_FIELD) {
		program(channel, control);
	} else {
		settle(channel, tick);
		latch_count(channel, tick);
	}
}

static uint8_t pit_read_byte(void *device, uint64_t offset)
{
	struct pit *pit = device;
	struct pit_channel_state *channel = &pit->state.channels[offset % PIT_CHANNELS];
	int64_t tick = now_tick(pit);

	if (offset >= CONTROL_OFFSET)
		return 0xff; /* the control word is write-only */
	settle(channel, tick);
	return read_count(channel, tick);
}

static void pit_write_byte(void *device, uint64_t offset, uint8_t value)
{
	struct pit *pit = device;
	struct pit_channel_state *channel = &pit->state.channels[offset % PIT_CHANNELS];
	int64_t tick = now_tick(pit);

	interrupt_if_due(pit, tick);
	if (offset >= CONTROL_OFFSET) {
		write_control(pit, tick, value);
	} else {
		settle(channel, tick);
		write_count(channel, tick, value);
	}
	if (channel == &pit->state.channels[0])
		schedule_irq(pit, tick + 1);
}

static uint64_t pit_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, pit_read_byte);
}

static void pit_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, pit_write_byte);
}

static uint64_t speaker_read(void *device, uint64_t offset UNUSED, uint32_t size UNUSED)
{
	struct pit *pit = device;
	struct pit_channel_state *channel = &pit->state.channels[SPEAKER_CHANNEL];
	int64_t tick = now_tick(pit);
	uint8_t value = pit->state.speaker;

	settle(channel, tick);
	if (output(channel, tick))
		value |= SPEAKER_OUTPUT;
	if (tick / REFRESH_TICKS % 2)
		value |= SPEAKER_REFRESH;
	return value;
}

static void speaker_write(void *device, uint64_t offset UNUSED, uint64_t value,
			  uint32_t size UNUSED)
{
	struct pit *pit = device;
	struct pit_channel_state *channel = &pit->state.channels[SPEAKER_CHANNEL];
	int64_t tick = now_tick(pit);

	pit->state.speaker = value & SPEAKER_WRITABLE;
	settle(channel, tick);
	set_gate(channel, tick, value & SPEAKER_GATE);
}

const struct bus_ops pit_ops = { .read = pit_read, .write = pit_write };
const struct bus_ops pit_speaker_ops = { .read = speaker_read, .write = speaker_write };

int pit_create(struct pit *pit, struct loop *loop, const struct vmclock *clock,
	       pthread_mutex_t *lock, const struct irq_line *irq)
{
	int err;

	*pit = (struct pit){ .irq = *irq, .clock = clock, .lock = lock };
	err = vtimer_create(&pit->timer, loop, clock, timer_expired, pit);
	if (err)
		return err;
	pit_reset(pit);
	return 0;
}

void pit_destroy(struct pit *pit)
{
	vtimer_destroy(&pit->timer);
}

void pit_reset(struct pit *pit)
{
	pit->state = (struct pit_state){ .irq_tick = PIT_NO_TICK };
	for (uint32_t i = 0; i < PIT_CHANNELS; i++) {
		pit->state.channels[i].access = ACCESS_BOTH;
		pit->state.channels[i].gate = i != SPEAKER_CHANNEL;
	}
	vtimer_cancel(&pit->timer);
}

void pit_resume(struct pit *pit)
{
	if (pit->state.irq_tick == PIT_NO_TICK)
		vtimer_cancel(&pit->timer);
	else
		vtimer_arm(&pit->timer, ticks_to_ns(pit->state.irq_tick, PIT_HZ));
}
