/*
 * launch [--memory MIB] [--timeout SECONDS] COMMAND...: run a monitor, and time what its guest
 * says.
 *
 * The guest's serial port has to come out of COMMAND's standard output. Lines that begin with
 * `bench: ` are for this program:
 *
 *     bench: mark NAME     NAME's figure is the time since just before COMMAND was executed
 *     bench: NAME VALUE    a figure of the guest's own
 *     bench: idle          take the monitor's memory, a second later, and end
 *     bench: touched N     the same, where the guest has used N bytes, all that it has
 *     bench: end           end; the monitor is killed
 *
 * The first byte of all makes the figure first-byte; it has to be a '+' for that. Figures come out
 * at the end, so that writing them disturbs nothing, as lines `figure NAME VALUE`. Times are in
 * ticks of the TSC. Exit status 1: the guest did not come to its end; what it said is printed.
 *
 * Memory: on Linux, which has /proc/PID/smaps, what of the monitor is resident, without the mapping
 * of MIB, or adjacent ones, that are the guest's own. Elsewhere, once the guest says how much it
 * touched, what the kernel has given out since before the monitor was started, without that: then
 * the kernel's own objects and page tables for it are included.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SAID_BYTES_MAX = 256 * 1024,
	FIGURES_BYTES_MAX = 16 * 1024,
	MAPPINGS_MAX = 1024,
	DEFAULT_GUEST_MIB = 512,
	DEFAULT_TIMEOUT_SECONDS = 120,
};

struct run {
	uint64_t guest_kib;
	int timeout_seconds;
	char **command;

	pid_t pid;
	int output;	 /* of the monitor */
	uint64_t *start; /* shared with the child, who writes it */
	uint64_t free_kib_before;
	time_t deadline;
	bool is_over;

	size_t said_bytes, line_start;
	char said[SAID_BYTES_MAX];
	FILE *figures;
	char figures_text[FIGURES_BYTES_MAX];
};

static uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

static time_t seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void add_figure(struct run *run, const char *name, uint64_t value)
{
	fprintf(run->figures, "figure %s %" PRIu64 "\n", name, value);
}

/* --- memory --- */

struct mapping {
	uint64_t start, end;
	uint64_t rss_kib, pss_kib;
};

static size_t read_mappings(FILE *smaps, struct mapping *mappings, size_t max)
{
	uint64_t start, end, kib;
	size_t count = 0;
	char line[512];

	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			if (count == max)
				break;
			mappings[count++] = (struct mapping){ .start = start, .end = end };
		} else if (count && sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			mappings[count - 1].rss_kib = kib;
		else if (count && sscanf(line, "Pss: %" SCNu64, &kib) == 1)
			mappings[count - 1].pss_kib = kib;
	}
	return count;
}

/* How many mappings from @mappings on have, without a gap, exactly the guest's size. 0: none. */
static size_t guest_at(const struct mapping *mappings, size_t count, uint64_t guest_bytes)
{
	for (size_t i = 0; i < count && (!i || mappings[i].start == mappings[i - 1].end); i++)
		if (mappings[i].end - mappings[0].start == guest_bytes)
			return i + 1;
	return 0;
}

/* Sums up all mappings but the guest's. Returns how often its memory was found. */
static int sum_mappings(const struct mapping *mappings, size_t count, uint64_t guest_bytes,
			struct mapping *sum)
{
	int nr_guests = 0;
	size_t i = 0;

	while (i < count) {
		size_t skip = guest_at(mappings + i, count - i, guest_bytes);

		if (skip) {
			nr_guests++;
			i += skip;
			continue;
		}
		sum->rss_kib += mappings[i].rss_kib;
		sum->pss_kib += mappings[i].pss_kib;
		i++;
	}
	return nr_guests;
}

static void measure_memory(struct run *run)
{
	static struct mapping mappings[MAPPINGS_MAX];
	struct mapping sum = { 0 };
	char path[64];
	size_t count;
	FILE *smaps;
	int nr_guests;

	snprintf(path, sizeof(path), "/proc/%d/smaps", run->pid);
	smaps = fopen(path, "r");
	if (!smaps) {
		if (errno != ENOENT)
			perror(path);
		return;
	}
	count = read_mappings(smaps, mappings, MAPPINGS_MAX);
	fclose(smaps);
	nr_guests = sum_mappings(mappings, count, run->guest_kib << 10, &sum);
	if (nr_guests != 1) {
		printf("launch: the guest's %" PRIu64
		       " KiB were found %d times among the monitor's "
		       "mappings; expected once\n",
		       run->guest_kib, nr_guests);
		return;
	}
	add_figure(run, "memory", sum.pss_kib << 10);
	add_figure(run, "memory.rss", sum.rss_kib << 10);
}

static uint64_t read_free_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemFree: %" SCNu64, &kib) == 1)
			break;
	if (meminfo)
		fclose(meminfo);
	return kib;
}

static bool has_smaps(void)
{
	return !access("/proc/self/smaps", R_OK);
}

static void measure_given_out(struct run *run, uint64_t guest_bytes)
{
	uint64_t taken = (run->free_kib_before - read_free_kib()) << 10;

	if (taken < guest_bytes)
		printf("launch: the guest touched %" PRIu64 " bytes, but only %" PRIu64
		       " were given out\n",
		       guest_bytes, taken);
	else
		add_figure(run, "memory", taken - guest_bytes);
}

/* --- what the guest says --- */

static void take_line(struct run *run, const char *line, uint64_t at)
{
	char name[64], value[64];
	uint64_t bytes;

	if (sscanf(line, "bench: mark %63s", name) == 1)
		add_figure(run, name, at - *run->start);
	else if (!strcmp(line, "bench: end"))
		run->is_over = true;
	else if (!strcmp(line, "bench: idle")) {
		sleep(1);
		measure_memory(run);
		run->is_over = true;
	} else if (sscanf(line, "bench: touched %" SCNu64, &bytes) == 1) {
		sleep(1);
		if (has_smaps())
			measure_memory(run);
		else
			measure_given_out(run, bytes);
		run->is_over = true;
	} else if (sscanf(line, "bench: %63s %63s", name, value) == 2)
		fprintf(run->figures, "figure %s %s\n", name, value);
}

static void take_bytes(struct run *run, size_t n, uint64_t at)
{
	if (!run->said_bytes && run->said[0] == '+')
		add_figure(run, "first-byte", at - *run->start);
	run->said_bytes += n;
	for (size_t i = run->said_bytes - n; i < run->said_bytes; i++) {
		if (run->said[i] == '\r')
			run->said[i] = '\0';
		if (run->said[i] != '\n')
			continue;
		run->said[i] = '\0';
		take_line(run, run->said + run->line_start, at);
		run->line_start = i + 1;
	}
}

/* False: there is nothing more to come. */
static bool listen_once(struct run *run)
{
	struct pollfd poll_for = { .fd = run->output, .events = POLLIN };
	size_t room = SAID_BYTES_MAX - run->said_bytes;
	time_t left = run->deadline - seconds();
	ssize_t n;

	if (left <= 0 || !room || poll(&poll_for, 1, (int)left * 1000) <= 0)
		return false;
	n = read(run->output, run->said + run->said_bytes, room);
	if (n > 0)
		take_bytes(run, (size_t)n, now());
	return n > 0;
}

/* --- the monitor --- */

static void become_monitor(struct run *run, int output)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(nothing, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	*run->start = now();
	execvp(run->command[0], run->command);
	perror(run->command[0]);
	_exit(127);
}

static int start_monitor(struct run *run)
{
	int ends[2];

	run->start = mmap(NULL, sizeof(*run->start), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->start == MAP_FAILED || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (!run->pid)
		become_monitor(run, ends[1]);
	close(ends[1]);
	run->output = ends[0];
	return 0;
}

static void print_said(struct run *run)
{
	for (size_t i = 0; i < run->said_bytes; i++)
		putchar(run->said[i] ? run->said[i] : '\n');
	putchar('\n');
}

static int finish(struct run *run)
{
	int status;

	kill(run->pid, SIGKILL);
	waitpid(run->pid, &status, 0);
	fclose(run->figures);
	fputs(run->figures_text, stdout);
	if (run->is_over)
		return EXIT_SUCCESS;
	printf("launch: the guest did not come to its end; the monitor's status is %#x; the guest said:\n",
	       status);
	print_said(run);
	return EXIT_FAILURE;
}

static int usage(void)
{
	fputs("usage: launch [--memory MIB] [--timeout SECONDS] COMMAND...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct run run = { .guest_kib = DEFAULT_GUEST_MIB << 10,
				  .timeout_seconds = DEFAULT_TIMEOUT_SECONDS };
	int err;

	for (argc--, argv++; argc > 1 && !strncmp(*argv, "--", 2); argc -= 2, argv += 2) {
		if (!strcmp(argv[0], "--memory"))
			run.guest_kib = strtoull(argv[1], NULL, 10) << 10;
		else if (!strcmp(argv[0], "--timeout"))
			run.timeout_seconds = atoi(argv[1]);
		else
			return usage();
	}
	if (argc < 1)
		return usage();
	run.command = argv;
	run.deadline = seconds() + run.timeout_seconds;
	run.figures = fmemopen(run.figures_text, sizeof(run.figures_text), "w");
	if (!run.figures)
		return usage();

	/* Resident before the time starts. */
	memset(run.said, 1, sizeof(run.said));
	/* A server's time between two starts; what its kernel does while it is idle is done then. */
	sleep(1);
	run.free_kib_before = read_free_kib();
	err = start_monitor(&run);
	if (err) {
		fprintf(stderr, "launch: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	while (!run.is_over && listen_once(&run))
		;
	return finish(&run);
}
