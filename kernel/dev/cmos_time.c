/*
 * A date from the battery clock's registers: see cmos.h. Pure.
 */
#include "kernel/dev/cmos.h"

enum { PM = 0x80, S_PER_DAY = 86400 };

static uint32_t number(const struct cmos_time *time, uint8_t value)
{
	return time->is_binary ? value : (uint32_t)((value >> 4) * 10 + (value & 0xf));
}

static uint32_t hour_of(const struct cmos_time *time)
{
	uint32_t hour = number(time, time->is_24_hours ? time->hour : time->hour & (uint8_t)~PM);

	if (time->is_24_hours)
		return hour;
	return hour % 12 + (time->hour & PM ? 12 : 0);
}

static uint32_t year_of(const struct cmos_time *time)
{
	uint32_t year = number(time, time->year), century = number(time, time->century);

	if (time->century && century >= 19 && century <= 29)
		return century * 100 + year;
	return year >= 70 ? 1900 + year : 2000 + year;
}

/* Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the odd day is their last. */
static uint64_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
	uint32_t from_march = (month + 9) % 12;
	uint64_t years = month <= 2 ? year - 1 : year;
	uint64_t days = years * 365 + years / 4 - years / 100 + years / 400;

	return days + (from_march * 153 + 2) / 5 + day - 1 - 719468;
}

uint64_t cmos_time_to_s(const struct cmos_time *time)
{
	uint32_t second = number(time, time->second), minute = number(time, time->minute);
	uint32_t hour = hour_of(time), day = number(time, time->day),
		 month = number(time, time->month);
	uint32_t year = year_of(time);

	if (second > 60 || minute > 59 || hour > 23 || !day || day > 31 || !month || month > 12 ||
	    year < 1970)
		return 0;
	return days_since_1970(year, month, day) * S_PER_DAY + hour * 3600 + minute * 60 + second;
}
