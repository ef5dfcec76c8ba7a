/*
 * What this host has, and what a process uses of it, as the operating system tells. Where it doesn't, the
 * figure is 0: screens show what there is.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <sys/utsname.h>

struct host_usage {
	struct utsname names;
	unsigned nr_cpus;
	uint64_t uptime_s;
	double loads[3]; /* over 1, 5 and 15 minutes */
	uint64_t memory_bytes, available_bytes;
};

void host_usage_read(struct host_usage *out);

struct process_usage {
	uint64_t cpu_ms;
	uint64_t resident_bytes;
};

void process_usage_read(pid_t pid, struct process_usage *out);

/* The parts of the above that understand text: /proc/PID/stat and /proc/meminfo. */
void process_usage_parse(const char *stat, struct process_usage *out);
uint64_t available_bytes_parse(const char *meminfo);
