/*
 * What a guest asks of its machine as a whole: power off, or reset.
 *
 * A device passes the wish on; the monitor's main thread carries it out some time later. The vCPU that
 * asked is held meanwhile. Context: the holder of vm->lock.
 */
#pragma once

enum power_wish {
	POWER_WISH_OFF,
	POWER_WISH_RESET,
};

struct power_sink {
	void (*wish)(void *context, enum power_wish wish);
	void *context;
};

static inline void power_wish(const struct power_sink *sink, enum power_wish wish)
{
	if (sink->wish)
		sink->wish(sink->context, wish);
}
