/*
 * The first process of the benchmark's guest. Does the jobs that the kernel's command line names,
 * like bench=touch,exec (the kernel hands it on as a variable), and says `bench: end`. Without any,
 * says `bench: mark first-process`, then `bench: idle`, and sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/perf/guest/figures.h"
#include "tests/perf/guest/jobs.h"

static const struct job {
	const char *name;
	int (*run)(void);
} jobs[] = {
	{ "touch", job_touch }, { "exec", job_exec }, { "blk", job_blk },
	{ "tcp", job_tcp },	{ "peer", job_peer },
};

static int load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		err = complain(path);
	if (fd >= 0)
		close(fd);
	return err;
}

static int load_modules(void)
{
	FILE *list = fopen("/lib/modules/load-order", "re");
	char path[256];
	int err = 0;

	if (!list)
		return complain("/lib/modules/load-order");
	while (!err && fgets(path, sizeof(path), list)) {
		path[strcspn(path, "\n")] = '\0';
		err = load_module(path);
	}
	fclose(list);
	return err;
}

static int run_job(const char *name)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(*jobs); i++)
		if (!strcmp(jobs[i].name, name))
			return jobs[i].run();
	printf("bench-guest: %s: no such job\n", name);
	return -EINVAL;
}

static int run_jobs(char *names)
{
	char *name;
	int err = 0;

	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0)
		return complain("/dev");
	err = load_modules();
	while (!err && (name = strsep(&names, ",")))
		err = run_job(name);
	return err;
}

int main(int argc, char **argv)
{
	char *names;

	if (argc == 2 && !strcmp(argv[1], EXEC_ARGUMENT))
		return EXIT_SUCCESS;
	setvbuf(stdout, NULL, _IOLBF, 0);
	names = getenv("bench");
	if (!names)
		puts("bench: mark first-process\nbench: idle");
	else if (!run_jobs(names))
		puts("bench: end");
	for (;;)
		sleep(1000);
}
