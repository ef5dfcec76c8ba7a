/*
 * Reading the battery clock: see cmos.h.
 */
#include <string.h>

#include "kernel/arch/io.h"
#include "kernel/arch/regs.h"
#include "kernel/dev/cmos.h"

enum {
	CMOS_INDEX = 0x70,
	CMOS_DATA = 0x71,
	NMI_OFF = 0x80, /* while it is read, as ever */

	REGISTER_SECONDS = 0,
	REGISTER_MINUTES = 2,
	REGISTER_HOURS = 4,
	REGISTER_DAY = 7,
	REGISTER_MONTH = 8,
	REGISTER_YEAR = 9,
	REGISTER_A = 10,
	REGISTER_B = 11,
	A_UPDATE_IN_PROGRESS = 0x80,
	B_24_HOURS = 1 << 1,
	B_BINARY = 1 << 2,

	UPDATE_POLLS_MAX = 10000, /* an update takes 2 ms at most; a port read about 1 us */
	TRIES_MAX = 5,
};

static uint8_t read_register(uint8_t index)
{
	out8(CMOS_INDEX, NMI_OFF | index);
	return in8(CMOS_DATA);
}

static void wait_for_update(void)
{
	for (int i = 0; i < UPDATE_POLLS_MAX && (read_register(REGISTER_A) & A_UPDATE_IN_PROGRESS);
	     i++)
		cpu_relax();
}

static struct cmos_time read_time(uint8_t century_register)
{
	struct cmos_time time;
	uint8_t mode;

	memset(&time, 0, sizeof(time)); /* padding too: it is compared */
	wait_for_update();
	mode = read_register(REGISTER_B);
	time.second = read_register(REGISTER_SECONDS);
	time.minute = read_register(REGISTER_MINUTES);
	time.hour = read_register(REGISTER_HOURS);
	time.day = read_register(REGISTER_DAY);
	time.month = read_register(REGISTER_MONTH);
	time.year = read_register(REGISTER_YEAR);
	time.century = century_register ? read_register(century_register & 0x7f) : 0;
	time.is_binary = mode & B_BINARY;
	time.is_24_hours = mode & B_24_HOURS;
	return time;
}

uint64_t cmos_read_s(uint8_t century_register)
{
	struct cmos_time time = read_time(century_register), again;

	/* Twice the same: no update came between the registers. */
	for (int i = 0; i < TRIES_MAX; i++) {
		again = read_time(century_register);
		if (!memcmp(&time, &again, sizeof(time)))
			break;
		time = again;
	}
	out8(CMOS_INDEX, 0); /* NMI open again */
	return cmos_time_to_s(&time);
}
