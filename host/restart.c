/*
 * Whether and when to start a VM again: see restart.h.
 */
#include "host/restart.h"
#include "lib/compiler.h"

const char *const restart_policy_names[RESTART_POLICIES] = {
	[RESTART_NEVER] = "never",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ALWAYS] = "always",
};

static bool is_wanted(enum restart_policy policy, const struct ending *ending)
{
	if (ending->by_signal)
		return policy != RESTART_NEVER;
	switch (ending->code) {
	case BHVM_POWERED_OFF:
		return policy == RESTART_ALWAYS;
	case BHVM_USER_MISTAKE:
		return false;
	default:
		return policy != RESTART_NEVER;
	}
}

bool restart_decide(struct restart *restart, enum restart_policy policy,
		    const struct ending *ending, uint64_t up_ms, uint32_t *delay_ms)
{
	if (up_ms >= RESTART_SETTLED_MS)
		restart->delay_ms = 0;
	if (!is_wanted(policy, ending))
		return false;

	restart->delay_ms = restart->delay_ms ? (uint32_t)min_u64(restart->delay_ms * 2ull,
								  RESTART_DELAY_MAX_MS)
					      : RESTART_DELAY_MIN_MS;
	restart->nr_restarts++;
	*delay_ms = restart->delay_ms;
	return true;
}
