/*
 * bhd: the host daemon. Exit status:
 *
 *   0  somebody asked it to end, and all VMs are down
 *   1  it could not go on: the machine beneath can't
 *   2  an option, or a folder that it names, is wrong: one line says which, and why
 */
#include <stdlib.h>

#include "base/json_text.h"
#include "base/log.h"
#include "base/version.h"
#include "host/daemon.h"

enum { STATUS_FAILED = 1, STATUS_USER_MISTAKE = 2 };

static int report(const struct errmsg *why)
{
	log_error("%s", why->text);
	return why->blame == BLAME_USER ? STATUS_USER_MISTAKE : STATUS_FAILED;
}

static int run(const struct options *options)
{
	static struct daemon daemon; /* large, and there is one */
	struct errmsg why = { 0 };
	int status = EXIT_SUCCESS;

	json_text_seed();
	if (daemon_run(&daemon, options, &why))
		status = report(&why);
	shutdown_power_off();
	return status;
}

int main(int argc, char *argv[])
{
	struct errmsg why = { 0 };
	struct options options;

	log_set_prefix("bhd");
	if (options_parse(argc, argv, &options, &why))
		return report(&why);

	switch (options.action) {
	case OPTIONS_RUN:
		return run(&options);
	case OPTIONS_VERSION:
		printf("bhd %s\n", BULKHEAD_VERSION);
		break;
	case OPTIONS_HELP:
		options_print_help(stdout);
		break;
	}
	return fflush(stdout) ? STATUS_FAILED : EXIT_SUCCESS;
}
