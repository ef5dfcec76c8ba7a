/*
 * Processes: see process.h.
 */
#include <errno.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/fs/console.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "lib/format.h"

static struct object_cache process_cache = OBJECT_CACHE("process", struct process);
static struct process *first_process;

static struct process *process_new(uint32_t pid, struct mm *mm)
{
	struct process *process = object_alloc(&process_cache);

	if (!process)
		return NULL;
	process->refs = 1;
	process->pid = pid;
	process->mm = mm;
	mutex_init(&process->lock);
	fdtable_init(&process->fds);
	list_init(&process->threads);
	list_init(&process->children);
	list_init(&process->siblings);
	waitq_init(&process->child_changed);
	return process;
}

void process_add_thread(struct process *process, struct thread *thread)
{
	mutex_lock(&process->lock);
	thread->process = process;
	list_append(&process->threads, &thread->siblings);
	process->nr_threads++;
	mutex_unlock(&process->lock);
}

static bool leave_process(struct process *process, struct thread *thread)
{
	bool is_last;

	mutex_lock(&process->lock);
	list_remove(&thread->siblings);
	is_last = --process->nr_threads == 0;
	mutex_unlock(&process->lock);
	return is_last;
}

/* What the C library was promised: the word is cleared, and who waits for it (pthread_join) is woken. */
static void clear_child_tid(struct thread *thread)
{
	uint32_t zero = 0;

	if (!thread->clear_child_tid)
		return;
	if (!copy_to_user((uint64_t)thread->clear_child_tid, &zero, sizeof(zero)))
		futex_wake(thread->process->mm, (uint64_t)thread->clear_child_tid, 1, UINT32_MAX);
}

static void end_process(struct process *process)
{
	struct mm *mm = process->mm;

	fdtable_destroy(&process->fds);
	node_put(process->cwd);
	irq_disable();
	process->mm = NULL;
	mm_activate(NULL);
	irq_enable();
	mm_put(mm);
	if (process == first_process)
		panic("the first process has ended (status %#x)", (uint32_t)process->exit_status);
}

void process_exit_thread(int status)
{
	struct thread *thread = current_thread();
	struct process *process = thread->process;

	clear_child_tid(thread);
	if (leave_process(process, thread)) {
		if (!process->is_ending)
			process->exit_status = (status & 0xff) << 8;
		end_process(process);
	}
	thread_exit();
}

void process_exit_all(int wait_status)
{
	struct process *process = current_process();

	mutex_lock(&process->lock);
	if (!process->is_ending) {
		process->exit_status = wait_status;
		process->is_ending = true;
		list_for_each(node, &process->threads) {
			struct thread *thread = list_entry(node, struct thread, siblings);

			__atomic_store_n(&thread->is_exiting, true, __ATOMIC_RELEASE);
			if (thread != current_thread())
				thread_wake(thread);
		}
	}
	mutex_unlock(&process->lock);
	process_exit_thread(0);
}

/* --- the first one --- */

static const char *const first_programs[] = { "/sbin/init", "/init", "/bin/bhd" };

static struct node *find_first_program(char *path, size_t size)
{
	const char *option = strchr(bootinfo.cmdline, 'i');
	struct node *node;

	/* init=PATH on the command line */
	for (; option; option = strchr(option + 1, 'i')) {
		size_t length = 0;

		if (strncmp(option, "init=", 5) ||
		    (option != bootinfo.cmdline && option[-1] != ' '))
			continue;
		while (option[5 + length] && option[5 + length] != ' ' && length + 1 < size) {
			path[length] = option[5 + length];
			length++;
		}
		path[length] = '\0';
		if (!node_find(root_node, path, true, &node))
			return node;
		panic("%s: expected the program that init= names in the boot module, found none",
		      path);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(first_programs); i++)
		if (!node_find(root_node, first_programs[i], true, &node)) {
			format_text(path, size, "%s", first_programs[i]);
			return node;
		}
	panic("expected a boot module (cpio) with /sbin/init, found %s; pass one with -initrd, or as a GRUB "
	      "module2",
	      bootinfo.module_end > bootinfo.module_start ? "none in it" : "no module");
}

static void open_console(struct process *process)
{
	struct file *console = console_open_file();

	if (!console)
		panic("no memory for the console");
	for (uint32_t fd = 0; fd < 3; fd++) {
		file_get(console);
		if (fd_install(&process->fds, console, false, 0) < 0)
			panic("no memory for the console");
	}
	file_put(console);
}

void process_start_first(void)
{
	char path[256], strings[sizeof(path) + 64];
	struct exec_strings exec = { .bytes = strings, .nr_args = 1, .nr_env = 1 };
	struct node *program = find_first_program(path, sizeof(path));
	uint64_t entry, stack;
	int err;

	first_process = process_new(1, mm_create());
	if (!first_process || !first_process->mm)
		panic("no memory for the first process");
	first_process->cwd = root_node;
	current_thread()->tid = first_process->pid;
	current_thread()->fpu = fpu_create();
	if (!current_thread()->fpu)
		panic("no memory for the first process");
	node_get(root_node);
	process_add_thread(first_process, current_thread());
	open_console(first_process);
	irq_disable();
	mm_activate(first_process->mm);
	irq_enable();

	exec.nr_bytes = (uint32_t)format_text(strings, sizeof(strings), "%s", path) + 1;
	exec.nr_bytes += (uint32_t)format_text(strings + exec.nr_bytes,
					       sizeof(strings) - exec.nr_bytes, "PATH=/sbin:/bin") +
			 1;
	err = exec_load(first_process->mm, program, &exec, &entry, &stack);
	if (err)
		panic("%s: expected a static x86-64 program, but it cannot be started: error %d",
		      path, -err);
	node_put(program);
	format_text(first_process->name, sizeof(first_process->name), "%s", path);
	fpu_load(current_thread()->fpu);
	enter_user(entry, stack);
}
