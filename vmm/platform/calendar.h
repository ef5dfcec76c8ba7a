/*
 * Dates of the Gregorian calendar to and from seconds since 1970. No time zones, no leap seconds,
 * no tables from the host's file system.
 */
#pragma once

#include <stdint.h>

enum { SECONDS_PER_DAY = 86400 };

struct calendar {
	int64_t year;
	int32_t month;	 /* 1-12 */
	int32_t day;	 /* 1-31 */
	int32_t weekday; /* 0 is Sunday */
	int32_t hour, minute, second;
};

struct calendar calendar_from_seconds(int64_t seconds);

/*
 * Any @month is taken modulo a year, and fields that are too large carry over, so that every bit
 * pattern a guest can write is some date. The weekday is ignored.
 */
int64_t calendar_to_seconds(const struct calendar *date);
