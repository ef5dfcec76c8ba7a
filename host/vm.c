/*
 * One supervised VM: see vm.h. The order here is that of use: started, connected to, adopted, checked, stopped, ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/vm.h"

enum {
	CHECK_TIMEOUT_MS = 30 * 1000,
	CONNECT_FIRST_MS = 10,
	CONNECT_MAX_MS = 1000,
	BUTTON_PERIOD_MS = 10 * 1000, /* a guest that is still booting misses the first press */
	QUIT_TIMEOUT_MS = 5 * 1000,
};

/* ---- states ---- */

const char *vm_state_name(enum vm_state state)
{
	static const char *const names[VM_STATES] = {
		[VM_STOPPED] = "stopped", [VM_CHECKING] = "checking", [VM_STARTING] = "starting",
		[VM_RUNNING] = "running", [VM_PAUSED] = "paused",     [VM_STOPPING] = "stopping",
		[VM_FAILED] = "failed",
	};

	return names[state];
}

bool vm_is_busy(const struct vm *vm)
{
	return vm->process.pid || vm->restart_timer.is_set;
}

bool vm_has_monitor(const struct vm *vm)
{
	return vm->process.pid && vm->state != VM_CHECKING;
}

bool vm_is_up(const struct vm *vm)
{
	return api_client_is_connected(&vm->api);
}

static void set_state(struct vm *vm, enum vm_state state)
{
	enum vm_state before = vm->state;

	if (before == state && state != VM_FAILED) /* which may happen again */
		return;
	vm->state = state;
	vm->since_ms = clock_now_ms();
	vm->nr_steps = 0;
	if (state != VM_FAILED)
		vm->why[0] = '\0';
	vm->host->changed(vm->host->context, vm, before);
}

static void PRINTF_LIKE(2, 3) fail(struct vm *vm, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vm->why, sizeof(vm->why), format, args);
	va_end(args);
	vm_log_say(&vm->log, "failed: %s", vm->why);
	set_state(vm, VM_FAILED);
}

/* The state's step() is called again after that time. */
static void step_after(struct vm *vm, uint64_t delay_ms)
{
	timer_set(vm->host->timers, &vm->step_timer, clock_now_ms() + delay_ms);
}

const char *vm_socket_path(const struct vm *vm, const char *kind, char out[VM_SOCKET_PATH_BYTES])
{
	snprintf(out, VM_SOCKET_PATH_BYTES, "%s/%s.%s", vm->host->run_dir, vm->name, kind);
	return out;
}

/* ---- starting ---- */

static void spawn(struct vm *vm)
{
	char console[VM_SOCKET_PATH_BYTES + 8] = "unix:", api[VM_SOCKET_PATH_BYTES];
	const char *const argv[] = {
		vm->host->bhvm, "--config", vm->path,	    "--name", vm->name,
		"--console",	console,    "--api-socket", api,      NULL,
	};
	int err;

	vm_log_begin(&vm->log);
	vm_socket_path(vm, "console", console + strlen("unix:"));
	vm_socket_path(vm, "api", api);
	err = process_start(&vm->process, argv);
	if (err) {
		vm->is_wanted = false;
		fail(vm, "%s can't be started: %s", vm->host->bhvm, strerror(-err));
		return;
	}
	vm->started_ms = clock_now_ms();
	vm_log_say(&vm->log, "started, process %d", (int)vm->process.pid);
	set_state(vm, VM_STARTING);
	step_after(vm, CONNECT_FIRST_MS);
}

static void restart_is_due(void *context)
{
	spawn(context);
}

/* ---- connections ---- */

static void take_state(struct vm *vm, const json_t *from)
{
	const char *name = json_string_value(json_object_get(from, "state"));

	/* Once it's to stop, no state but the end is news. */
	if (!name || vm->state == VM_STOPPING)
		return;
	if (!strcmp(name, "running"))
		set_state(vm, VM_RUNNING);
	else if (!strcmp(name, "paused"))
		set_state(vm, VM_PAUSED);
	else if (!strcmp(name, "stopping"))
		set_state(vm, VM_STOPPING);
}

static void state_answered(void *context, const json_t *result, const char *problem)
{
	struct vm *vm = context;

	if (result)
		take_state(vm, result);
	else
		vm_log_say(&vm->log, "bhvm's state is unknown: %s", problem);
	if (vm->state == VM_STARTING)
		step_after(vm, CONNECT_MAX_MS);
}

static void subscribe_answered(void *context, const json_t *result, const char *problem)
{
	struct vm *vm = context;

	if (!result)
		vm_log_say(&vm->log, "bhvm sends no events: %s", problem);
}

static void api_event(void *context, const char *name, const json_t *data)
{
	if (!strcmp(name, "state"))
		take_state(context, data);
}

/* Usual when bhvm ends, whose end will cancel the timer. */
static void api_lost(void *context, const char *reason)
{
	struct vm *vm = context;

	vm_log_say(&vm->log, "control connection: %s", reason);
	if (vm->state == VM_RUNNING || vm->state == VM_PAUSED || vm->state == VM_STARTING)
		step_after(vm, CONNECT_MAX_MS);
}

static void console_lost(void *context)
{
	struct vm *vm = context;

	if (vm->state == VM_RUNNING || vm->state == VM_PAUSED || vm->state == VM_STARTING)
		step_after(vm, CONNECT_MAX_MS);
}

static int open_api(struct vm *vm)
{
	char path[VM_SOCKET_PATH_BYTES];
	int err = api_client_connect(&vm->api, vm_socket_path(vm, "api", path));

	if (!err)
		api_client_request(&vm->api, "subscribe", subscribe_answered, vm);
	return err;
}

/* The control socket comes last in bhvm's start, so that who can connect to it finds the console too. */
static int connect_api(struct vm *vm)
{
	int err = vm_is_up(vm) ? 0 : open_api(vm);

	if (err)
		return err;
	if (vm_is_up(vm))
		api_client_request(&vm->api, "state", state_answered, vm);
	return 0;
}

static int connect_console(struct vm *vm)
{
	char path[VM_SOCKET_PATH_BYTES];

	if (console_link_is_connected(&vm->console))
		return 0;
	return console_link_connect(&vm->console, vm_socket_path(vm, "console", path));
}

static void connect_step(struct vm *vm)
{
	uint64_t delay_ms = (uint64_t)CONNECT_FIRST_MS << min_u64(vm->nr_steps++, 16);
	int api_err = connect_api(vm);
	int console_err = api_err ? 0 : connect_console(vm);

	if (api_err || console_err)
		step_after(vm, min_u64(delay_ms, CONNECT_MAX_MS));
}

/* ---- adopting ---- */

/* Takes the process at the far end of the control connection for the VM's, if it is still there when that is done. */
static int adopt_peer(struct vm *vm)
{
	int pid = api_client_peer(&vm->api), err;

	if (pid < 0)
		return pid;
	err = process_adopt(&vm->process, pid);
	if (err)
		return err;
	if (api_client_peer(&vm->api) == pid)
		return 0;
	process_abandon(&vm->process);
	return -ENOTCONN;
}

/* Whether there was a bhvm to adopt, which runs this VM already. */
static bool adopt(struct vm *vm)
{
	int err;

	if (open_api(vm))
		return false;
	err = adopt_peer(vm);
	if (err) {
		vm_log_say(&vm->log, "who listens at its control socket can't be adopted: %s",
			   strerror(-err));
		api_client_close(&vm->api, "it can't be adopted");
		return false;
	}
	vm->is_wanted = true;
	vm->started_ms = clock_now_ms();
	vm_log_begin(&vm->log);
	vm_log_say(&vm->log, "adopted, process %d: what it prints isn't heard here",
		   (int)vm->process.pid);
	set_state(vm, VM_STARTING);
	step_after(vm, 0);
	return true;
}

/* ---- checking ---- */

static void check(struct vm *vm)
{
	const char *const argv[] = { vm->host->bhvm, "--config",      vm->path, "--name",
				     vm->name,	     "--dump-config", NULL };
	int err = process_start(&vm->process, argv);

	vm_log_begin(&vm->log);
	vm->output_length = 0;
	if (err) {
		vm->is_wanted = false;
		fail(vm, "%s can't be started: %s", vm->host->bhvm, strerror(-err));
		return;
	}
	set_state(vm, VM_CHECKING);
	step_after(vm, CHECK_TIMEOUT_MS);
}

static void check_output(struct vm *vm, const char *bytes, size_t n)
{
	char *output = vm->output_length + n <= VM_DOCUMENT_MAX_BYTES
			       ? realloc(vm->output, vm->output_length + n)
			       : NULL;

	if (!output) {
		process_signal(&vm->process, SIGKILL);
		return;
	}
	memcpy(output + vm->output_length, bytes, n);
	vm->output = output;
	vm->output_length += n;
}

/* What bhvm said last, without who said it. */
static const char *last_words(const struct vm *vm)
{
	const char *error = strstr(vm->log.last_line, "error: ");

	if (!vm->log.last_line[0])
		return "it didn't say why";
	return error ? error + strlen("error: ") : vm->log.last_line;
}

/* Takes the document that the check has printed. Returns 0, or -errno with @why. */
static int take_document(struct vm *vm, const struct ending *ending, struct errmsg *why)
{
	char how[64];

	if (!ending->by_signal && ending->code == BHVM_USER_MISTAKE)
		return errmsg_user(why, -EINVAL, "%s", last_words(vm));
	if (ending->by_signal || ending->code)
		return errmsg_system(why, -EIO, "the check of the document ended %s: %s",
				     ending_describe(ending, how, sizeof(how)), last_words(vm));
	return vm_document_parse(vm->output, vm->output_length, &vm->document, why);
}

static void check_ended(struct vm *vm, const struct ending *ending)
{
	bool is_start = vm->is_wanted;
	struct errmsg why = { 0 };
	int err = take_document(vm, ending, &why);

	vm->is_wanted = false;
	if (vm->is_new && adopt(vm)) {
		if (err)
			vm_log_say(&vm->log, "it runs by an older document than this: %s",
				   why.text);
	} else if (err) {
		fail(vm, "%s", why.text);
	} else if (is_start || (vm->is_new && vm->document.autostart)) {
		vm->is_wanted = true;
		spawn(vm);
	} else {
		set_state(vm, VM_STOPPED);
	}
	vm->is_new = false;
	free(vm->output);
	vm->output = NULL;
	vm->output_length = 0;
}

/* ---- stopping ---- */

static void stop_answered(void *context, const json_t *result UNUSED, const char *problem)
{
	struct vm *vm = context;

	if (problem)
		vm_log_say(&vm->log, "while stopping: %s", problem);
}

static void press_button(struct vm *vm)
{
	/* One that is paused would not notice. */
	api_client_request(&vm->api, "resume", stop_answered, vm);
	api_client_request(&vm->api, "powerdown", stop_answered, vm);
}

static void pull_plug(struct vm *vm)
{
	if (vm_is_up(vm))
		api_client_request(&vm->api, "quit", stop_answered, vm);
	else
		process_signal(&vm->process, SIGTERM);
}

static void stop_step(struct vm *vm)
{
	uint64_t stopping_ms = clock_now_ms() - vm->since_ms;
	uint32_t timeout_ms = vm->host->stop_timeout_ms;

	if (stopping_ms < timeout_ms && vm_is_up(vm)) {
		press_button(vm);
		step_after(vm, min_u64(BUTTON_PERIOD_MS, timeout_ms - stopping_ms));
	} else if (!vm->nr_steps++) {
		vm_log_say(&vm->log, "still running after %llu s: pulling the plug",
			   (unsigned long long)stopping_ms / 1000);
		pull_plug(vm);
		step_after(vm, QUIT_TIMEOUT_MS);
	} else {
		vm_log_say(&vm->log, "bhvm doesn't end: killed");
		process_signal(&vm->process, SIGKILL);
	}
}

/* ---- the end ---- */

static void run_ended(struct vm *vm, const struct ending *ending)
{
	uint64_t now_ms = clock_now_ms();
	uint32_t delay_ms;
	char how[64];

	vm->ending = *ending;
	/* It has said itself that it is about to end as it should. */
	if (ending->code == ENDING_UNSEEN && vm->is_wanted && vm->state == VM_STOPPING)
		vm->ending.code = BHVM_POWERED_OFF;
	ending = &vm->ending;
	vm->has_ended_before = true;
	ending_describe(ending, how, sizeof(how));
	if (!vm->is_wanted) {
		vm_log_say(&vm->log, "ended %s", how);
		set_state(vm, VM_STOPPED);
		return;
	}

	vm->is_wanted = restart_decide(&vm->restart, vm->document.restart, ending,
				       now_ms - vm->started_ms, &delay_ms);
	if (vm->is_wanted)
		timer_set(vm->host->timers, &vm->restart_timer, now_ms + delay_ms);
	if (!ending->by_signal && ending->code == BHVM_USER_MISTAKE)
		fail(vm, "%s", last_words(vm));
	else if (!ending->by_signal && ending->code > 0)
		fail(vm, "bhvm ended %s: %s", how, last_words(vm));
	else if (ending->by_signal && ending->code == SIGKILL)
		fail(vm,
		     "bhvm ended %s, not by bhd: where the host's memory had run out, run fewer VMs or give them less",
		     how);
	else if (ending->by_signal || ending->code == ENDING_UNSEEN)
		fail(vm, "bhvm ended %s", how);
	else {
		vm_log_say(&vm->log, "the guest has powered off");
		set_state(vm, VM_STOPPED);
	}
}

/* ---- what is called from outside the state machine ---- */

static void process_output(void *context, enum process_stream stream, const char *bytes, size_t n)
{
	struct vm *vm = context;

	if (stream == PROCESS_STDOUT && vm->state == VM_CHECKING)
		check_output(vm, bytes, n);
	else
		vm_log_append(&vm->log, bytes, n);
}

static void process_ended(void *context, const struct ending *ending)
{
	struct vm *vm = context;

	timer_cancel(vm->host->timers, &vm->step_timer);
	console_link_close(&vm->console);
	api_client_close(&vm->api, "bhvm has ended");
	if (vm->state == VM_CHECKING)
		check_ended(vm, ending);
	else
		run_ended(vm, ending);
}

static void step(void *context)
{
	struct vm *vm = context;

	switch (vm->state) {
	case VM_CHECKING:
		process_signal(&vm->process, SIGKILL);
		break;
	case VM_STARTING:
	case VM_RUNNING:
	case VM_PAUSED:
		connect_step(vm);
		break;
	case VM_STOPPING:
		if (!vm->is_wanted)
			stop_step(vm);
		break;
	case VM_STOPPED:
	case VM_FAILED:
	case VM_STATES:
		break;
	}
}

/* ---- what people ask for ---- */

void vm_load(struct vm *vm)
{
	if (!vm->process.pid && !vm->restart_timer.is_set)
		check(vm);
}

bool vm_start(struct vm *vm)
{
	bool was_wanted = vm->is_wanted;

	vm->is_wanted = true;
	if (vm->state == VM_CHECKING)
		return !was_wanted;
	if (vm->process.pid) {
		vm->is_wanted = was_wanted;
		return false;
	}
	timer_cancel(vm->host->timers, &vm->restart_timer);
	vm->restart = (struct restart){ 0 };
	check(vm);
	return true;
}

bool vm_stop(struct vm *vm)
{
	bool was_wanted = vm->is_wanted;

	vm->is_wanted = false;
	if (vm->state == VM_CHECKING) {
		vm->is_new = false;
		return true;
	}
	if (vm->process.pid) {
		set_state(vm, VM_STOPPING);
		if (was_wanted)
			stop_step(vm);
		return was_wanted;
	}
	if (!vm->restart_timer.is_set)
		return false;
	timer_cancel(vm->host->timers, &vm->restart_timer);
	set_state(vm, VM_STOPPED);
	return true;
}

bool vm_kill(struct vm *vm)
{
	if (!vm->process.pid)
		return vm_stop(vm);
	vm->is_wanted = false;
	vm->is_new = false;
	process_signal(&vm->process, SIGKILL);
	if (vm->state != VM_CHECKING)
		set_state(vm, VM_STOPPING);
	return true;
}

struct vm *vm_create(struct vm_host *host, const char *path)
{
	static const struct process_ops process_ops = { process_output, process_ended };
	static const struct api_client_ops api_ops = { api_event, api_lost };
	struct vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->path = strdup(path);
	if (!vm->path) {
		free(vm);
		return NULL;
	}
	vm->host = host;
	vm->since_ms = clock_now_ms();
	vm->is_new = true;
	vm->restart_timer = (struct timer){ restart_is_due, vm };
	vm->step_timer = (struct timer){ step, vm };
	vm_document_name(path, vm->name);
	process_init(&vm->process, &host->processes, &process_ops, vm);
	api_client_init(&vm->api, host->loop, host->timers, &api_ops, vm);
	console_link_init(&vm->console, host->loop, console_lost, vm);
	return vm;
}

void vm_destroy(struct vm *vm)
{
	timer_cancel(vm->host->timers, &vm->restart_timer);
	timer_cancel(vm->host->timers, &vm->step_timer);
	vm_document_destroy(&vm->document);
	json_decref(vm->stats);
	free(vm->output);
	free(vm->path);
	free(vm);
}
