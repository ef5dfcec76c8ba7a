/*
 * Dates to and from seconds: see calendar.h.
 *
 * Years are counted from March here, so that a leap day is the last of its year and months before it have the same
 * lengths every year. The pattern of years repeats every 400 of them, an era.
 */
#include "vmm/platform/calendar.h"

enum {
	YEARS_PER_ERA = 400,
	DAYS_PER_ERA = 146097,
	DAYS_PER_CENTURY = 36524, /* and one more in an era's last */
	DAYS_PER_4_YEARS = 1461,
	DAYS_PER_YEAR = 365,
	DAYS_TO_1970 = 719468, /* from 1 March of year 0 */
	WEEKDAY_1970 = 4,      /* a Thursday */
	MARCH = 3,
};

static int64_t floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days from 1 March to the first of the month that is @months later: 31, 61, 92, 122, 153, ... */
static int64_t days_before_month(int64_t months)
{
	return (153 * months + 2) / 5;
}

int64_t calendar_to_seconds(const struct calendar *date)
{
	int64_t months = ((date->month - MARCH) % 12 + 12) % 12; /* since March */
	int64_t year = date->year - (months >= 10); /* January, February: last year's */
	int64_t era = floor_divide(year, YEARS_PER_ERA);
	int64_t of_era = year - era * YEARS_PER_ERA;
	int64_t days = era * DAYS_PER_ERA + of_era * DAYS_PER_YEAR + of_era / 4 - of_era / 100 +
		       days_before_month(months) + date->day - 1 - DAYS_TO_1970;

	return ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* The year of an era that its day @day falls in. Without its leap days every year has 365. */
static int64_t year_of_era(int64_t day)
{
	int64_t leap_days =
		day / (DAYS_PER_4_YEARS - 1) - day / DAYS_PER_CENTURY + day / (DAYS_PER_ERA - 1);

	return (day - leap_days) / DAYS_PER_YEAR;
}

struct calendar calendar_from_seconds(int64_t seconds)
{
	int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
	int64_t of_day = seconds - days * SECONDS_PER_DAY;
	int64_t era = floor_divide(days + DAYS_TO_1970, DAYS_PER_ERA);
	int64_t of_era = days + DAYS_TO_1970 - era * DAYS_PER_ERA;
	int64_t year = year_of_era(of_era);
	int64_t of_year = of_era - (year * DAYS_PER_YEAR + year / 4 - year / 100);
	int64_t months = (5 * of_year + 2) / 153; /* the inverse of days_before_month() */

	return (struct calendar){
		.year = era * YEARS_PER_ERA + year + (months >= 10),
		.month = (int32_t)((months + MARCH - 1) % 12 + 1),
		.day = (int32_t)(of_year - days_before_month(months) + 1),
		.weekday = (int32_t)(((days + WEEKDAY_1970) % 7 + 7) % 7),
		.hour = (int32_t)(of_day / 3600),
		.minute = (int32_t)(of_day / 60 % 60),
		.second = (int32_t)(of_day % 60),
	};
}
