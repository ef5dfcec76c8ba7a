/*
 * /proc: see proc.h.
 */
#include <linux/stat.h>
#include <string.h>

#include "kernel/cpu/panic.h"
#include "kernel/fs/node.h"
#include "kernel/fs/proc.h"
#include "kernel/fs/text_file.h"
#include "kernel/mem/frame.h"
#include "kernel/proc/usage.h"

enum { TICKS_PER_S = 100, NS_PER_TICK = 1000000000 / TICKS_PER_S, KIB_PER_PAGE = 4 };

/* --- the machine's --- */

static int fill_meminfo(struct text *text, const struct node *node UNUSED)
{
	struct frame_counts frames;

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

/* --- a process's --- */

/* A process's node has its number. */
static int fill_process_stat(struct text *text, const struct node *node)
{
	struct process_state state;
	int err = process_state_read((uint32_t)(uintptr_t)node->data, &state);

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

/* --- the tree --- */

static int open_process_stat(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	static const struct text_source source = { fill_process_stat };

	return text_file_open(&source, flags, out);
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

static int resolve_entry(struct process *process, const char *name, bool follows, struct node **out)
{
	if (!*name)
		*out = node_create("", S_IFDIR | 0555);
	else if (!strcmp(name, "exe"))
		return resolve_exe(process, follows, out);
	else if (!strcmp(name, "stat"))
		*out = node_create_special(S_IFREG | 0444, open_process_stat,
					   (void *)(uintptr_t)process->pid);
	else
		return strncmp(name, "exe/", 4) != 0 && strncmp(name, "stat/", 5) != 0 ? -ENOENT
										       : -ENOTDIR;
	return *out ? 0 : -ENOMEM;
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
	static const struct text_source meminfo = { fill_meminfo };
	struct node *proc;

	text_file_make("/proc/meminfo", S_IFREG | 0444, &meminfo);
	if (node_find(root_node, "/proc", true, &proc))
		panic("no memory for /proc");
	proc->resolve = resolve;
	node_put(proc);
}
