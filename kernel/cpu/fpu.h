/*
 * Floating-point and vector registers: the state that XSAVE knows, in its standard format, up to AVX-512.
 *
 * The kernel itself doesn't touch these registers (it is compiled for general registers only), so they always hold the state of
 * the thread that runs, or of the guest that it has loaded. The switch between threads saves and loads (sched/switch.c). Whoever loads
 * anything else puts the running thread's state back before the thread is switched from (thread->on_leave) or returns to ring 3.
 */
#pragma once

#include "lib/compiler.h"

/* An XSAVE area of fpu_bytes(). */
struct fpu;

/* On each CPU: which parts of the state there are. */
void fpu_init_cpu(void);

size_t fpu_bytes(void);
uint64_t fpu_features(void); /* as XCR0 */

/* What of it guest code may use, while that runs: then fpu_features() again, before anything else here is called. */
static inline void fpu_set_xcr0(uint64_t features)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(0), "a"((uint32_t)features), "d"((uint32_t)(features >> 32)));
}

static inline uint64_t fpu_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

/* With the state that a program starts with. NULL for want of memory. */
struct fpu *fpu_create(void);
void fpu_destroy(struct fpu *fpu);

/* The running thread's: in memory and in the registers as a program starts with it. */
void fpu_restart(struct fpu *fpu);

/* Between the registers and memory. */
void fpu_save(struct fpu *fpu);
void fpu_load(const struct fpu *fpu);

/* Are these bytes, from ring 3, fit for fpu_load()? */
bool fpu_is_valid(const struct fpu *fpu);

/* What FXSAVE knows of a saved state, to be read or written: from now on this counts as in use. */
struct _fpstate_64 *fpu_legacy(struct fpu *fpu);

/* Vector register @number, below 16, of a saved state: its lower 16 bytes (@size up to 16) or 32. */
void fpu_get_vector(const struct fpu *fpu, uint32_t number, void *to, uint32_t size);
void fpu_set_vector(struct fpu *fpu, uint32_t number, const void *from, uint32_t size);

/* Makes bytes that came from ring 3 into a state that fpu_load() takes without a fault. */
void fpu_sanitize(struct fpu *fpu);
