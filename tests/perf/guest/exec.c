/*
 * A process's life: fork, exec of a static program that ends at once, wait.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/perf/guest/figures.h"
#include "tests/perf/guest/jobs.h"

enum { TIMES = 200 };

static int run_one(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return complain("fork");
	if (!child) {
		execl("/init", "init", EXEC_ARGUMENT, NULL);
		_exit(1);
	}
	if (waitpid(child, &status, 0) < 0)
		return complain("waitpid");
	if (status) {
		errno = ECHILD;
		return complain("the child failed");
	}
	return 0;
}

int job_exec(void)
{
	struct figures lives = { 0 };

	for (int i = 0; i < TIMES; i++) {
		uint64_t start = now();
		int err = run_one();

		if (err)
			return err;
		figures_add(&lives, now() - start);
	}
	figures_say(&lives, "exec");
	return 0;
}
