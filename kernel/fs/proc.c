/*
 * /proc: see proc.h.
 */
#include <errno.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/fs/node.h"
#include "kernel/fs/proc.h"
#include "kernel/fs/text_file.h"
#include "kernel/mem/frame.h"
#include "kernel/proc/usage.h"
#include "kernel/sched/load.h"
#include "lib/format.h"

enum { TICKS_PER_S = 100, NS_PER_TICK = 1000000000 / TICKS_PER_S, KIB_PER_PAGE = 4 };

/* --- the machine's --- */

static int fill_meminfo(struct text *text, uint64_t argument)
{
	struct frame_counts frames;

	(void)argument;
	frame_count(&frames);
	text_add(text, "MemTotal:       %8lu kB\n", frames.total * KIB_PER_PAGE);
	text_add(text, "MemFree:        %8lu kB\n", frames.free * KIB_PER_PAGE);
	/* There is no cache of anything that could be dropped. */
	text_add(text, "MemAvailable:   %8lu kB\n", frames.free * KIB_PER_PAGE);
	text_add(text, "Buffers:        %8u kB\n", 0);
	text_add(text, "Cached:         %8u kB\n", 0);
	text_add(text, "SwapTotal:      %8u kB\n", 0);
	text_add(text, "SwapFree:       %8u kB\n", 0);
	return 0;
}

struct cpu_time {
	uint64_t busy, idle; /* ticks */
};

static struct cpu_time time_of(uint32_t cpu)
{
	uint64_t up_ns = clock_ns(), idle_ns = min_u64(thread_ran_ns(cpus[cpu]->idle), up_ns);

	return (struct cpu_time){ (up_ns - idle_ns) / NS_PER_TICK, idle_ns / NS_PER_TICK };
}

static void add_cpu_line(struct text *text, const char *name, const struct cpu_time *time)
{
	text_add(text, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name, time->busy, time->idle);
}

static int fill_stat(struct text *text, uint64_t argument)
{
	struct cpu_time sum = { 0 };
	char name[16];

	(void)argument;
	for (uint32_t i = 0; i < nr_cpus; i++) {
		struct cpu_time time = time_of(i);

		sum.busy += time.busy;
		sum.idle += time.idle;
	}
	add_cpu_line(text, "cpu ", &sum);
	for (uint32_t i = 0; i < nr_cpus; i++) {
		struct cpu_time time = time_of(i);

		format_text(name, sizeof(name), "cpu%u", i);
		add_cpu_line(text, name, &time);
	}
	text_add(text, "btime %lu\n", clock_boot_time_s());
	text_add(text, "processes %u\n", thread_last_number());
	text_add(text, "procs_running %u\n", load_running());
	text_add(text, "procs_blocked 0\n");
	return 0;
}

/* In hundredths of a second, as proc(5) has it. */
static void add_seconds(struct text *text, uint64_t ns)
{
	text_add(text, "%lu.%02lu", ns / UINT64_C(1000000000),
		 ns % UINT64_C(1000000000) / NS_PER_TICK);
}

static int fill_uptime(struct text *text, uint64_t argument)
{
	uint64_t idle_ns = 0;

	(void)argument;
	for (uint32_t i = 0; i < nr_cpus; i++)
		idle_ns += thread_ran_ns(cpus[i]->idle);
	add_seconds(text, clock_ns());
	text_add(text, " ");
	add_seconds(text, idle_ns);
	text_add(text, "\n");
	return 0;
}

static int fill_loadavg(struct text *text, uint64_t argument)
{
	uint64_t loads[LOADS];

	(void)argument;
	load_read(loads);
	for (int i = 0; i < LOADS; i++)
		text_add(text, "%lu.%02lu ", loads[i] >> LOAD_SHIFT,
			 ((loads[i] & ((1 << LOAD_SHIFT) - 1)) * 100) >> LOAD_SHIFT);
	text_add(text, "%u/%u %u\n", load_running(), process_count(), thread_last_number());
	return 0;
}

static int fill_cmdline(struct text *text, uint64_t argument)
{
	(void)argument;
	text_add(text, "%s\n", bootinfo.cmdline);
	return 0;
}

/* --- a process's --- */

static int fill_process_stat(struct text *text, uint64_t pid)
{
	struct process_state state;
	int err = process_state_read((uint32_t)pid, &state);

	if (err)
		return err;
	text_add(text, "%u (%s) %c %u %u %u 0 -1 0 0 0 0 0 %lu 0 %lu 0 20 0 %u 0 %lu %lu %lu ",
		 state.pid, state.name, state.letter, state.parent, state.group, state.session,
		 state.usage.ran_ns / NS_PER_TICK, state.children.ran_ns / NS_PER_TICK,
		 state.nr_threads, state.started_ns / NS_PER_TICK, state.virtual_bytes,
		 state.nr_pages);
	text_add(text,
		 "18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

static int fill_process_statm(struct text *text, uint64_t pid)
{
	struct process_state state;
	int err = process_state_read((uint32_t)pid, &state);

	if (!err)
		text_add(text, "%lu %lu 0 0 0 %lu 0\n", state.virtual_bytes / PAGE_BYTES,
			 state.nr_pages, state.virtual_bytes / PAGE_BYTES);
	return err;
}

static int fill_process_comm(struct text *text, uint64_t pid)
{
	struct process_state state;
	int err = process_state_read((uint32_t)pid, &state);

	if (!err)
		text_add(text, "%s\n", state.name);
	return err;
}

/* --- the tree --- */

static const struct proc_file {
	const char *name;
	int (*fill)(struct text *text, uint64_t argument);
} machine_files[] = {
	{ "/proc/meminfo", fill_meminfo }, { "/proc/stat", fill_stat },
	{ "/proc/uptime", fill_uptime },   { "/proc/loadavg", fill_loadavg },
	{ "/proc/cmdline", fill_cmdline },
}, process_files[] = {
	{ "stat", fill_process_stat },
	{ "statm", fill_process_statm },
	{ "comm", fill_process_comm },
};

static int open_file(const struct proc_file *kind, uint64_t argument, uint32_t flags,
		     struct file **out)
{
	const struct text_source source = { kind->fill, argument, S_IFREG | 0444 };

	*out = text_file_create(&source, flags);
	return *out ? 0 : -ENOMEM;
}

static int open_machine_file(struct node *node, uint32_t flags, struct file **out)
{
	return open_file(node->data, 0, flags, out);
}

/* A process's node says by its number whose it is: there is a kind of node for each file. */
static int open_process_file(struct node *node, uint32_t flags, struct file **out)
{
	const struct proc_file *kind =
		&process_files[(uintptr_t)node->data % ARRAY_SIZE(process_files)];

	return open_file(kind, (uintptr_t)node->data / ARRAY_SIZE(process_files), flags, out);
}

static int resolve_exe(struct process *process, bool follows, struct node **out)
{
	struct node *program = process_program(process);
	char path[NODE_NAME_MAX + 1];
	int err = 0;

	if (!program)
		return -ENOENT;
	if (follows) {
		*out = program;
		return 0;
	}
	err = node_path(program, path, sizeof(path));
	node_put(program);
	if (err)
		return err;
	*out = node_create_link(path);
	return *out ? 0 : -ENOMEM;
}

static bool is_first_part(const char *path, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(path, name, length) && (!path[length] || path[length] == '/');
}

static int resolve_entry(struct process *process, const char *name, bool follows, struct node **out)
{
	if (!*name) {
		*out = node_create("", S_IFDIR | 0555);
		return *out ? 0 : -ENOMEM;
	}
	if (is_first_part(name, "exe"))
		return name[3] ? -ENOTDIR : resolve_exe(process, follows, out);
	for (uint32_t i = 0; i < ARRAY_SIZE(process_files); i++) {
		uintptr_t which = (uintptr_t)process->pid * ARRAY_SIZE(process_files) + i;

		if (!is_first_part(name, process_files[i].name))
			continue;
		if (strchr(name, '/'))
			return -ENOTDIR;
		*out = node_create_special(S_IFREG | 0444, open_process_file, (void *)which);
		return *out ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

/* What @rest, "PID/NAME", begins with; @rest goes on behind it. 0: no process. */
static uint32_t take_pid(const char **rest)
{
	uint64_t pid = 0;

	if (!strncmp(*rest, "self", 4) && ((*rest)[4] == '/' || !(*rest)[4])) {
		*rest += 4;
		pid = current_process()->pid;
	} else {
		while (**rest >= '0' && **rest <= '9' && pid < UINT32_MAX)
			pid = pid * 10 + (uint64_t)(*(*rest)++ - '0');
		if ((**rest && **rest != '/') || pid > UINT32_MAX)
			return 0;
	}
	while (**rest == '/')
		(*rest)++;
	return (uint32_t)pid;
}

static int resolve(const char *rest, bool follows, struct node **out)
{
	uint32_t pid = take_pid(&rest);
	struct process *process = pid ? process_find(pid) : NULL;
	int err;

	if (!process)
		return -ENOENT;
	err = resolve_entry(process, rest, follows, out);
	process_put(process);
	return err;
}

void proc_init(void)
{
	struct node *proc;

	for (uint32_t i = 0; i < ARRAY_SIZE(machine_files); i++)
		node_make_special(machine_files[i].name, S_IFREG | 0444, open_machine_file,
				  &machine_files[i]);
	if (node_find(root_node, "/proc", true, &proc))
		panic("no memory for /proc");
	proc->resolve = resolve;
	node_put(proc);
}
