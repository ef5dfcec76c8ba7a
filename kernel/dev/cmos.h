/*
 * The battery clock: what time it is where this machine stands, once, at boot. Taken as UTC.
 */
#pragma once

#include "lib/compiler.h"

/* What the registers hold, as they are: MC146818A, "Time, Calendar, and Alarm Locations". */
struct cmos_time {
	uint8_t second, minute, hour, day, month, year;
	uint8_t century; /* 0: no such register */
	bool is_binary;	 /* else BCD */
	bool is_24_hours;
};

/* Seconds since 1970; 0 where the registers hold no date. Pure. */
uint64_t cmos_time_to_s(const struct cmos_time *time);

/* Reads the clock. @century_register: where the firmware says, 0: nowhere. Bounded, some ms. */
uint64_t cmos_read_s(uint8_t century_register);
