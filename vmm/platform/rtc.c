/*
 * The battery-backed clock: see rtc.h.
 */
#include <stdbool.h>
#include <time.h>

#include "vmm/platform/byte_io.h"
#include "vmm/platform/calendar.h"
#include "vmm/platform/rtc.h"
#include "vmm/platform/ticks.h"

enum {
	REG_SECOND = 0x00,
	REG_SECOND_ALARM = 0x01,
	REG_MINUTE = 0x02,
	REG_MINUTE_ALARM = 0x03,
	REG_HOUR = 0x04,
	REG_HOUR_ALARM = 0x05,
	REG_WEEKDAY = 0x06, /* 1 is Sunday */
	REG_DAY = 0x07,
	REG_MONTH = 0x08,
	REG_YEAR = 0x09,
	REG_A = 0x0a,
	REG_B = 0x0b,
	REG_C = 0x0c,
	REG_D = 0x0d,
	REG_BASE_KIB = 0x15,
	REG_EXTENDED_KIB = 0x17,
	REG_EXTENDED_KIB_AGAIN = 0x30,
	REG_ABOVE_16M = 0x34, /* in units of 64 KiB, as is the next */
	REG_ABOVE_4G = 0x5b,
};

enum {
	A_UPDATING = 0x80,
	A_DIVIDER = 0x70,
	A_DIVIDER_RUNS = 0x20,	/* from a 32 kHz crystal */
	A_DIVIDER_RESET = 0x60, /* or 0x70 */
	A_RATE = 0x0f,
	A_RATE_1024_HZ = 0x06,
};

enum {
	B_SET = 0x80, /* the time stands still and may be written */
	B_PERIODIC = 0x40,
	B_ALARM = 0x20,
	B_UPDATE = 0x10,
	B_SQUARE_WAVE = 0x08,
	B_BINARY = 0x04,
	B_24_HOURS = 0x02,
	B_INTERRUPTS = B_PERIODIC | B_ALARM | B_UPDATE,
};

enum { C_REQUEST = 0x80 }; /* below it the flags, at the places of their enables in B */
enum { D_BATTERY_IS_GOOD = 0x80 };

enum { INDEX_FIELD = 0x7f }; /* bit 7 masks NMIs, of which there are none */
enum { HOUR_IS_PM = 0x80 };

/* In an alarm byte: any value matches. */
enum { ALARM_ANY = 0xc0 };

/* How long before an update register A warns of it. */
#define UPDATE_WARNING_NS INT64_C(244000)

/* Once released from reset, the divider chain makes the first update after half a second. */
#define DIVIDER_START_NS INT64_C(500000000)

enum { CRYSTAL_HZ = 32768 };

#define SECOND_NS INT64_C(1000000000)

static_assert(sizeof(struct rtc_state) == 160, "rtc_state is saved");

static int64_t host_realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* What the divider chain has counted. */
static int64_t chain_ns(const struct rtc *rtc)
{
	return rtc->realtime_ns() + rtc->state.phase_ns;
}

static int64_t guest_seconds(const struct rtc *rtc, int64_t chain)
{
	return chain / SECOND_NS + rtc->state.offset_seconds;
}

static bool is_divider_reset(const struct rtc *rtc)
{
	return (rtc->state.cmos[REG_A] & A_DIVIDER) >= A_DIVIDER_RESET;
}

static bool is_stopped(const struct rtc *rtc)
{
	return (rtc->state.cmos[REG_B] & B_SET) || is_divider_reset(rtc);
}

/* ---- the formats of the time's bytes ---- */

static uint8_t encode(const struct rtc *rtc, int64_t value)
{
	if (rtc->state.cmos[REG_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static int32_t decode(const struct rtc *rtc, uint8_t byte)
{
	if (rtc->state.cmos[REG_B] & B_BINARY)
		return byte;
	return (byte >> 4) * 10 + (byte & 15);
}

/* Twelve-hour clocks know no 0: noon and midnight are 12. */
static uint8_t encode_hour(const struct rtc *rtc, int32_t hour)
{
	if (rtc->state.cmos[REG_B] & B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_IS_PM : 0);
}

static int32_t decode_hour(const struct rtc *rtc, uint8_t byte)
{
	if (rtc->state.cmos[REG_B] & B_24_HOURS)
		return decode(rtc, byte);
	return decode(rtc, byte & (uint8_t)~HOUR_IS_PM) % 12 + (byte & HOUR_IS_PM ? 12 : 0);
}

static bool is_time_register(uint8_t index)
{
	switch (index) {
	case REG_SECOND:
	case REG_MINUTE:
	case REG_HOUR:
	case REG_WEEKDAY ... REG_YEAR:
	case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

/* The running time goes into its bytes. */
static void hold_time(struct rtc *rtc)
{
	struct calendar now = calendar_from_seconds(guest_seconds(rtc, chain_ns(rtc)));
	uint8_t *cmos = rtc->state.cmos;

	cmos[REG_SECOND] = encode(rtc, now.second);
	cmos[REG_MINUTE] = encode(rtc, now.minute);
	cmos[REG_HOUR] = encode_hour(rtc, now.hour);
	cmos[REG_WEEKDAY] = encode(rtc, now.weekday + 1);
	cmos[REG_DAY] = encode(rtc, now.day);
	cmos[REG_MONTH] = encode(rtc, now.month);
	cmos[REG_YEAR] = encode(rtc, now.year % 100);
	cmos[RTC_CENTURY] = encode(rtc, now.year / 100);
}

/* Time runs on from its bytes; the chain's seconds go on where they are. */
static void release_time(struct rtc *rtc)
{
	const uint8_t *cmos = rtc->state.cmos;
	struct calendar date = {
		.year = decode(rtc, cmos[RTC_CENTURY]) * 100 + decode(rtc, cmos[REG_YEAR]),
		.month = decode(rtc, cmos[REG_MONTH]),
		.day = decode(rtc, cmos[REG_DAY]),
		.hour = decode_hour(rtc, cmos[REG_HOUR]),
		.minute = decode(rtc, cmos[REG_MINUTE]),
		.second = decode(rtc, cmos[REG_SECOND]),
	};

	rtc->state.looked_at_ns = chain_ns(rtc);
	rtc->state.offset_seconds =
		calendar_to_seconds(&date) - rtc->state.looked_at_ns / SECOND_NS;
}

/* ---- alarms ---- */

enum { MATCH_NONE = SECONDS_PER_DAY }; /* not this day */

struct alarm {
	int32_t hour, minute, second; /* -1: any */
};

static int32_t alarm_field(uint8_t byte, int32_t decoded)
{
	return (byte & ALARM_ANY) == ALARM_ANY ? -1 : decoded;
}

static struct alarm read_alarm(const struct rtc *rtc)
{
	uint8_t hour = rtc->state.cmos[REG_HOUR_ALARM];
	uint8_t minute = rtc->state.cmos[REG_MINUTE_ALARM];
	uint8_t second = rtc->state.cmos[REG_SECOND_ALARM];

	return (struct alarm){
		.hour = alarm_field(hour, decode_hour(rtc, hour)),
		.minute = alarm_field(minute, decode(rtc, minute)),
		.second = alarm_field(second, decode(rtc, second)),
	};
}

/* The first value that matches, at or after @from; @limit where there is none below it. */
static int32_t first_from(int32_t wanted, int32_t from, int32_t limit)
{
	if (wanted < 0)
		return from;
	return wanted >= from && wanted < limit ? wanted : limit;
}

/* The first second of the day that matches, at or after @second_of_day; MATCH_NONE. */
static int32_t alarm_match(const struct alarm *alarm, int32_t second_of_day)
{
	int32_t from_hour = second_of_day / 3600;
	int32_t from_minute = second_of_day / 60 % 60;
	int32_t from_second = second_of_day % 60;

	/* A minute or an hour without a match carries to the next, at most once each. */
	for (int carries = 0; carries < 3; carries++) {
		int32_t hour = first_from(alarm->hour, from_hour, 24);
		int32_t minute = first_from(alarm->minute, hour > from_hour ? 0 : from_minute, 60);
		bool is_later = hour > from_hour || minute > from_minute;
		int32_t second = first_from(alarm->second, is_later ? 0 : from_second, 60);

		if (hour >= 24)
			break;
		if (minute < 60 && second < 60)
			return hour * 3600 + minute * 60 + second;
		from_hour = minute < 60 ? hour : hour + 1;
		from_minute = minute < 60 ? minute + 1 : 0;
		from_second = 0;
	}
	return MATCH_NONE;
}

/* The chain's second of the next alarm after @chain_second; INT64_MAX: never. */
static int64_t next_alarm(const struct rtc *rtc, int64_t chain_second)
{
	struct alarm alarm = read_alarm(rtc);
	int64_t guest_second = chain_second + rtc->state.offset_seconds;
	int64_t today = guest_second % SECONDS_PER_DAY;
	int64_t match = MATCH_NONE;

	if (today < 0)
		today += SECONDS_PER_DAY;
	if (today + 1 < SECONDS_PER_DAY)
		match = alarm_match(&alarm, (int32_t)today + 1);
	if (match == MATCH_NONE)
		match = alarm_match(&alarm, 0) + SECONDS_PER_DAY;
	if (match == MATCH_NONE + SECONDS_PER_DAY)
		return INT64_MAX;
	return chain_second + match - today;
}

/* ---- flags, timer and line ---- */

/* log2 of the crystal's ticks between two periodic flags; 0: none */
static uint32_t period_shift(const struct rtc *rtc)
{
	uint32_t rate = rtc->state.cmos[REG_A] & A_RATE;

	if (!rate || is_divider_reset(rtc))
		return 0;
	return rate <= 2 ? rate + 6 : rate - 1; /* 1 and 2 are 8 and 9 again */
}

static int64_t periods_at(int64_t chain, uint32_t shift)
{
	return (int64_t)(ticks_at_ns((uint64_t)chain, CRYSTAL_HZ) >> shift);
}

static uint8_t flags_between(const struct rtc *rtc, int64_t from, int64_t to)
{
	uint32_t shift = period_shift(rtc);
	uint8_t flags = 0;

	if (shift && periods_at(to, shift) > periods_at(from, shift))
		flags |= B_PERIODIC;
	if (is_stopped(rtc))
		return flags;
	if (to / SECOND_NS > from / SECOND_NS)
		flags |= B_UPDATE;
	if (to / SECOND_NS >= next_alarm(rtc, from / SECOND_NS))
		flags |= B_ALARM;
	return flags;
}

/* Set the flags of what happened since the last look. A host clock that was set back makes none. */
static void catch_up(struct rtc *rtc)
{
	int64_t now = chain_ns(rtc);

	if (now > rtc->state.looked_at_ns)
		rtc->state.cmos[REG_C] |= flags_between(rtc, rtc->state.looked_at_ns, now);
	rtc->state.looked_at_ns = now;
}

static uint8_t requests(const struct rtc *rtc)
{
	return rtc->state.cmos[REG_C] & rtc->state.cmos[REG_B] & B_INTERRUPTS;
}

/* When the next enabled interrupt happens whose flag is clear, on the chain; INT64_MAX: never. */
static int64_t next_interrupt(const struct rtc *rtc, int64_t now)
{
	uint8_t awaited = rtc->state.cmos[REG_B] & (uint8_t)~rtc->state.cmos[REG_C];
	uint32_t shift = period_shift(rtc);
	int64_t next = INT64_MAX;
	int64_t alarm;

	/* An alarm comes with an update, so whoever awaits both need only look at the next update. */
	if (!is_stopped(rtc) && (awaited & B_UPDATE)) {
		next = (now / SECOND_NS + 1) * SECOND_NS;
	} else if (!is_stopped(rtc) && (awaited & B_ALARM)) {
		alarm = next_alarm(rtc, now / SECOND_NS);
		if (alarm != INT64_MAX)
			next = alarm * SECOND_NS;
	}
	if (shift && (awaited & B_PERIODIC)) {
		uint64_t tick = (uint64_t)(periods_at(now, shift) + 1) << shift;

		next = (int64_t)min_u64((uint64_t)next, ticks_to_ns(tick, CRYSTAL_HZ));
	}
	return next;
}

/* The line and the timer follow the state. */
static void rtc_update(struct rtc *rtc)
{
	int64_t now = chain_ns(rtc);
	int64_t next = next_interrupt(rtc, now);

	irq_line_set(&rtc->irq, requests(rtc));
	if (next == INT64_MAX)
		vtimer_cancel(&rtc->timer);
	else
		vtimer_arm(&rtc->timer, vmclock_now_ns(rtc->clock) + (uint64_t)(next - now));
}

static void timer_expired(void *context)
{
	struct rtc *rtc = context;

	pthread_mutex_lock(rtc->lock);
	catch_up(rtc);
	rtc_update(rtc);
	pthread_mutex_unlock(rtc->lock);
}

/* ---- registers ---- */

static bool is_update_near(const struct rtc *rtc)
{
	return !is_stopped(rtc) && chain_ns(rtc) % SECOND_NS >= SECOND_NS - UPDATE_WARNING_NS;
}

static uint8_t read_c(struct rtc *rtc)
{
	uint8_t value;

	catch_up(rtc);
	value = rtc->state.cmos[REG_C] | (requests(rtc) ? C_REQUEST : 0);
	rtc->state.cmos[REG_C] = 0;
	rtc_update(rtc);
	return value;
}

static uint8_t read_register(struct rtc *rtc, uint8_t index)
{
	if (is_time_register(index) && !is_stopped(rtc))
		hold_time(rtc);
	switch (index) {
	case REG_A:
		return rtc->state.cmos[REG_A] | (is_update_near(rtc) ? A_UPDATING : 0);
	case REG_C:
		return read_c(rtc);
	case REG_D:
		return D_BATTERY_IS_GOOD;
	default:
		return rtc->state.cmos[index];
	}
}

/* The chain starts anew: its next second begins in half a second. */
static void restart_divider(struct rtc *rtc)
{
	int64_t late = DIVIDER_START_NS - chain_ns(rtc) % SECOND_NS;

	rtc->state.phase_ns = (rtc->state.phase_ns + late + SECOND_NS) % SECOND_NS;
	rtc->state.looked_at_ns = chain_ns(rtc);
}

/* Registers A and B stop time and let it go. */
static void write_control(struct rtc *rtc, uint8_t index, uint8_t value)
{
	bool was_stopped = is_stopped(rtc);
	bool was_reset = is_divider_reset(rtc);

	if (!was_stopped)
		hold_time(rtc); /* in the format it had so far */
	rtc->state.cmos[index] = value;
	if (was_reset && !is_divider_reset(rtc))
		restart_divider(rtc);
	if (was_stopped && !is_stopped(rtc))
		release_time(rtc);
}

static void write_time(struct rtc *rtc, uint8_t index, uint8_t value)
{
	if (is_stopped(rtc)) {
		rtc->state.cmos[index] = value;
		return;
	}
	hold_time(rtc);
	rtc->state.cmos[index] = value;
	release_time(rtc);
}

static void write_register(struct rtc *rtc, uint8_t index, uint8_t value)
{
	catch_up(rtc);
	if (is_time_register(index)) {
		write_time(rtc, index, value);
	} else if (index == REG_A) {
		write_control(rtc, REG_A, value & (uint8_t)~A_UPDATING);
	} else if (index == REG_B) {
		/* Setting the clock disables the update interrupt. */
		write_control(rtc, REG_B, value & B_SET ? value & (uint8_t)~B_UPDATE : value);
	} else if (index != REG_C && index != REG_D) {
		rtc->state.cmos[index] = value;
	}
	rtc_update(rtc);
}

/* @offset: 0 the index, 1 the data */
static uint8_t rtc_read_byte(void *device, uint64_t offset)
{
	struct rtc *rtc = device;

	if (!offset)
		return 0xff; /* the index is write-only */
	return read_register(rtc, rtc->state.index % RTC_CMOS_BYTES);
}

static void rtc_write_byte(void *device, uint64_t offset, uint8_t value)
{
	struct rtc *rtc = device;

	if (!offset)
		rtc->state.index = value & INDEX_FIELD;
	else
		write_register(rtc, rtc->state.index % RTC_CMOS_BYTES, value);
}

static uint64_t rtc_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, rtc_read_byte);
}

static void rtc_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, rtc_write_byte);
}

const struct bus_ops rtc_ops = { .read = rtc_read, .write = rtc_write };

/* ---- life ---- */

static void store(struct rtc *rtc, uint8_t index, uint32_t bytes, uint64_t value)
{
	value = min_u64(value, (UINT64_C(1) << 8 * bytes) - 1);
	for (uint32_t i = 0; i < bytes; i++)
		rtc->state.cmos[index + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t amount_above(uint64_t bytes, uint64_t base)
{
	return bytes > base ? bytes - base : 0;
}

static void store_memory_size(struct rtc *rtc, const struct rtc_memory *memory)
{
	enum { KIB = 1 << 10, BLOCK = 64 << 10, MIB = 1 << 20, MIB_16 = 16 << 20, BASE_KIB = 640 };
	uint64_t extended_kib = amount_above(memory->below_4g_bytes, MIB) / KIB;

	store(rtc, REG_BASE_KIB, 2, BASE_KIB);
	store(rtc, REG_EXTENDED_KIB, 2, extended_kib);
	store(rtc, REG_EXTENDED_KIB_AGAIN, 2, extended_kib);
	store(rtc, REG_ABOVE_16M, 2, amount_above(memory->below_4g_bytes, MIB_16) / BLOCK);
	store(rtc, REG_ABOVE_4G, 3, memory->above_4g_bytes / BLOCK);
}

int rtc_create(struct rtc *rtc, struct loop *loop, const struct vmclock *clock,
	       pthread_mutex_t *lock, const struct irq_line *irq, const struct rtc_memory *memory)
{
	int err;

	*rtc = (struct rtc){
		.irq = *irq, .clock = clock, .lock = lock, .realtime_ns = host_realtime_ns
	};
	err = vtimer_create(&rtc->timer, loop, clock, timer_expired, rtc);
	if (err)
		return err;
	rtc->state.cmos[REG_A] = A_DIVIDER_RUNS | A_RATE_1024_HZ;
	rtc->state.cmos[REG_B] = B_24_HOURS;
	rtc->state.looked_at_ns = chain_ns(rtc);
	store_memory_size(rtc, memory);
	rtc_reset(rtc);
	return 0;
}

void rtc_destroy(struct rtc *rtc)
{
	vtimer_destroy(&rtc->timer);
}

void rtc_reset(struct rtc *rtc)
{
	rtc->state.cmos[REG_B] &= (uint8_t) ~(B_INTERRUPTS | B_SQUARE_WAVE);
	rtc->state.cmos[REG_C] = 0;
	rtc->state.index = 0;
	rtc_resume(rtc);
}

void rtc_resume(struct rtc *rtc)
{
	catch_up(rtc);
	rtc_update(rtc);
}
