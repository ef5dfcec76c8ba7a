/*
 * A one-shot timer on the VM's clock. Costs nothing while disarmed.
 *
 *   - vtimer_arm() and vtimer_cancel() may be called by any thread that holds vm->lock.
 *   - The callback runs on the loop's thread, without vm->lock: it takes the lock itself and then looks
 *     whether its deadline is still due, since it may have been rearmed meanwhile.
 *   - While the clock is frozen an armed timer keeps its deadline; call vtimer_refresh() after the thaw.
 */
#pragma once

#include <stdint.h>

#include "base/loop.h"
#include "vmm/vmclock.h"

#define VTIMER_NEVER UINT64_MAX

struct vtimer {
	struct loop_source source;
	struct loop *loop;	     /* borrowed */
	const struct vmclock *clock; /* borrowed */
	void (*expired)(void *context);
	void *context;
	uint64_t deadline_ns; /* [L] on the VM's clock; VTIMER_NEVER when disarmed */
};

MUST_CHECK int vtimer_create(struct vtimer *timer, struct loop *loop, const struct vmclock *clock,
			     void (*expired)(void *context), void *context);
void vtimer_destroy(struct vtimer *timer);

void vtimer_arm(struct vtimer *timer, uint64_t deadline_ns);
void vtimer_cancel(struct vtimer *timer);
void vtimer_refresh(struct vtimer *timer);
