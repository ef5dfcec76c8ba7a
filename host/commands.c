/*
 * The commands of bhd's prompt: see commands.h. The table is the middle of this file: above it stands what
 * each command does, below it how a line becomes one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/choice.h"
#include "host/commands.h"
#include "host/daemon.h"
#include "host/screen.h"
#include "host/size_text.h"
#include "host/words.h"
#include "lib/nearest.h"

enum argument { NO_ARGUMENT, A_VM, A_COMMAND_OR_NOTHING };

/* One command being carried out. */
struct call {
	struct daemon *daemon;
	struct shell *shell;
	struct vm *vm;	  /* A_VM */
	const char *word; /* what was given, or NULL */
};

struct command {
	const char *name;
	enum argument argument;
	void (*run)(const struct call *call);
	const char *help;
};

static void describe_commands(struct shell *shell, const char *name);

/* ---- looking ---- */

static void run_help(const struct call *call)
{
	describe_commands(call->shell, call->word);
}

/* The screen as one piece of text, which goes out at once. */
static void show_screen(void *context)
{
	struct daemon *daemon = context;
	struct host_usage usage;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	host_usage_read(&usage);
	if (out) {
		screen_print(out, &daemon->list, &usage);
		if (!fclose(out))
			shell_write(&daemon->shell, text, length);
	}
	free(text);
	shell_finish(&daemon->shell);
}

static void run_status(const struct call *call)
{
	shell_begin(call->shell);
	status_collect(&call->daemon->status, &call->daemon->list, show_screen, call->daemon);
}

static void run_list(const struct call *call)
{
	const struct vm_list *list = &call->daemon->list;

	for (size_t i = 0; i < list->nr_vms; i++) {
		const struct vm *vm = list->vms[i];

		shell_print(call->shell, "%-16s %s%s%s\n", vm->name, vm_state_name(vm->state),
			    vm->why[0] ? ": " : "", vm->why);
	}
	if (!list->nr_vms)
		shell_print(call->shell,
			    "no VMs: put a document NAME.json into %s, then `reload`\n",
			    list->folder);
}

static void show_fact(struct shell *shell, const char *name, const char *value)
{
	shell_print(shell, "%-10s %s\n", name, value);
}

static void show_process(struct shell *shell, const struct vm *vm)
{
	char path[VM_SOCKET_PATH_BYTES];

	if (!vm_has_monitor(vm))
		return;
	shell_print(shell, "%-10s %d\n", "process", (int)vm->process.pid);
	show_fact(shell, "control", vm_socket_path(vm, "api", path));
	show_fact(shell, "console", vm_socket_path(vm, "console", path));
}

static void show_past(struct shell *shell, const struct vm *vm)
{
	char how[64];

	if (vm->has_ended_before)
		shell_print(shell, "%-10s %s\n", "last ended",
			    ending_describe(&vm->ending, how, sizeof(how)));
	if (vm->restart.nr_restarts)
		shell_print(shell, "%-10s %u\n", "restarts", vm->restart.nr_restarts);
	if (vm->restart_timer.is_set)
		shell_print(shell, "%-10s is started again in %u s\n", "next",
			    (unsigned)timer_left_ms(&vm->restart_timer, clock_now_ms()) / 1000 + 1);
}

static void show_json(struct shell *shell, const char *name, const json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	if (text)
		shell_print(shell, "%-10s %s\n", name, text);
	free(text);
}

static void show_vm(struct shell *shell, const struct vm *vm)
{
	char since[SIZE_TEXT_BYTES];

	shell_print(shell, "%-10s %s for %s\n", "state", vm_state_name(vm->state),
		    duration_text((clock_now_ms() - vm->since_ms) / 1000, since));
	if (vm->why[0])
		show_fact(shell, "why", vm->why);
	show_process(shell, vm);
	show_past(shell, vm);
	show_fact(shell, "from", vm->path);
	show_json(shell, "document", vm->document.text);
}

static void show_answered(void *context, const json_t *result, const char *problem)
{
	struct vm *vm = context;
	struct daemon *daemon = vm->host->context;

	show_vm(&daemon->shell, vm);
	if (result)
		show_json(&daemon->shell, "counters", result);
	else
		show_fact(&daemon->shell, "counters", problem);
	shell_finish(&daemon->shell);
}

static void run_show(const struct call *call)
{
	if (!vm_is_up(call->vm)) {
		show_vm(call->shell, call->vm);
		return;
	}
	shell_begin(call->shell);
	api_client_request(&call->vm->api, "stats", show_answered, call->vm);
}

static void run_log(const struct call *call)
{
	uint8_t *bytes = malloc(BACKLOG_BYTES);
	size_t n;

	if (!bytes)
		return;
	n = backlog_copy_newest(&call->vm->log.backlog, bytes, BACKLOG_BYTES);
	shell_write(call->shell, (const char *)bytes, n);
	if (n && bytes[n - 1] != '\n')
		shell_write(call->shell, "\n", 1);
	free(bytes);
}

static void run_console(const struct call *call)
{
	shell_attach(call->shell, call->vm);
}

/* ---- changing ---- */

static void run_start(const struct call *call)
{
	if (call->daemon->shutdown.is_begun)
		shell_print(call->shell, "bhd is on its way down\n");
	else if (!vm_start(call->vm))
		shell_print(call->shell, "%s is %s already\n", call->vm->name,
			    vm_state_name(call->vm->state));
	else
		shell_await(call->shell, call->vm);
}

static void run_stop(const struct call *call)
{
	if (!vm_stop(call->vm))
		shell_print(call->shell, "%s is %s already\n", call->vm->name,
			    vm_state_name(call->vm->state));
	else
		shell_await(call->shell, call->vm);
}

static void run_kill(const struct call *call)
{
	if (!vm_kill(call->vm))
		shell_print(call->shell, "%s is %s already\n", call->vm->name,
			    vm_state_name(call->vm->state));
	else
		shell_await(call->shell, call->vm);
}

static void request_answered(void *context, const json_t *result UNUSED, const char *problem)
{
	struct vm *vm = context;
	struct daemon *daemon = vm->host->context;

	if (problem)
		shell_print(&daemon->shell, "%s: %s\n", vm->name, problem);
	shell_finish(&daemon->shell);
}

static void request(const struct call *call, const char *command)
{
	if (!vm_is_up(call->vm)) {
		shell_print(call->shell, "%s is %s: there is nothing to %s\n", call->vm->name,
			    vm_state_name(call->vm->state), command);
		return;
	}
	shell_begin(call->shell);
	api_client_request(&call->vm->api, command, request_answered, call->vm);
}

static void run_pause(const struct call *call)
{
	request(call, "pause");
}

static void run_resume(const struct call *call)
{
	request(call, "resume");
}

static void run_reset(const struct call *call)
{
	request(call, "reset");
}

static void run_reload(const struct call *call)
{
	struct errmsg why = { 0 };

	if (vm_list_reload(&call->daemon->list, &why))
		shell_print(call->shell, "%s\n", why.text);
}

static void run_poweroff(const struct call *call)
{
	shutdown_begin(&call->daemon->shutdown, &call->daemon->list);
	/* The prompt comes back for who wants to watch, or to hurry. */
}

/* ---- the commands ---- */

/* clang-format off */
static const struct command commands[] = {
	{ "help",     A_COMMAND_OR_NOTHING, run_help, "the commands, or one of them" },
	{ "status",   NO_ARGUMENT, run_status,   "this host and its VMs, with what they use" },
	{ "list",     NO_ARGUMENT, run_list,     "the VMs and their states" },
	{ "show",     A_VM,        run_show,     "all about a VM, with its document" },
	{ "console",  A_VM,        run_console,  "go to the guest's console; Ctrl-] comes back" },
	{ "log",      A_VM,        run_log,      "what its monitor and bhd said about it" },
	{ "start",    A_VM,        run_start,    "read its document and start it" },
	{ "stop",     A_VM,        run_stop,     "press its power button; pull its plug if that doesn't help" },
	{ "kill",     A_VM,        run_kill,     "end its monitor at once" },
	{ "pause",    A_VM,        run_pause,    "stop it where it is" },
	{ "resume",   A_VM,        run_resume,   "go on after a pause" },
	{ "reset",    A_VM,        run_reset,    "press its reset button" },
	{ "reload",   NO_ARGUMENT, run_reload,   "look for new and vanished documents" },
	{ "poweroff", NO_ARGUMENT, run_poweroff, "stop all VMs, then bhd and the machine; again: at once" },
};
/* clang-format on */

static const char *argument_name(enum argument argument)
{
	switch (argument) {
	case A_VM:
		return "NAME";
	case A_COMMAND_OR_NOTHING:
		return "[COMMAND]";
	case NO_ARGUMENT:
		break;
	}
	return "";
}

/* ---- from a word to a row ---- */

static struct choice choose_command(const char *word)
{
	struct choice choice = choice_begin(word);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		choice_offer(&choice, commands[i].name);
	return choice;
}

static const struct command *command_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_candidates(struct shell *shell, const char *typed)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strncmp(commands[i].name, typed, strlen(typed)))
			shell_print(shell, " %s", commands[i].name);
}

static void print_unknown(struct shell *shell, const char *typed)
{
	struct nearest nearest = nearest_to(typed);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.word)
		shell_print(shell, "%s: unknown command; did you mean `%s`?\n", typed,
			    nearest.word);
	else
		shell_print(shell, "%s: unknown command; `help` lists them\n", typed);
}

/* NULL: it has been said why there is none. */
static const struct command *find_command(struct shell *shell, const char *typed)
{
	struct choice choice = choose_command(typed);

	if (choice.nr_matches == 1)
		return command_of(choice.match);
	if (!choice.nr_matches) {
		print_unknown(shell, typed);
		return NULL;
	}
	shell_print(shell, "%s: expected one command, this begins several:", typed);
	print_candidates(shell, typed);
	shell_print(shell, "\n");
	return NULL;
}

static void describe_command(struct shell *shell, const struct command *command)
{
	char usage[32];

	snprintf(usage, sizeof(usage), "%s %s", command->name, argument_name(command->argument));
	shell_print(shell, "  %-16s %s\n", usage, command->help);
}

static void describe_commands(struct shell *shell, const char *name)
{
	const struct command *command;

	if (name) {
		command = find_command(shell, name);
		if (command)
			describe_command(shell, command);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		describe_command(shell, &commands[i]);
	shell_print(shell, "A command's beginning will do, where it is the only one with it.\n");
}

/* ---- from a line to a call ---- */

static void print_no_such_vm(const struct call *call, const char *name)
{
	const struct vm_list *list = &call->daemon->list;
	struct nearest nearest = nearest_to(name);

	for (size_t i = 0; i < list->nr_vms; i++)
		nearest_offer(&nearest, list->vms[i]->name);
	if (nearest.word)
		shell_print(call->shell, "%s: no such VM; did you mean %s?\n", name, nearest.word);
	else
		shell_print(call->shell, "%s: no such VM; `list` shows them\n", name);
}

/* Returns whether the arguments are what the command takes, or says what is wrong. */
static bool take_arguments(struct call *call, const struct command *command,
			   const struct words *words)
{
	size_t nr_most = command->argument == NO_ARGUMENT ? 1 : 2;

	call->word = words->count > 1 ? words->word[1] : NULL;
	if (words->count > nr_most) {
		shell_print(call->shell, "%s: expected %s, found \"%s\" as well\n", command->name,
			    nr_most == 1 ? "nothing more" : argument_name(command->argument),
			    words->word[nr_most]);
		return false;
	}
	if (command->argument != A_VM)
		return true;
	if (!call->word) {
		shell_print(call->shell, "%s: expected the name of a VM; `list` shows them\n",
			    command->name);
		return false;
	}
	call->vm = vm_list_find(&call->daemon->list, call->word);
	if (!call->vm)
		print_no_such_vm(call, call->word);
	return call->vm;
}

void commands_run(struct daemon *daemon, const char *line)
{
	struct call call = { .daemon = daemon, .shell = &daemon->shell };
	const struct command *command;
	struct words words = { 0 };

	words_split(line, &words);
	if (!words.count || words.word[0][0] == '#')
		return;
	command = find_command(&daemon->shell, words.word[0]);
	if (command && take_arguments(&call, command, &words))
		command->run(&call);
}

/* ---- completion ---- */

static struct choice choose_vm(const struct vm_list *list, const char *typed)
{
	struct choice choice = choice_begin(typed);

	for (size_t i = 0; i < list->nr_vms; i++)
		choice_offer(&choice, list->vms[i]->name);
	return choice;
}

static void print_vm_candidates(struct shell *shell, const struct vm_list *list, const char *typed)
{
	for (size_t i = 0; i < list->nr_vms; i++)
		if (!strncmp(list->vms[i]->name, typed, strlen(typed)))
			shell_print(shell, " %s", list->vms[i]->name);
}

/* What the matches have in common beyond what was typed, and a space after the only one. */
static size_t completion(const struct choice *choice, char *out, size_t out_size)
{
	size_t n = choice->nr_shared - choice->typed_length;

	snprintf(out, out_size, "%.*s%s", (int)n, choice->match + choice->typed_length,
		 choice->nr_matches == 1 ? " " : "");
	return strlen(out);
}

size_t commands_complete(struct daemon *daemon, const char *line, size_t length, char *out,
			 size_t out_size)
{
	char start[WORDS_BYTES];
	bool is_new_word, is_command;
	struct choice choice;
	struct words words = { 0 };
	const char *typed;

	snprintf(start, sizeof(start), "%.*s", (int)length, line);
	words_split(start, &words);
	is_new_word = !length || line[length - 1] == ' ';
	is_command = words.count + is_new_word <= 1;
	typed = is_new_word ? "" : words.word[words.count - 1];

	choice = is_command ? choose_command(typed) : choose_vm(&daemon->list, typed);
	if (!choice.nr_matches)
		return 0;
	if (choice.nr_matches > 1 && choice.nr_shared == choice.typed_length) {
		shell_print(&daemon->shell, "\n");
		if (is_command)
			print_candidates(&daemon->shell, typed);
		else
			print_vm_candidates(&daemon->shell, &daemon->list, typed);
		shell_print(&daemon->shell, "\n");
		return 0;
	}
	return completion(&choice, out, out_size);
}
