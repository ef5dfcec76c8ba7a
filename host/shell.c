/*
 * The person, or the script, at bhd's console: see shell.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/terminal.h"
#include "base/version.h"
#include "host/commands.h"
#include "host/daemon.h"
#include "host/shell.h"

enum {
	KEY_INTERRUPT = 'C' & 0x1f,
	KEY_DETACH = ']' & 0x1f,
	HISTORY_BYTES = 4096,
	HISTORY_LINES = 24,
	DRAIN_MS = 1000,
};

static void look_at_input(struct shell *shell);

/* ---- output ---- */

void shell_write(struct shell *shell, const char *bytes, size_t n)
{
	console_output_write(&shell->output, (const uint8_t *)bytes, n);
}

static void write_text(struct shell *shell, const char *text)
{
	shell_write(shell, text, strlen(text));
}

static void print(struct shell *shell, const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	write_text(shell, text);
	free(text);
}

void shell_print(struct shell *shell, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(shell, format, args);
	va_end(args);
}

static void show_prompt(struct shell *shell)
{
	if (!shell->is_terminal || shell->is_prompt_shown)
		return;
	shell->is_prompt_shown = true;
	line_editor_show(&shell->editor);
}

static void hide_prompt(struct shell *shell)
{
	if (shell->is_prompt_shown)
		line_editor_hide(&shell->editor);
	shell->is_prompt_shown = false;
}

/* What is said about VMs while somebody looks at a guest would only tear the guest's screen. */
void shell_notice(struct shell *shell, const char *format, ...)
{
	bool was_shown = shell->is_prompt_shown;
	va_list args;

	if (shell->attached)
		return;
	hide_prompt(shell);
	va_start(args, format);
	print(shell, format, args);
	va_end(args);
	write_text(shell, "\n");
	if (was_shown)
		show_prompt(shell);
}

/* ---- commands that take a while ---- */

void shell_begin(struct shell *shell)
{
	shell->is_busy = true;
}

void shell_finish(struct shell *shell)
{
	shell->is_busy = false;
	shell->awaited = NULL;
	look_at_input(shell);
}

static bool is_at_rest(const struct vm *vm)
{
	return vm->state != VM_CHECKING && vm->state != VM_STARTING && vm->state != VM_STOPPING;
}

void shell_await(struct shell *shell, const struct vm *vm)
{
	if (is_at_rest(vm))
		return;
	shell->awaited = vm;
	shell_begin(shell);
}

static void interrupt(struct shell *shell)
{
	if (!shell->awaited)
		return;
	shell_print(shell, "^C %s is still %s; `list` tells how it goes on\n", shell->awaited->name,
		    vm_state_name(shell->awaited->state));
	shell_finish(shell);
}

/* ---- a guest's console ---- */

static void show_guest(void *watcher, const uint8_t *bytes, size_t n)
{
	struct shell *shell = watcher;

	console_output_write(&shell->output, bytes, n);
	shell->is_guest_line_open = bytes[n - 1] != '\n';
}

/* Where the newest lines of the history begin, as many as fit a screen. */
static size_t recent_start(const char *text, size_t length)
{
	unsigned nr_lines = 0;

	for (size_t i = length; i > 0; i--)
		if (text[i - 1] == '\n' && nr_lines++ == HISTORY_LINES)
			return i;
	return 0;
}

static void show_history(struct shell *shell, const struct backlog *history)
{
	char recent[HISTORY_BYTES];
	size_t length = backlog_copy_newest(history, (uint8_t *)recent, sizeof(recent));
	size_t start = recent_start(recent, length);

	if (start < length)
		show_guest(shell, (const uint8_t *)recent + start, length - start);
}

static void say_attached(struct shell *shell, const char *format, ...) PRINTF_LIKE(2, 3);

static void say_attached(struct shell *shell, const char *format, ...)
{
	va_list args;

	if (shell->is_guest_line_open)
		write_text(shell, "\n");
	shell->is_guest_line_open = false;
	write_text(shell, "[bhd] ");
	va_start(args, format);
	print(shell, format, args);
	va_end(args);
	write_text(shell, "\n");
}

void shell_attach(struct shell *shell, struct vm *vm)
{
	shell->attached = vm;
	shell->is_guest_line_open = false;
	say_attached(shell, "console of %s; Ctrl-] leaves it", vm->name);
	show_history(shell, &vm->console.history);
	if (!vm_has_monitor(vm))
		say_attached(shell, "%s is %s; its console comes back when it is started", vm->name,
			     vm_state_name(vm->state));
	vm->console.watch = show_guest;
	vm->console.watcher = shell;
}

static void detach(struct shell *shell)
{
	/* The guest may have left the terminal in colours, or without a cursor. */
	if (shell->is_terminal)
		write_text(shell, "\033[0m\033[?25h");
	say_attached(shell, "left the console of %s", shell->attached->name);
	shell->attached->console.watch = NULL;
	shell->attached = NULL;
}

static void tell_attached(struct shell *shell, const struct vm *vm)
{
	say_attached(shell, "%s is %s%s%s", vm->name, vm_state_name(vm->state),
		     vm->why[0] ? ": " : "", vm->why);
}

void shell_vm_changed(struct shell *shell, const struct vm *vm)
{
	if (shell->attached == vm)
		tell_attached(shell, vm);
	if (shell->awaited == vm && is_at_rest(vm))
		shell_finish(shell);
}

/* ---- lines ---- */

static void carry_out(struct shell *shell, const char *line)
{
	shell->is_prompt_shown = false;
	if (shell->is_terminal)
		write_text(shell, "\n");
	commands_run(shell->daemon, line);
}

static void show_keys(void *context, const char *bytes, size_t n)
{
	shell_write(context, bytes, n);
}

static size_t complete(void *context, const char *line, size_t length, char *out, size_t out_size)
{
	struct shell *shell = context;

	return commands_complete(shell->daemon, line, length, out, out_size);
}

static const struct line_editor_ops editor_ops = { show_keys, complete };

static void take_key(struct shell *shell, char key)
{
	switch (line_editor_key(&shell->editor, key)) {
	case LINE_UNFINISHED:
		break;
	case LINE_FINISHED:
		carry_out(shell, shell->editor.line);
		break;
	case LINE_INTERRUPTED:
		shell->is_prompt_shown = false;
		write_text(shell, "^C\n");
		break;
	case LINE_ENDED:
		shell->is_prompt_shown = false;
		write_text(shell, "\nbhd stays; `poweroff` stops all VMs and ends it\n");
		break;
	}
}

/* ---- input ---- */

static void drop_typed(struct shell *shell, size_t n)
{
	shell->nr_typed -= n;
	memmove(shell->typed, shell->typed + n, shell->nr_typed);
}

/* Each takes something of what was typed; false: nothing, and nothing to be done with it now. */

static bool take_for_guest(struct shell *shell)
{
	const char *end = memchr(shell->typed, KEY_DETACH, shell->nr_typed);
	size_t n = end ? (size_t)(end - shell->typed) : shell->nr_typed;

	console_link_type(&shell->attached->console, (const uint8_t *)shell->typed, n);
	drop_typed(shell, end ? n + 1 : n);
	if (end)
		detach(shell);
	return true;
}

static bool take_while_busy(struct shell *shell)
{
	const char *key = memchr(shell->typed, KEY_INTERRUPT, shell->nr_typed);

	if (!shell->is_terminal || !key)
		return false;
	drop_typed(shell, (size_t)(key + 1 - shell->typed));
	interrupt(shell);
	return true;
}

static bool take_line(struct shell *shell)
{
	char line[SHELL_INPUT_BYTES + 1];
	const char *newline = memchr(shell->typed, '\n', shell->nr_typed);
	size_t length = newline ? (size_t)(newline - shell->typed) : shell->nr_typed;

	if (!newline && shell->nr_typed < sizeof(shell->typed))
		return false;
	memcpy(line, shell->typed, length);
	line[length] = '\0';
	drop_typed(shell, newline ? length + 1 : length);
	carry_out(shell, line);
	return true;
}

static bool take_some(struct shell *shell)
{
	char key;

	if (shell->attached)
		return take_for_guest(shell);
	if (shell->is_busy)
		return take_while_busy(shell);
	if (!shell->is_terminal)
		return take_line(shell);
	show_prompt(shell);
	key = shell->typed[0];
	drop_typed(shell, 1);
	take_key(shell, key);
	return true;
}

/* A terminal is read always, for Ctrl-C; other input only when there is something to do with it. */
static bool wants_input(const struct shell *shell)
{
	if (shell->nr_typed == sizeof(shell->typed))
		return false;
	return shell->is_terminal || shell->attached || !shell->is_busy;
}

static void update_waiting(struct shell *shell)
{
	struct loop *loop = &shell->daemon->loop;
	bool wants = shell->input.fd >= 0 && wants_input(shell);
	int err;

	if (wants == shell->is_input_waited_for)
		return;
	if (!wants) {
		loop_remove(loop, &shell->input);
		timer_cancel(&shell->daemon->timers, &shell->input_timer);
	} else {
		err = loop_add(loop, &shell->input, EPOLLIN);
		if (err == -EPERM) /* a plain file: always ready */
			timer_set(&shell->daemon->timers, &shell->input_timer, 0);
		else if (err)
			shell->input.fd = -1; /* there is no standard input */
	}
	shell->is_input_waited_for = wants && shell->input.fd >= 0;
}

/* Commands that finish at once come back here: the loop below goes on for them. */
static void look_at_input(struct shell *shell)
{
	if (shell->is_looking)
		return;
	shell->is_looking = true;
	while (shell->nr_typed && take_some(shell))
		;
	shell->is_looking = false;
	if (!shell->attached && !shell->is_busy)
		show_prompt(shell);
	update_waiting(shell);
}

static void input_ended(struct shell *shell)
{
	if (shell->is_input_waited_for)
		loop_remove(&shell->daemon->loop, &shell->input);
	shell->is_input_waited_for = false;
	shell->input.fd = -1;
	if (shell->attached)
		detach(shell);
}

static void input_ready(void *context, uint32_t events UNUSED)
{
	struct shell *shell = context;
	ssize_t n = read(shell->input.fd, shell->typed + shell->nr_typed,
			 sizeof(shell->typed) - shell->nr_typed);

	if (n > 0)
		shell->nr_typed += (size_t)n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		input_ended(shell);
	look_at_input(shell);
}

static void plain_input_ready(void *context)
{
	struct shell *shell = context;

	shell->is_input_waited_for = false;
	input_ready(shell, 0);
}

/* ---- open and close ---- */

static void say_welcome(struct shell *shell)
{
	shell_print(shell, "\nBulkhead " BULKHEAD_VERSION ". `status` shows this host and its VMs, "
			   "`console NAME` goes to one's console\n"
			   "(Ctrl-] comes back), `help` lists the commands.\n\n");
}

int shell_open(struct shell *shell, struct daemon *daemon)
{
	int err;

	*shell = (struct shell){
		.daemon = daemon,
		.input = { STDIN_FILENO, input_ready, shell },
		.input_timer = { plain_input_ready, shell },
	};
	err = console_output_create(&shell->output, &daemon->loop, NULL, NULL);
	if (err)
		return err;
	shell->is_terminal = terminal_borrow(STDIN_FILENO, STDOUT_FILENO);
	console_output_attach(&shell->output, STDOUT_FILENO);
	line_editor_init(&shell->editor, SHELL_PROMPT, &editor_ops, shell);
	if (shell->is_terminal)
		say_welcome(shell);
	shell_begin(shell);
	update_waiting(shell);
	return 0;
}

void shell_close(struct shell *shell)
{
	hide_prompt(shell);
	console_output_drain(&shell->output, DRAIN_MS);
	console_output_destroy(&shell->output);
	terminal_restore();
}
