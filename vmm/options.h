/*
 * The command line of bhvm: what to do, and the machine to do it with.
 *
 * Options that describe the machine become a JSON document of their own, which is laid over the one
 * that --config names and goes through the same checks (config.h). So an option can't accept what a
 * document would refuse, and `--dump-config` shows what came of both.
 */
#pragma once

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "vmm/config.h"

enum options_action {
	OPTIONS_RUN,	 /* run the machine of options->config                */
	OPTIONS_CHECK,	 /* --check: the configuration is good; say so        */
	OPTIONS_DUMP,	 /* --dump-config                                     */
	OPTIONS_VERSION, /* --version                                         */
	OPTIONS_HELP,	 /* --help                                            */
};

struct options {
	enum options_action action;
	struct vm_config config; /* complete, unless the action is VERSION or HELP */
};

/**
 * options_parse() - understand the command line; reads the file of --config
 *
 * Returns 0 (options_destroy() is due), or -errno with @why: one line that names the option.
 */
MUST_CHECK int options_parse(int argc, char *const argv[], struct options *out, struct errmsg *why);
void options_destroy(struct options *options);

/**
 * options_answer() - what to print on standard output for an action other than OPTIONS_RUN
 * @text: to be freed; ends with a newline
 *
 * Returns 0 or -ENOMEM.
 */
MUST_CHECK int options_answer(const struct options *options, char **text);
