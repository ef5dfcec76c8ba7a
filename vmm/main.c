/*
 * bhvm: runs one virtual machine. Options in, exit status out:
 *
 *   0  the guest powered off, or somebody asked bhvm to quit
 *   1  it could not go on: the machine beneath can't, or the guest's processor stopped for good
 *   2  what bhvm was asked to run is wrong: one line says which file, key or option, and why
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/wakeup.h"
#include "vmm/control.h"
#include "vmm/options.h"
#include "vmm/sandbox.h"
#include "vmm/vm.h"

enum { STATUS_FAILED = 1, STATUS_USER_MISTAKE = 2 };

static struct wakeup quit_wakeup;

static void on_quit_signal(int signal UNUSED)
{
	int saved = errno;

	wakeup_raise(&quit_wakeup);
	errno = saved;
}

/* A vanished reader must not kill a VM. */
static void ignore_broken_pipes(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
}

/* A polite request to end is carried out by the main loop. */
static void handle_signals(void)
{
	const struct sigaction quit = { .sa_handler = on_quit_signal };

	sigaction(SIGTERM, &quit, NULL);
	sigaction(SIGINT, &quit, NULL);
}

static void on_quit_wanted(void *context)
{
	vm_quit(context);
}

static int report(const struct errmsg *why)
{
	log_error("%s", why->text);
	return why->blame == BLAME_USER ? STATUS_USER_MISTAKE : STATUS_FAILED;
}

static int serve_and_run(struct vm *vm, const struct vm_config *config)
{
	struct api_server *server = NULL;
	struct errmsg why = { 0 };
	enum vm_end end;

	if (config->api_socket &&
	    api_server_open(config->api_socket, &vm->loop, &control_ops, vm, &server, &why))
		return report(&why);
	if (sandbox_enter(SYSCALL_MAIN)) {
		errmsg_system(&why, -EPERM, "the main thread cannot enter its sandbox");
		end = VM_END_FAILED;
	} else {
		control_watch(vm, server);
		end = vm_run(vm, &why);
		control_watch(vm, NULL);
	}
	api_server_close(server);
	if (why.blame != BLAME_NOBODY)
		log_error("%s", why.text);
	return end == VM_END_FINE ? EXIT_SUCCESS : STATUS_FAILED;
}

static int run(const struct vm_config *config)
{
	static struct vm vm; /* large, and there is one */
	struct errmsg why = { 0 };
	int status;

	log_set_prefix("bhvm %s", config->name);
	ignore_broken_pipes();
	vcpu_init_kicks();
	if (sandbox_prepare(&why) || vm_create(config, &vm, &why))
		return report(&why);
	if (wakeup_create(&quit_wakeup, &vm.loop, on_quit_wanted, &vm)) {
		errmsg_system(&why, -EMFILE, "no descriptor left for signals");
		status = report(&why);
	} else {
		handle_signals();
		status = serve_and_run(&vm, config);
		wakeup_destroy(&quit_wakeup);
	}
	vm_destroy(&vm);
	return status;
}

static int answer(const struct options *options)
{
	char *text;

	if (options_answer(options, &text))
		return STATUS_FAILED;
	fputs(text, stdout);
	free(text);
	return fflush(stdout) ? STATUS_FAILED : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	struct errmsg why = { 0 };
	struct options options;
	int status;

	log_set_prefix("bhvm");
	if (options_parse(argc, argv, &options, &why))
		return report(&why);
	status = options.action == OPTIONS_RUN ? run(&options.config) : answer(&options);
	options_destroy(&options);
	return status;
}
