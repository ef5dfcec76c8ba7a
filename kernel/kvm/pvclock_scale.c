/*
 * From ticks to nanoseconds, as guests compute it: see pvclock.h.
 */
#include "kernel/kvm/pvclock.h"

#define NS_PER_S UINT64_C(1000000000)

/* With as many bits as the multiplier has: 2^31 <= multiplier < 2^32. */
struct pvclock_scale pvclock_scale_of(uint64_t hz)
{
	uint64_t ns = NS_PER_S;
	int8_t shift = 0;

	for (; ns >= hz; shift++)
		hz <<= 1;
	for (; 2 * ns < hz; shift--)
		ns <<= 1;
	/* ns < 2^32 for every hz below 2^33; a faster counter only loses precision. */
	while (ns >> 32) {
		ns >>= 1;
		hz >>= 1;
	}
	return (struct pvclock_scale){ (uint32_t)((ns << 32) / hz), shift };
}

uint64_t pvclock_scale_ticks(struct pvclock_scale scale, uint64_t ticks)
{
	ticks = scale.shift < 0 ? ticks >> -scale.shift : ticks << scale.shift;
	return (uint64_t)((unsigned __int128)ticks * scale.multiplier >> 32);
}
