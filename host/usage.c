/*
 * What the host has and what a process uses: see usage.h.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "host/usage.h"

enum { FILE_BYTES = 4096 };

/* The file's beginning as a string: empty if it can't be read. */
static const char *read_start(const char *path, char text[FILE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, FILE_BYTES - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* ---- the host ---- */

uint64_t available_bytes_parse(const char *meminfo)
{
	const char *line = strstr(meminfo, "MemAvailable:");

	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

static unsigned count_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 0 : (unsigned)CPU_COUNT(&set);
}

void host_usage_read(struct host_usage *out)
{
	struct sysinfo info = { .mem_unit = 1 };
	char text[FILE_BYTES];

	*out = (struct host_usage){ .nr_cpus = count_cpus() };
	if (uname(&out->names))
		out->names = (struct utsname){ 0 };
	if (sysinfo(&info))
		return;
	out->uptime_s = (uint64_t)info.uptime;
	for (int i = 0; i < 3; i++)
		out->loads[i] = (double)info.loads[i] / (1 << SI_LOAD_SHIFT);
	out->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
	out->available_bytes = available_bytes_parse(read_start("/proc/meminfo", text));
	if (!out->available_bytes)
		out->available_bytes = (uint64_t)(info.freeram + info.bufferram) * info.mem_unit;
}

/* ---- a process ---- */

/* The fields' numbers are those of proc(5); what stands in parentheses may hold spaces and more. */
void process_usage_parse(const char *stat, struct process_usage *out)
{
	enum { STATE = 3, UTIME = 14, STIME = 15, RSS = 24 };
	const char *field = strrchr(stat, ')');
	uint64_t values[RSS + 1] = { 0 };
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);

	*out = (struct process_usage){ 0 };
	for (int i = STATE; field && i <= RSS; i++) {
		field = strchr(field, ' ');
		if (field)
			values[i] = strtoull(++field, NULL, 10);
	}
	if (!field)
		return;
	out->cpu_ms = (values[UTIME] + values[STIME]) * 1000 / ticks_per_s;
	out->resident_bytes = values[RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_usage_read(pid_t pid, struct process_usage *out)
{
	char path[32], text[FILE_BYTES];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	process_usage_parse(read_start(path, text), out);
}
