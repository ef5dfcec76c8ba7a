/*
 * The command line of bhd.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

enum options_action { OPTIONS_RUN, OPTIONS_VERSION, OPTIONS_HELP };

/* Strings are borrowed from the command line. */
struct options {
	enum options_action action;
	const char *vms;
	const char *run_dir;
	const char *bhvm;
	uint32_t stop_timeout_s;
};

/* Returns 0, or -EINVAL with @why: one line that names the option. */
MUST_CHECK int options_parse(int argc, char *const argv[], struct options *out, struct errmsg *why);

void options_print_help(FILE *out);
