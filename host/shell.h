/*
 * The person, or the script, at bhd's console: standard input and output.
 *
 *   - At the prompt, lines are commands (commands.h). A terminal gets a line editor; other input is
 *     read line by line, without prompt and echo.
 *   - A command may take a while: until shell_finish() no other is begun. Ctrl-C stops waiting for
 *     a VM, not what was asked of it.
 *   - Attached to a guest's console, keys go to the guest and its output comes here; Ctrl-] ends that.
 *   - The end of input is no command: bhd goes on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/console_output.h"
#include "base/loop.h"
#include "host/line_editor.h"
#include "host/timers.h"
#include "host/vm.h"
#include "lib/compiler.h"

struct daemon;

enum { SHELL_INPUT_BYTES = 4096 };

#define SHELL_PROMPT "bulkhead> "

struct shell {
	struct daemon *daemon;
	struct console_output output;
	struct loop_source input;
	struct timer input_timer; /* for a plain file, which can't be waited for */
	bool is_terminal;
	bool is_input_waited_for;
	bool is_looking; /* at what was typed */
	bool is_prompt_shown;
	char typed[SHELL_INPUT_BYTES]; /* not looked at yet */
	size_t nr_typed;
	struct line_editor editor;

	bool is_busy;		  /* with a command, or not ready for the first */
	const struct vm *awaited; /* busy until this VM has come to rest; or NULL */
	struct vm *attached;	  /* or NULL */
	bool is_guest_line_open;  /* attached: its last line has no end yet */
};

/* Takes no command before the first shell_finish(). */
MUST_CHECK int shell_open(struct shell *shell, struct daemon *daemon);
void shell_close(struct shell *shell);

/* Text of the command being carried out. */
void shell_print(struct shell *shell, const char *format, ...) PRINTF_LIKE(2, 3);
void shell_write(struct shell *shell, const char *bytes, size_t n);

/* A line about something that happened by itself. */
void shell_notice(struct shell *shell, const char *format, ...) PRINTF_LIKE(2, 3);

/* For commands that don't finish at once. */
void shell_begin(struct shell *shell);
void shell_finish(struct shell *shell);
void shell_await(struct shell *shell, const struct vm *vm);

void shell_attach(struct shell *shell, struct vm *vm);

/* To be called on every change of a VM. */
void shell_vm_changed(struct shell *shell, const struct vm *vm);
