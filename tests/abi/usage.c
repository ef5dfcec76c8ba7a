/*
 * What processes use and what there is: times, memory, limits, /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/abi/abi.h"

enum { WORK_MS = 60, MEMORY_BYTES = 24 << 20 };

static uint64_t cpu_ms(clockid_t clock)
{
	struct timespec time = { 0 };

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void work(uint64_t ms)
{
	uint64_t start = cpu_ms(CLOCK_THREAD_CPUTIME_ID);

	while (cpu_ms(CLOCK_THREAD_CPUTIME_ID) - start < ms)
		;
}

static uint64_t usage_ms(const struct rusage *usage)
{
	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

static int is_about(uint64_t ms)
{
	return ms >= WORK_MS - 10 && ms < 50 * WORK_MS;
}

static void times_used(void)
{
	struct rusage usage = { 0 };
	uint64_t before;
	pid_t pid;

	work(WORK_MS);
	RESULT(getrusage(RUSAGE_SELF, &usage));
	say("own: %d", is_about(usage_ms(&usage)));
	RESULT(getrusage(RUSAGE_THREAD, &usage));
	say("thread: %d", is_about(usage_ms(&usage)));
	say("clock: %d", is_about(cpu_ms(CLOCK_PROCESS_CPUTIME_ID)));
	RESULT(getrusage(7, &usage));
	RESULT(getrusage(RUSAGE_SELF, BAD_POINTER));

	pid = fork();
	if (!pid) {
		char *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(memory, 1, MEMORY_BYTES);
		work(WORK_MS);
		_exit(0);
	}
	before = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
	wait4(pid, NULL, 0, &usage);
	say("a child's: %d, memory %d", is_about(usage_ms(&usage)),
	    usage.ru_maxrss >= MEMORY_BYTES / 1024 && usage.ru_maxrss < 2 * MEMORY_BYTES / 1024);
	RESULT(getrusage(RUSAGE_CHILDREN, &usage));
	say("children: %d, memory %d", is_about(usage_ms(&usage)),
	    usage.ru_maxrss >= MEMORY_BYTES / 1024);
	say("waiting takes no time: %d", cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - before < WORK_MS);
}

static void clocks(void)
{
	struct timespec pause = { 0, 1000000 };
	struct timeval now;
	time_t seconds = 0;

	RESULT(gettimeofday(&now, NULL));
	say("the same time: %d", labs(time(&seconds) - now.tv_sec) <= 1 && seconds == time(NULL));
	RESULT(nanosleep(&pause, NULL));
	pause.tv_nsec = 1000000000;
	RESULT(nanosleep(&pause, NULL));
	RESULT(nanosleep(BAD_POINTER, NULL));
	say("sleep on a processor's time: %d",
	    clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &pause, NULL));
	say("sleep on no clock: %d", clock_nanosleep(99, 0, &pause, NULL));
}

static void machine(void)
{
	struct sysinfo info = { 0 };
	struct utsname name;
	cpu_set_t cpus;

	RESULT(sysinfo(&info));
	say("uptime %d, memory %d, processes %d", info.uptime >= 0,
	    info.totalram * info.mem_unit > 64 << 20 && info.freeram <= info.totalram,
	    info.procs > 0);
	RESULT(uname(&name));
	say("%s on %s", name.sysname, name.machine);
	CPU_ZERO(&cpus);
	RESULT(sched_getaffinity(0, sizeof(cpus), &cpus));
	say("processors: %d", CPU_COUNT(&cpus) > 0);
	RESULT(sched_getaffinity(0, 1, &cpus));
	RESULT(sched_getaffinity(0x7ffffff, sizeof(cpus), &cpus));
	RESULT(sched_getaffinity(-1, sizeof(cpus), &cpus));
}

static void limits(void)
{
	struct rlimit limit, wrong = { 5, 4 };
	int fds[32], count = 0;

	RESULT(getrlimit(RLIMIT_NOFILE, &limit));
	say("descriptors: %d", limit.rlim_cur >= 64 && limit.rlim_max >= limit.rlim_cur);
	RESULT(getrlimit(99, &limit));
	RESULT(getrlimit(RLIMIT_STACK, &limit));
	say("stack: %lu", (unsigned long)limit.rlim_cur);
	RESULT(setrlimit(RLIMIT_NOFILE, &wrong));
	RESULT(setrlimit(RLIMIT_NOFILE, BAD_POINTER));
	limit = (struct rlimit){ 20, 64 };
	RESULT(setrlimit(RLIMIT_NOFILE, &limit));
	RESULT(getrlimit(RLIMIT_NOFILE, &limit));
	say("now %lu, %lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	while (count < 32 && (fds[count] = dup(1)) >= 0)
		count++;
	result("one too many", -1);
	say("the last: %d", fds[count - 1]);
	RESULT(dup2(1, 20));
	RESULT(fcntl(1, F_DUPFD, 20));
	RESULT(dup2(1, 19));
	while (count--)
		close(fds[count]);
}

/* --- /proc --- */

static const char *read_file(const char *path)
{
	static char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static long field(const char *name)
{
	const char *line = strstr(read_file("/proc/meminfo"), name);

	return line ? atol(line + strlen(name)) : -1;
}

/* The numbers are those of proc(5). */
static long stat_field(const char *path, int number)
{
	const char *at = strrchr(read_file(path), ')');

	for (int i = 2; at && i < number; i++)
		at = strchr(at + 1, ' ');
	return at ? atol(at + 1) : -1;
}

static void proc(void)
{
	char path[64], link[256] = "";
	struct stat stat;
	int fields = 0;
	pid_t pid;
	int fd;

	say("memory: %d", field("MemTotal:") >= field("MemAvailable:") && field("MemFree:") > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)getpid());
	say("own: pid %d, parent %d, group %d, session %d", atoi(read_file(path)) == getpid(),
	    stat_field(path, 4) == getppid(), stat_field(path, 5) == getpgrp(),
	    stat_field(path, 8) == getppid() || stat_field(path, 6) == getsid(0));
	say("state %c, threads %ld, time %d, pages %d", strrchr(read_file(path), ')')[2],
	    stat_field(path, 20),
	    is_about((uint64_t)stat_field(path, 14) * 10 + (uint64_t)stat_field(path, 15) * 10),
	    stat_field(path, 24) > 10);
	for (const char *at = strrchr(read_file(path), ')'); at; at = strchr(at + 1, ' '))
		fields++;
	say("fields: %d", fields + 1);
	say("the same as self: %d", atoi(read_file("/proc/self/stat")) == getpid());
	RESULT(lstat("/proc/self/exe", &stat));
	say("a link: %d", S_ISLNK(stat.st_mode));
	RESULT(fstatat(AT_FDCWD, "/proc/self/exe", &stat, 0));
	say("a program: %d, %d", S_ISREG(stat.st_mode), stat.st_size > 10000);
	say("its path: %d",
	    readlink("/proc/self/exe", link, sizeof(link) - 1) > 1 && !access(link, X_OK));
	prctl(PR_SET_NAME, "a new (name");
	say("name: %.13s", strchr(read_file("/proc/self/stat"), '('));
	RESULT(open("/proc/self/none", O_RDONLY));
	RESULT(open("/proc/7ffffff/stat", O_RDONLY));
	RESULT(open("/proc/99999999/stat", O_RDONLY));
	RESULT(open("/proc/self/stat/x", O_RDONLY));

	pid = fork();
	if (!pid)
		_exit(0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (strrchr(read_file(path), ')')[2] != 'Z')
		sleep_ms(1);
	say("who has ended: %c", strrchr(read_file(path), ')')[2]);
	fd = open(path, O_RDONLY);
	waitpid(pid, NULL, 0);
	RESULT(read(fd, link, sizeof(link)));
	close(fd);
	RESULT(open(path, O_RDONLY));
}

void group_usage(void)
{
	times_used();
	clocks();
	machine();
	proc();
	limits(); /* for good */
}
