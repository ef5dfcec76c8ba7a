/*
 * Programs that this one starts: see process.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/process.h"

enum { READ_BYTES = 4096 };

/* ---- what it prints ---- */

static void pipe_close(struct process_pipe *pipe)
{
	if (pipe->source.fd < 0)
		return;
	loop_remove(pipe->process->all->loop, &pipe->source);
	close(pipe->source.fd);
	pipe->source.fd = -1;
}

/* Returns whether there may be more to read now. */
static bool pipe_read(struct process_pipe *pipe)
{
	struct process *process = pipe->process;
	char bytes[READ_BYTES];
	ssize_t n;

	if (pipe->source.fd < 0)
		return false;
	n = read(pipe->source.fd, bytes, sizeof(bytes));
	if (n > 0) {
		process->ops->output(process->context, (enum process_stream)(pipe - process->pipes),
				     bytes, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (!n || errno != EAGAIN)
		pipe_close(pipe);
	return false;
}

static void pipe_ready(void *context, uint32_t events UNUSED)
{
	(void)pipe_read(context);
}

/* What a child of the process still prints after its end is nobody's business. */
static void pipe_drain(struct process_pipe *pipe)
{
	while (pipe_read(pipe))
		;
	pipe_close(pipe);
}

/* The end that the process writes to leaves through @write_fd. */
static int pipe_open(struct process_pipe *pipe, int *write_fd)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	/* Only our end: a program expects its output to block. */
	if (fcntl(ends[1], F_SETFL, 0) < 0) {
		err = -errno;
		goto err_close;
	}
	pipe->source.fd = ends[0];
	err = loop_add(pipe->process->all->loop, &pipe->source, EPOLLIN);
	if (err) {
		pipe->source.fd = -1;
		goto err_close;
	}
	*write_fd = ends[1];
	return 0;

err_close:
	close(ends[0]);
	close(ends[1]);
	return err;
}

/* ---- start ---- */

static void adopted_ended(void *context, uint32_t events UNUSED)
{
	static const struct ending unseen = { .code = ENDING_UNSEEN };
	struct process *process = context;

	process_abandon(process);
	process->ops->ended(process->context, &unseen);
}

void process_init(struct process *process, struct processes *all, const struct process_ops *ops,
		  void *context)
{
	*process = (struct process){
		.all = all,
		.ops = ops,
		.context = context,
		.adopted = { -1, adopted_ended, process },
	};
	for (int i = 0; i < PROCESS_STREAMS; i++) {
		struct process_pipe *pipe = &process->pipes[i];

		pipe->process = process;
		pipe->source = (struct loop_source){ -1, pipe_ready, pipe };
	}
}

static int spawn_with(const char *const argv[], int input, const int outputs[PROCESS_STREAMS],
		      pid_t *pid)
{
	static char *const no_environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int err;

	err = posix_spawn_file_actions_init(&actions);
	if (err)
		return -err;
	err = posix_spawnattr_init(&attributes);
	if (err)
		goto err_actions;

	err = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, outputs[PROCESS_STDOUT],
						       STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, outputs[PROCESS_STDERR],
						       STDERR_FILENO);
	if (!err)
		err = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	if (!err)
		err = posix_spawn(pid, argv[0], &actions, &attributes, (char *const *)argv,
				  no_environment);

	posix_spawnattr_destroy(&attributes);
err_actions:
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Standard input is a pipe that has ended: unlike /dev/null, it is there before any file system. */
static int spawn(const char *const argv[], const int outputs[PROCESS_STREAMS], pid_t *pid)
{
	int ended[2], err;

	if (pipe2(ended, O_CLOEXEC) < 0)
		return -errno;
	close(ended[1]);
	err = spawn_with(argv, ended[0], outputs, pid);
	close(ended[0]);
	return err;
}

static void processes_add(struct processes *all, struct process *process)
{
	process->next = all->first;
	all->first = process;
}

int process_start(struct process *process, const char *const argv[])
{
	int outputs[PROCESS_STREAMS] = { -1, -1 };
	int err;

	err = pipe_open(&process->pipes[PROCESS_STDOUT], &outputs[PROCESS_STDOUT]);
	if (err)
		return err;
	err = pipe_open(&process->pipes[PROCESS_STDERR], &outputs[PROCESS_STDERR]);
	if (err)
		goto err_stdout;

	err = spawn(argv, outputs, &process->pid);
	close(outputs[PROCESS_STDERR]);
	close(outputs[PROCESS_STDOUT]);
	if (!err) {
		processes_add(process->all, process);
		return 0;
	}
	process->pid = 0;
	pipe_close(&process->pipes[PROCESS_STDERR]);
	pipe_close(&process->pipes[PROCESS_STDOUT]);
	return err;

err_stdout:
	close(outputs[PROCESS_STDOUT]);
	pipe_close(&process->pipes[PROCESS_STDOUT]);
	return err;
}

int process_adopt(struct process *process, pid_t pid)
{
	int fd = pidfd_open(pid, 0), err;

	if (fd < 0)
		return -errno;
	process->adopted.fd = fd;
	err = loop_add(process->all->loop, &process->adopted, EPOLLIN);
	if (err) {
		process->adopted.fd = -1;
		close(fd);
		return err;
	}
	process->pid = pid;
	return 0;
}

void process_abandon(struct process *process)
{
	loop_remove(process->all->loop, &process->adopted);
	close(process->adopted.fd);
	process->adopted.fd = -1;
	process->pid = 0;
}

/* The number of a child is its own until it is waited for; another's may be somebody else's by now. */
void process_signal(const struct process *process, int signal)
{
	if (process->adopted.fd >= 0)
		pidfd_send_signal(process->adopted.fd, signal, NULL, 0);
	else if (process->pid)
		kill(process->pid, signal);
}

/* ---- end ---- */

static struct process *processes_take(struct processes *all, pid_t pid)
{
	for (struct process **link = &all->first; *link; link = &(*link)->next) {
		struct process *process = *link;

		if (process->pid != pid)
			continue;
		*link = process->next;
		return process;
	}
	return NULL; /* an orphan */
}

void processes_reap(struct processes *all)
{
	int wait_status;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		struct process *process = processes_take(all, pid);
		struct ending ending = ending_from_wait(wait_status);

		if (!process)
			continue;
		for (int i = 0; i < PROCESS_STREAMS; i++)
			pipe_drain(&process->pipes[i]);
		process->pid = 0;
		process->ops->ended(process->context, &ending);
	}
}
