/*
 * Whether, and after how long, a VM that ended is started again. Pure: time comes from the caller.
 *
 * The first restart comes after a second, each further one after twice as long, up to a minute. A VM
 * that was up for a minute begins anew.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/ending.h"

enum {
	RESTART_DELAY_MIN_MS = 1000,
	RESTART_DELAY_MAX_MS = 60 * 1000,
	RESTART_SETTLED_MS = 60 * 1000,
};

enum restart_policy { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_POLICIES };

/* The names in a VM's document. */
extern const char *const restart_policy_names[RESTART_POLICIES];

/* What bhvm's exit status means. */
enum {
	BHVM_POWERED_OFF = 0,
	BHVM_FAILED = 1,
	BHVM_USER_MISTAKE = 2, /* the document, or a file that it names */
};

/* Zero-initialised: hasn't failed yet. */
struct restart {
	uint32_t delay_ms; /* of the latest restart; 0: none since the VM settled */
	uint32_t nr_restarts;
};

/**
 * restart_decide() - what to do after an ending that nobody asked for
 * @up_ms:    how long the process ran
 * @delay_ms: when to start it again, from now
 *
 * Returns whether to start it again. What a person has to put right never is.
 */
bool restart_decide(struct restart *restart, enum restart_policy policy,
		    const struct ending *ending, uint64_t up_ms, uint32_t *delay_ms);
