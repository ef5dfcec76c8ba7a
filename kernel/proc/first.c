/*
 * The first process: what the machine is there for.
 *
 * Its program is what init=PATH on the kernel's command line says, or the first of a few names that the boot image has. The words
 * behind a lone "--" are its arguments.
 */
#include <asm/fcntl.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/block/disk.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/power.h"
#include "kernel/cpu/smp.h"
#include "kernel/dev/print.h"
#include "kernel/fs/console.h"
#include "kernel/mem/object.h"
#include "kernel/proc/process.h"
#include "lib/format.h"

static const char *const names[] = { "/sbin/init", "/init", "/bin/bhd" };

enum { PATH_MAX_BYTES = 256 };

/* The command line's words, one after the other: returns the length of the next one in @at, which it moves there; 0: no more. */
static size_t next_word(const char **at)
{
	size_t length = 0;

	while (**at == ' ')
		++*at;
	while ((*at)[length] && (*at)[length] != ' ')
		length++;
	return length;
}

static bool is_separator(const char *word, size_t length)
{
	return length == 2 && !strncmp(word, "--", 2);
}

/* What init= says; false: nothing. */
static bool find_option(char path[PATH_MAX_BYTES])
{
	const char *word = bootinfo.cmdline;
	size_t length;

	for (; (length = next_word(&word)) && !is_separator(word, length); word += length) {
		if (length <= 5 || length - 5 >= PATH_MAX_BYTES || strncmp(word, "init=", 5) != 0)
			continue;
		memcpy(path, word + 5, length - 5);
		path[length - 5] = '\0';
		return true;
	}
	return false;
}

static struct node *find_program(char path[PATH_MAX_BYTES])
{
	struct node *node;

	if (find_option(path)) {
		if (!node_find(root_node, path, true, &node))
			return node;
		cannot_go_on(
			"init=%s: expected a program of this name in the boot image, found none; name another, or leave init= out",
			path);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!node_find(root_node, names[i], true, &node)) {
			format_text(path, PATH_MAX_BYTES, "%s", names[i]);
			return node;
		}
	cannot_go_on(
		"expected %s, %s or %s in the boot image, found none of them; put a static program there, or name "
		"another by init=PATH on the kernel's command line",
		names[0], names[1], names[2]);
}

static void add_string(struct exec_strings *strings, const char *text, size_t length)
{
	memcpy(strings->bytes + strings->nr_bytes, text, length);
	strings->bytes[strings->nr_bytes + length] = '\0';
	strings->nr_bytes += (uint32_t)length + 1;
}

/* All of the command line fits, and more. */
static void make_strings(struct exec_strings *strings, const char *path)
{
	static const char environment[] = "PATH=/sbin:/bin";
	const char *word = bootinfo.cmdline;
	bool is_argument = false;
	size_t length;

	strings->bytes = kmalloc(strlen(path) + strlen(bootinfo.cmdline) + sizeof(environment) + 3);
	if (!strings->bytes)
		panic("no memory for the first process");
	add_string(strings, path, strlen(path));
	strings->nr_args = 1;
	for (; (length = next_word(&word)); word += length) {
		if (is_argument) {
			add_string(strings, word, length);
			strings->nr_args++;
		}
		is_argument |= is_separator(word, length);
	}
	add_string(strings, environment, strlen(environment));
	strings->nr_env = 1;
}

static void open_console(struct process *process)
{
	struct file *console;
	struct node *node;

	if (node_find(root_node, CONSOLE_PATH, true, &node) || node_open(node, O_RDWR, &console))
		panic("no memory for the console");
	node_put(node);
	for (uint32_t fd = 0; fd < 3; fd++)
		if (fd_install(&process->fds, file_get(console), false, 0) < 0)
			panic("no memory for the console");
	file_put(console);
}

static struct process *create_process(void)
{
	struct thread *thread = current_thread();
	struct mm *mm = mm_create();
	struct process *process = mm ? process_create_first(mm) : NULL;

	if (process)
		thread->fpu = fpu_create();
	if (!process || !thread->fpu)
		panic("no memory for the first process");
	thread->tid = process->pid;
	process_add_thread(process, thread);
	open_console(process);
	irq_disable();
	mm_activate(mm);
	irq_enable();
	return process;
}

void process_start_first(void)
{
	struct exec_strings strings = { 0 };
	char path[PATH_MAX_BYTES];
	struct node *program = find_program(path);
	struct process *process = create_process();
	struct trap_frame frame;
	int err;

	make_strings(&strings, path);
	err = exec_load(process->mm, program, &strings, &frame);
	if (err)
		cannot_go_on(
			"%s: expected a static x86-64 program, found something that cannot be started (error %d); put another "
			"in the boot image",
			path, -err);
	kfree(strings.bytes);
	process->program = program;
	process_set_name(path);
	fpu_load(current_thread()->fpu);
	enter_user_frame(&frame);
}

void process_end_first(int exit_status)
{
	disks_flush();
	if (exit_status & 0x7f)
		print("the first process was ended by signal %d: reset", exit_status & 0x7f);
	else if (exit_status)
		print("the first process has ended with status %d: reset", exit_status >> 8);
	else
		print("the first process has ended: power off");
	smp_stop_others();
	if (exit_status)
		power_reset();
	power_off();
}
