/*
 * How busy the machine is: see load.h. A sample every five seconds moves each mean by 1 - e^(-5/period).
 */
#include "kernel/cpu/clock.h"
#include "kernel/sched/load.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

#define SAMPLE_NS UINT64_C(5000000000)

/* e^(-5/60), e^(-5/300), e^(-5/900), in 1/65536. */
static const uint64_t decay[LOADS] = { 60296, 64453, 65173 };

static uint64_t means[LOADS]; /* [a] */
static struct timer sample_timer;

static void sample(struct timer *timer)
{
	uint64_t now = (uint64_t)threads_runnable() << LOAD_SHIFT;

	for (int i = 0; i < LOADS; i++)
		__atomic_store_n(&means[i],
				 (means[i] * decay[i] + now * ((1 << LOAD_SHIFT) - decay[i])) >>
					 LOAD_SHIFT,
				 __ATOMIC_RELAXED);
	timer_arm(timer, clock_ns() + SAMPLE_NS);
}

void load_read(uint64_t loads[LOADS])
{
	for (int i = 0; i < LOADS; i++)
		loads[i] = __atomic_load_n(&means[i], __ATOMIC_RELAXED);
}

void load_init(void)
{
	timer_init(&sample_timer, sample);
	timer_arm(&sample_timer, clock_ns() + SAMPLE_NS);
}
