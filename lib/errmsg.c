/*
 * Why something failed: see errmsg.h for the rules.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/errmsg.h"

static int record(struct errmsg *why, enum errmsg_blame blame, int err, const char *format,
		  va_list args)
{
	if (why->blame == BLAME_NOBODY) {
		why->blame = blame;
		vsnprintf(why->text, sizeof(why->text), format, args);
	}
	return err;
}

int errmsg_user(struct errmsg *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err = record(why, BLAME_USER, err, format, args);
	va_end(args);
	return err;
}

int errmsg_system(struct errmsg *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err = record(why, BLAME_SYSTEM, err, format, args);
	va_end(args);
	return err;
}
