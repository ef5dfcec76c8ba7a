/*
 * bhd itself: the loop and all that hangs on it.
 */
#pragma once

#include <stdbool.h>

#include "base/loop.h"
#include "base/wakeup.h"
#include "host/shell.h"
#include "host/options.h"
#include "host/shutdown.h"
#include "host/status.h"
#include "host/timers.h"
#include "host/vm_list.h"
#include "lib/compiler.h"
#include "lib/errmsg.h"

struct daemon {
	const struct options *options;
	struct loop loop;
	struct timers timers;
	struct vm_host host; /* its context is this daemon */
	struct vm_list list;
	struct wakeup child_wakeup; /* SIGCHLD */
	struct wakeup quit_wakeup;  /* SIGTERM, SIGINT */
	struct shell shell;
	bool is_loading; /* the documents that were there at the start */
	struct status status;
	struct shutdown shutdown;
};

/* Returns 0 when all VMs are down because somebody asked for it; -errno with @why. */
MUST_CHECK int daemon_run(struct daemon *daemon, const struct options *options, struct errmsg *why);
