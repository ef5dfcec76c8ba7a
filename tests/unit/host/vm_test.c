/*
 * A supervised VM from its document to its end, with a bhvm that behaves as the document says: this
 * program itself, started again (fake_bhvm()).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wakeup.h"
#include "host/vm_list.h"
#include "tests/support/cmocka.h"

/* ---- the far end ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4))
		exit(77);
	return fd;
}

static bool asks_for(const char *line, const char *command)
{
	char text[64];

	snprintf(text, sizeof(text), "\"command\": \"%s\"", command);
	return strstr(line, text);
}

static bool behaves(const char *document, const char *how)
{
	return strstr(document, how);
}

static void fake_answer(FILE *out, const char *line, const char *document)
{
	int id = 0;

	(void)sscanf(line, "{\"id\": %d", &id);
	if (behaves(document, "talk garbage"))
		fputs("garbage\n", out);
	else if (asks_for(line, "state"))
		fprintf(out, "{\"id\":%d,\"ok\":true,\"result\":{\"state\":\"running\"}}\n", id);
	else
		fprintf(out, "{\"id\":%d,\"ok\":true,\"result\":{}}\n", id);
	if (asks_for(line, "pause"))
		fputs("{\"event\":\"state\",\"data\":{\"state\":\"paused\"}}\n", out);
	fflush(out);
}

/* Serves one connection after the other. */
static void fake_serve(int api, const char *document)
{
	char line[256];

	for (;;) {
		int fd = accept(api, NULL, NULL);
		FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

		while (in && out && fgets(line, sizeof(line), in)) {
			fake_answer(out, line, document);
			if (asks_for(line, "powerdown") && !behaves(document, "ignore the button"))
				exit(0);
			if (asks_for(line, "quit") && !behaves(document, "ignore the plug"))
				exit(0);
		}
		fclose(in);
		fclose(out);
	}
}

/* bhvm --config FILE --name NAME ([--dump-config] | --console unix:PATH --api-socket PATH) */
static int fake_bhvm(int argc, char *argv[])
{
	char document[1024] = "";
	FILE *file = fopen(argv[2], "r");
	int console, fd;

	if (file && fread(document, 1, sizeof(document) - 1, file))
		fclose(file);
	if (argc == 6) {
		if (behaves(document, "bad")) {
			fprintf(stderr, "bhvm: error: %s: bad: unknown key\n", argv[2]);
			return 2;
		}
		printf("{\"autostart\": %s, \"restart\": \"%s\", \"cpus\": 1, \"memory\": \"64M\"}\n",
		       behaves(document, "not by itself") ? "false" : "true",
		       behaves(document, "start again") ? "on-failure" : "never");
		return 0;
	}
	if (behaves(document, "crash at once"))
		raise(SIGKILL);
	if (behaves(document, "fail at once")) {
		fprintf(stderr, "bhvm: error: no KVM here\n");
		return 1;
	}
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	console = listen_at(argv[6] + strlen("unix:"));
	if (behaves(document, "hang at once"))
		pause();
	fd = listen_at(argv[8]);
	fprintf(stderr, "bhvm: ready\n");
	if (fork() == 0) {
		int client;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		client = accept(console, NULL, NULL);

		if (write(client, "login: ", 7) < 0)
			return 1;
		pause();
	}
	fake_serve(fd, document);
	return 0;
}

/* ---- this end ---- */

struct bench {
	struct loop loop;
	struct timers timers;
	struct vm_host host;
	struct vm_list list;
	struct wakeup child;
	char folder[64];
	char told[1024];
	uint64_t skipped_ms; /* by which the timers' clock is ahead */
};

static struct bench *signalled;

static void on_child(int number UNUSED)
{
	wakeup_raise(&signalled->child);
}

static void child_ended(void *context)
{
	struct bench *bench = context;

	processes_reap(&bench->host.processes);
}

static void note(struct bench *bench, const char *text)
{
	size_t length = strlen(bench->told);

	snprintf(bench->told + length, sizeof(bench->told) - length, "%s ", text);
}

static void vm_changed(void *context, struct vm *vm, enum vm_state before UNUSED)
{
	note(context, vm_state_name(vm->state));
}

static void list_problem(void *context, const char *text)
{
	note(context, text);
}

static int bench_start(void **state)
{
	const struct sigaction action = { .sa_handler = on_child };
	struct bench *bench = calloc(1, sizeof(*bench));

	signalled = bench;
	strcpy(bench->folder, "/tmp/vm-test-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	assert_int_equal(loop_create(&bench->loop), 0);
	assert_int_equal(wakeup_create(&bench->child, &bench->loop, child_ended, bench), 0);
	sigaction(SIGCHLD, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	bench->host = (struct vm_host){ .loop = &bench->loop,
					.timers = &bench->timers,
					.processes = { .loop = &bench->loop },
					.bhvm = "/proc/self/exe",
					.run_dir = bench->folder,
					.stop_timeout_ms = 60000,
					.changed = vm_changed,
					.context = bench };
	bench->list = (struct vm_list){ .host = &bench->host,
					.folder = bench->folder,
					.problem = list_problem,
					.context = bench };
	*state = bench;
	return 0;
}

static void turn(struct bench *bench)
{
	assert_int_equal(loop_turn(&bench->loop, 5), 0);
	timers_run(&bench->timers, clock_now_ms() + bench->skipped_ms);
}

/* Turns until the VM is in @state: a test that waits for ever is ended by its runner. */
static void await(struct bench *bench, const struct vm *vm, enum vm_state state)
{
	while (vm->state != state)
		turn(bench);
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;
	char command[128];

	for (size_t i = 0; i < bench->list.nr_vms; i++) {
		vm_kill(bench->list.vms[i]);
		while (vm_is_busy(bench->list.vms[i]))
			turn(bench);
	}
	vm_list_destroy(&bench->list);
	signal(SIGCHLD, SIG_DFL);
	wakeup_destroy(&bench->child);
	loop_destroy(&bench->loop);
	snprintf(command, sizeof(command), "rm -rf %s", bench->folder);
	assert_int_equal(system(command), 0);
	free(bench);
	return 0;
}

static void write_document(struct bench *bench, const char *name, const char *how)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.json", bench->folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"description\": \"%s\"}", how);
	fclose(file);
}

static void reload(struct bench *bench)
{
	struct errmsg why = { 0 };

	assert_int_equal(vm_list_reload(&bench->list, &why), 0);
}

/* The VM of the only document, which says @how its bhvm behaves. */
static struct vm *only_vm(struct bench *bench, const char *how)
{
	write_document(bench, "web", how);
	reload(bench);
	assert_int_equal(bench->list.nr_vms, 1);
	return bench->list.vms[0];
}

static void one_with_autostart_comes_up(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "well");

	await(bench, vm, VM_RUNNING);
	assert_string_equal(bench->told, "checking starting running ");
	assert_string_equal(vm->name, "web");
}

static void one_without_waits_to_be_asked(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "not by itself");

	await(bench, vm, VM_STOPPED);
	while (vm_is_busy(vm))
		turn(bench);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_true(vm_start(vm));
	await(bench, vm, VM_RUNNING);
	assert_false(vm_start(vm));
}

static void what_the_guest_prints_is_kept(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "well");
	char text[16] = "";

	while (vm->console.history.length < 7)
		turn(bench);
	backlog_copy_newest(&vm->console.history, (uint8_t *)text, sizeof(text));
	assert_string_equal(text, "login: ");
}

static void a_bad_document_stops_nobody_else(void **state)
{
	struct bench *bench = *state;

	write_document(bench, "a", "bad");
	write_document(bench, "b", "well");
	reload(bench);
	await(bench, bench->list.vms[0], VM_FAILED);
	await(bench, bench->list.vms[1], VM_RUNNING);
	assert_non_null(strstr(bench->list.vms[0]->why, "a.json: bad: unknown key"));
}

static void a_document_put_right_starts(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "bad");

	await(bench, vm, VM_FAILED);
	write_document(bench, "web", "well");
	assert_true(vm_start(vm));
	await(bench, vm, VM_RUNNING);
}

static void a_failure_says_why_and_is_left_alone_by_never(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "fail at once");

	await(bench, vm, VM_FAILED);
	assert_string_equal(vm->why, "bhvm ended with status 1: no KVM here");
	assert_false(vm_is_busy(vm));
}

static void a_crash_is_started_again_later_and_later(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "crash at once, start again");

	await(bench, vm, VM_FAILED);
	assert_non_null(strstr(vm->why, "bhvm ended by signal 9 (Killed), not by bhd"));
	assert_int_equal(vm->restart.delay_ms, 1000);
	bench->skipped_ms = 1200;
	while (vm->restart.nr_restarts < 2)
		turn(bench);
	assert_int_equal(vm->restart.delay_ms, 2000);
	assert_true(vm_stop(vm));
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(vm_is_busy(vm));
}

static void stopping_presses_the_button_and_is_not_undone(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "well, start again");

	await(bench, vm, VM_RUNNING);
	assert_true(vm_stop(vm));
	assert_int_equal(vm->state, VM_STOPPING);
	assert_false(vm_stop(vm));
	await(bench, vm, VM_STOPPED);
	assert_false(vm_is_busy(vm));
	assert_false(vm->ending.by_signal);
}

static void who_ignores_the_button_has_the_plug_pulled(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "ignore the button");

	await(bench, vm, VM_RUNNING);
	bench->host.stop_timeout_ms = 0;
	assert_true(vm_stop(vm));
	await(bench, vm, VM_STOPPED);
	assert_false(vm->ending.by_signal);
}

static void who_ignores_the_plug_too_is_killed(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "ignore the button, ignore the plug");

	await(bench, vm, VM_RUNNING);
	bench->host.stop_timeout_ms = 0;
	assert_true(vm_stop(vm));
	bench->skipped_ms = 10000;
	await(bench, vm, VM_STOPPED);
	assert_true(vm->ending.by_signal);
}

static void one_that_hangs_before_it_listens_can_be_killed(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "hang at once");

	await(bench, vm, VM_STARTING);
	for (int i = 0; i < 20; i++)
		turn(bench);
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm_kill(vm));
	await(bench, vm, VM_STOPPED);
}

static void one_that_talks_garbage_is_asked_again_and_can_be_stopped(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "talk garbage");

	await(bench, vm, VM_STARTING);
	bench->skipped_ms = 2000;
	for (int i = 0; i < 40; i++)
		turn(bench);
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm_kill(vm));
	await(bench, vm, VM_STOPPED);
}

static void ignore_answer(void *context UNUSED, const json_t *result UNUSED,
			  const char *problem UNUSED)
{
}

static void an_event_changes_the_state(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "well");

	await(bench, vm, VM_RUNNING);
	api_client_request(&vm->api, "pause", ignore_answer, NULL);
	await(bench, vm, VM_PAUSED);
}

static void a_program_that_is_not_there_is_a_failure(void **state)
{
	struct bench *bench = *state;
	struct vm *vm;

	bench->host.bhvm = "/nonexistent/bhvm";
	vm = only_vm(bench, "well");
	assert_int_equal(vm->state, VM_FAILED);
	assert_non_null(strstr(vm->why, "/nonexistent/bhvm can't be started: No such file"));
	bench->host.bhvm = "/proc/self/exe";
}

static void new_documents_come_and_vanished_ones_go(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "not by itself");
	char path[128];

	while (vm_is_busy(vm))
		turn(bench);
	write_document(bench, "db", "not by itself");
	snprintf(path, sizeof(path), "%s/web.json", bench->folder);
	assert_int_equal(unlink(path), 0);
	reload(bench);
	assert_int_equal(bench->list.nr_vms, 1);
	assert_non_null(vm_list_find(&bench->list, "db"));
	assert_null(vm_list_find(&bench->list, "web"));
}

static void one_that_runs_outlives_its_document(void **state)
{
	struct bench *bench = *state;
	struct vm *vm = only_vm(bench, "well");
	char path[128];

	await(bench, vm, VM_RUNNING);
	snprintf(path, sizeof(path), "%s/web.json", bench->folder);
	assert_int_equal(unlink(path), 0);
	reload(bench);
	assert_ptr_equal(vm_list_find(&bench->list, "web"), vm);
}

static void two_documents_with_one_name_make_one_vm(void **state)
{
	struct bench *bench = *state;
	char path[128];
	FILE *file;

	write_document(bench, "a", "not by itself");
	snprintf(path, sizeof(path), "%s/b.json", bench->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("{\"name\": \"a\"}", file);
	fclose(file);
	reload(bench);
	assert_int_equal(bench->list.nr_vms, 1);
	assert_non_null(strstr(bench->told, "b.json: the name \"a\" is taken by"));
}

/* ---- adopting ---- */

static bool is_there(struct bench *bench, const char *socket)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", bench->folder, socket);
	return !access(path, F_OK);
}

/* A bhvm of the VM "web" that no bhd of this test has started. */
static pid_t left_behind(struct bench *bench, const char *how)
{
	char document[128], console[128], api[128];
	pid_t pid;

	write_document(bench, "web", how);
	snprintf(document, sizeof(document), "%s/web.json", bench->folder);
	snprintf(console, sizeof(console), "unix:%s/web.console", bench->folder);
	snprintf(api, sizeof(api), "%s/web.api", bench->folder);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "bhvm", "--config", document, "--name", "web", "--console",
		      console, "--api-socket", api, NULL);
		_exit(127);
	}
	while (!is_there(bench, "web.api"))
		usleep(1000);
	usleep(10000); /* until it listens there */
	return pid;
}

static struct vm *adopted_vm(struct bench *bench)
{
	reload(bench);
	await(bench, bench->list.vms[0], VM_RUNNING);
	return bench->list.vms[0];
}

static void one_left_behind_is_adopted(void **state)
{
	struct bench *bench = *state;
	pid_t pid = left_behind(bench, "not by itself");
	struct vm *vm = adopted_vm(bench);

	assert_int_equal(vm->process.pid, pid);
	assert_string_equal(bench->told, "checking starting running ");
	while (vm->console.history.length < 7)
		turn(bench);
	assert_true(vm_stop(vm));
	await(bench, vm, VM_STOPPED);
	assert_false(vm_is_busy(vm));
	assert_true(vm_start(vm));
	await(bench, vm, VM_RUNNING);
	assert_int_not_equal(vm->process.pid, pid);
}

static void one_adopted_that_dies_is_started_again(void **state)
{
	struct bench *bench = *state;
	pid_t pid = left_behind(bench, "start again");
	struct vm *vm = adopted_vm(bench);

	kill(pid, SIGKILL);
	await(bench, vm, VM_FAILED);
	assert_string_equal(vm->why, "bhvm ended unseen: an earlier bhd had started it");
	bench->skipped_ms += RESTART_DELAY_MIN_MS;
	await(bench, vm, VM_RUNNING);
}

static void one_adopted_can_be_killed(void **state)
{
	struct bench *bench = *state;
	struct vm *vm;

	left_behind(bench, "ignore the plug");
	vm = adopted_vm(bench);
	assert_true(vm_kill(vm));
	await(bench, vm, VM_STOPPED);
}

static void one_adopted_outlives_its_bad_document(void **state)
{
	struct bench *bench = *state;
	struct vm *vm;

	left_behind(bench, "well");
	write_document(bench, "web", "bad");
	vm = adopted_vm(bench);
	assert_true(vm_stop(vm));
	await(bench, vm, VM_STOPPED);
}

static void a_socket_that_nobody_listens_at_is_nobody_to_adopt(void **state)
{
	struct bench *bench = *state;
	pid_t pid = left_behind(bench, "well");
	struct vm *vm;

	kill(pid, SIGKILL);
	while (kill(pid, 0) == 0)
		turn(bench);
	vm = adopted_vm(bench);
	assert_int_not_equal(vm->process.pid, pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(one_with_autostart_comes_up),
		TEST(one_without_waits_to_be_asked),
		TEST(what_the_guest_prints_is_kept),
		TEST(a_bad_document_stops_nobody_else),
		TEST(a_document_put_right_starts),
		TEST(a_failure_says_why_and_is_left_alone_by_never),
		TEST(a_crash_is_started_again_later_and_later),
		TEST(stopping_presses_the_button_and_is_not_undone),
		TEST(who_ignores_the_button_has_the_plug_pulled),
		TEST(who_ignores_the_plug_too_is_killed),
		TEST(one_that_hangs_before_it_listens_can_be_killed),
		TEST(one_that_talks_garbage_is_asked_again_and_can_be_stopped),
		TEST(an_event_changes_the_state),
		TEST(a_program_that_is_not_there_is_a_failure),
		TEST(new_documents_come_and_vanished_ones_go),
		TEST(one_that_runs_outlives_its_document),
		TEST(two_documents_with_one_name_make_one_vm),
		TEST(one_left_behind_is_adopted),
		TEST(one_adopted_that_dies_is_started_again),
		TEST(one_adopted_can_be_killed),
		TEST(one_adopted_outlives_its_bad_document),
		TEST(a_socket_that_nobody_listens_at_is_nobody_to_adopt),
	};

	if (argc > 1)
		return fake_bhvm(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
