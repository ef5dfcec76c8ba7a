/*
 * What bhd starts in bhvm's place: it is bhvm, but one whose VM is called `mortal...` is killed as soon as it answers.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TRIES = 60 * 1000, MS = 1000 /* in microseconds */ };

static const char *value_of(int argc, char *argv[], const char *option)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], option))
			return argv[i + 1];
	return NULL;
}

static int answers(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	err = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return !err;
}

static void kill_when_it_answers(pid_t monitor, const char *api_path)
{
	for (int tries = 0; tries < TRIES && !answers(api_path); tries++)
		usleep(MS);
	kill(monitor, SIGKILL);
	_exit(0);
}

int main(int argc, char *argv[])
{
	const char *name = value_of(argc, argv, "--name"),
		   *api_path = value_of(argc, argv, "--api-socket");
	pid_t monitor = getpid();

	/* A socket that the one before has left behind refuses. */
	if (name && api_path && !strncmp(name, "mortal", strlen("mortal")) && !fork())
		kill_when_it_answers(monitor, api_path);
	execv("/bin/bhvm", argv);
	return 127;
}
