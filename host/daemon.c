/*
 * bhd itself: see daemon.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "host/daemon.h"

/* ---- signals ---- */

static struct daemon *signalled; /* signal handlers have no context */

static void on_child_signal(int signal UNUSED)
{
	int saved = errno;

	wakeup_raise(&signalled->child_wakeup);
	errno = saved;
}

static void on_quit_signal(int signal UNUSED)
{
	int saved = errno;

	wakeup_raise(&signalled->quit_wakeup);
	errno = saved;
}

static void handle_signals(struct daemon *daemon)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction child = { .sa_handler = on_child_signal };
	const struct sigaction quit = { .sa_handler = on_quit_signal };

	signalled = daemon;
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGTERM, &quit, NULL);
	sigaction(SIGINT, &quit, NULL);
}

/* ---- what happens ---- */

static void child_ended(void *context)
{
	struct daemon *daemon = context;

	processes_reap(&daemon->host.processes);
}

static void quit_wanted(void *context)
{
	struct daemon *daemon = context;

	shell_notice(&daemon->shell, "asked to end: stopping all VMs");
	shutdown_begin(&daemon->shutdown, &daemon->list);
}

static void list_problem(void *context, const char *text)
{
	struct daemon *daemon = context;

	shell_notice(&daemon->shell, "%s", text);
}

static void tell_state(struct daemon *daemon, const struct vm *vm)
{
	uint64_t left_ms = timer_left_ms(&vm->restart_timer, clock_now_ms());
	char next[48] = "";

	if (left_ms)
		snprintf(next, sizeof(next), "; starts again in %u s",
			 (unsigned)(left_ms + 999) / 1000);
	shell_notice(&daemon->shell, "%s: %s%s%s%s", vm->name, vm_state_name(vm->state),
		     vm->why[0] ? ": " : "", vm->why, next);
}

/* The first commands find documents that were looked at. */
static void end_loading(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->list.nr_vms; i++)
		if (daemon->list.vms[i]->state == VM_CHECKING)
			return;
	daemon->is_loading = false;
	shell_finish(&daemon->shell);
}

static void vm_changed(void *context, struct vm *vm, enum vm_state before)
{
	struct daemon *daemon = context;

	/* That a document is being checked, or was found to be good, is no news. */
	if (vm->state != VM_CHECKING && (vm->state != VM_STOPPED || before != VM_CHECKING))
		tell_state(daemon, vm);
	shell_vm_changed(&daemon->shell, vm);
	if (daemon->is_loading && before == VM_CHECKING)
		end_loading(daemon);
}

/* ---- the daemon ---- */

static int make_run_dir(const char *path, struct errmsg *why)
{
	struct stat status;

	if (!mkdir(path, S_IRWXU) || (!stat(path, &status) && S_ISDIR(status.st_mode)))
		return 0;
	return errmsg_user(why, -errno, "--run-dir %s: can't be made: %s", path, strerror(errno));
}

/* Two would start, adopt and stop each other's VMs. The lock goes with this process. */
static int lock_run_dir(const char *path, struct errmsg *why)
{
	char file[VM_SOCKET_PATH_BYTES];
	int fd;

	snprintf(file, sizeof(file), "%s/bhd.lock", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return errmsg_user(why, -errno, "--run-dir %s: bhd.lock can't be made there: %s",
				   path, strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	return errmsg_user(
		why, -errno,
		"--run-dir %s: %s: another bhd runs with it; end that one, or give this one another folder",
		path, strerror(errno));
}

/* Four descriptors for each VM soon are more than programs get by default. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		log_warn("the limit of open files stays low: %s", strerror(errno));
}

static int open_loop(struct daemon *daemon)
{
	int err;

	err = loop_create(&daemon->loop);
	if (err)
		return err;
	err = wakeup_create(&daemon->child_wakeup, &daemon->loop, child_ended, daemon);
	if (err)
		goto err_loop;
	err = wakeup_create(&daemon->quit_wakeup, &daemon->loop, quit_wanted, daemon);
	if (err)
		goto err_child;
	return 0;

err_child:
	wakeup_destroy(&daemon->child_wakeup);
err_loop:
	loop_destroy(&daemon->loop);
	return err;
}

static void close_loop(struct daemon *daemon)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGCHLD, &ignore, NULL);
	wakeup_destroy(&daemon->quit_wakeup);
	wakeup_destroy(&daemon->child_wakeup);
	loop_destroy(&daemon->loop);
}

static int serve(struct daemon *daemon, struct errmsg *why)
{
	int err = vm_list_reload(&daemon->list, why);

	if (!err)
		end_loading(daemon);
	while (!err && !shutdown_is_complete(&daemon->shutdown, &daemon->list)) {
		err = loop_turn(&daemon->loop, timers_timeout_ms(&daemon->timers, clock_now_ms()));
		timers_run(&daemon->timers, clock_now_ms());
	}
	if (err)
		errmsg_system(why, err, "can't wait for events: %s", strerror(-err));
	vm_list_destroy(&daemon->list);
	return err;
}

int daemon_run(struct daemon *daemon, const struct options *options, struct errmsg *why)
{
	int err;

	err = make_run_dir(options->run_dir, why);
	if (!err)
		err = lock_run_dir(options->run_dir, why);
	if (err)
		return err;
	err = open_loop(daemon);
	if (err)
		return errmsg_system(why, err, "can't make an event loop: %s", strerror(-err));
	handle_signals(daemon);
	raise_limits();
	daemon->is_loading = true;

	daemon->options = options;
	daemon->host = (struct vm_host){
		.loop = &daemon->loop,
		.timers = &daemon->timers,
		.processes = { .loop = &daemon->loop },
		.bhvm = options->bhvm,
		.run_dir = options->run_dir,
		.stop_timeout_ms = options->stop_timeout_s * 1000,
		.changed = vm_changed,
		.context = daemon,
	};
	daemon->list = (struct vm_list){
		.host = &daemon->host,
		.folder = options->vms,
		.problem = list_problem,
		.context = daemon,
	};
	err = shell_open(&daemon->shell, daemon);
	if (err) {
		errmsg_system(why, err, "can't serve the console: %s", strerror(-err));
	} else {
		err = serve(daemon, why);
		shell_close(&daemon->shell);
	}
	close_loop(daemon);
	return err;
}
