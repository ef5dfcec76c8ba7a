/*
 * run-suite: run the payload suite's topics, one bhvm each, on Linux or on the Bulkhead kernel.
 *
 *   - /guest/topics names them, one per line; /guest/TOPIC.elf is the payload; /bin/bhvm runs it.
 *   - Each line of a case comes out as `guest TOPIC: NAME: VERDICT`. What bhvm says is told as `guest TOPIC: # ...`.
 *   - A payload that falls silent is killed; its case is `not ok`, and a new machine goes on with the next one. The
 *     same where bhvm ends amid a case.
 *   - As the first process it switches the machine off at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SILENCE_MS = 15000, LINE_BYTES = 1024, OUT = 0, ERR = 1 };

static const char *const topics_path = "/guest/topics";

/* A pipe from bhvm, and its unfinished line. */
struct source {
	int fd;
	size_t length;
	char line[LINE_BYTES];
};

/* One topic, over as many machines as it takes. */
struct run {
	const char *topic;
	struct source sources[2];
	int nr_cases; /* -1: not told yet */
	int nr_done;
	bool is_silent;
};

static void report(const struct run *run, const char *text)
{
	printf("guest %s: %s\n", run->topic, text);
	fflush(stdout);
}

static bool is_verdict(const char *line)
{
	const char *verdict = strstr(line, ": ");

	return verdict && (!strcmp(verdict, ": ok") || !strncmp(verdict, ": not ok", 8) ||
			   !strncmp(verdict, ": skip", 6));
}

static void take_line(struct run *run, int which, const char *line)
{
	char text[LINE_BYTES + 8];

	if (which == OUT && run->nr_cases < 0 && sscanf(line, "cases %d", &run->nr_cases) == 1)
		return;
	if (which == OUT && is_verdict(line)) {
		run->nr_done++;
		report(run, line);
		return;
	}
	snprintf(text, sizeof(text), "# %s", line);
	report(run, text);
}

static void take_bytes(struct run *run, int which, const char *bytes, size_t n)
{
	struct source *source = &run->sources[which];

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\r')
			continue;
		if (bytes[i] != '\n' && source->length < sizeof(source->line) - 1) {
			source->line[source->length++] = bytes[i];
			continue;
		}
		source->line[source->length] = '\0';
		source->length = 0;
		take_line(run, which, source->line);
	}
}

/* Until bhvm has closed both, or has been silent for too long. */
static void listen(struct run *run)
{
	struct pollfd polls[2] = {
		{ .fd = run->sources[OUT].fd, .events = POLLIN },
		{ .fd = run->sources[ERR].fd, .events = POLLIN },
	};
	char bytes[4096];

	while (polls[OUT].fd >= 0 || polls[ERR].fd >= 0) {
		int ready = poll(polls, 2, SILENCE_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0) {
			run->is_silent = true;
			return;
		}
		for (int which = 0; which < 2; which++) {
			ssize_t n;

			if (polls[which].fd < 0 || !polls[which].revents)
				continue;
			n = read(polls[which].fd, bytes, sizeof(bytes));
			if (n > 0)
				take_bytes(run, which, bytes, (size_t)n);
			else
				polls[which].fd = -1;
		}
	}
}

static void become_bhvm(const char *topic, const char *words, int out, int err)
{
	char kernel[128];
	int in = open("/dev/null", O_RDONLY);

	snprintf(kernel, sizeof(kernel), "/guest/%s.elf", topic);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execl("/bin/bhvm", "bhvm", "--kernel", kernel, "--cpus", "4", "--memory", "64M",
	      "--cmdline", words, NULL);
	fprintf(stderr, "/bin/bhvm: %s\n", strerror(errno));
	_exit(127);
}

/* What a case that the machine didn't survive comes to. */
static void bury_case(struct run *run, int status)
{
	struct source *source = &run->sources[OUT];
	char line[2 * LINE_BYTES];
	const char *name = "unknown: ";

	if (source->length) {
		source->line[source->length] = '\0';
		name = source->line;
	}
	if (run->is_silent)
		snprintf(line, sizeof(line), "%snot ok: no end in %d ms", name, SILENCE_MS);
	else
		snprintf(line, sizeof(line), "%snot ok: bhvm has ended with %s %d", name,
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	run->nr_done++;
	report(run, line);
}

/* Runs one machine, from the first case that is still to be done. False: nothing comes of it. */
static bool run_machine(struct run *run)
{
	int out[2], err[2], status = 0, done_before = run->nr_done;
	char words[32];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		return false;
	snprintf(words, sizeof(words), "from=%d", run->nr_done);
	pid = fork();
	if (!pid)
		become_bhvm(run->topic, words, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	run->sources[OUT] = (struct source){ .fd = out[0] };
	run->sources[ERR] = (struct source){ .fd = err[0] };
	run->is_silent = false;
	if (pid > 0) {
		listen(run);
		if (run->is_silent)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(out[0]);
	close(err[0]);
	/* Where a case had said its line, the machine died of what that one left: the next gets a new machine. */
	if (pid > 0 && run->nr_cases >= 0 && run->nr_done < run->nr_cases &&
	    (run->sources[OUT].length || run->nr_done == done_before))
		bury_case(run, status);
	return run->nr_done > done_before;
}

static void run_topic(const char *topic)
{
	struct run run = { .topic = topic, .nr_cases = -1 };
	char line[64];
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (run.nr_cases < 0 || run.nr_done < run.nr_cases)
		if (!run_machine(&run)) {
			report(&run, "topic: not ok: it doesn't run");
			return;
		}
	clock_gettime(CLOCK_MONOTONIC, &end);
	snprintf(line, sizeof(line), "end of %d, %ld ms", run.nr_cases,
		 (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
	report(&run, line);
}

int main(void)
{
	char topic[64];
	FILE *list = fopen(topics_path, "r");

	if (!list) {
		printf("%s: %s\n", topics_path, strerror(errno));
	} else {
		while (fscanf(list, "%63s", topic) == 1)
			run_topic(topic);
		fclose(list);
	}
	printf("guest: done\n");
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
