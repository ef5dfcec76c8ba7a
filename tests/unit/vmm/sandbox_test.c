/*
 * The sandbox of a device's thread: what becomes of the process when that thread makes a call it may not make, and
 * when it crashes. Each in a child of its own, since there is no way back.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/terminal.h"
#include "tests/support/cmocka.h"
#include "vmm/sandbox.h"

enum { CHILD_MISTAKE = 3 };

struct terminal {
	int near, far;
};

static void terminal_make(struct terminal *terminal)
{
	terminal->near = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->near >= 0);
	assert_int_equal(grantpt(terminal->near) || unlockpt(terminal->near), 0);
	terminal->far = open(ptsname(terminal->near), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal->far >= 0);
}

static void terminal_destroy(struct terminal *terminal)
{
	close(terminal->far);
	close(terminal->near);
}

static bool is_cooked(const struct terminal *terminal)
{
	struct termios mode;

	assert_int_equal(tcgetattr(terminal->far, &mode), 0);
	return (mode.c_lflag & ICANON) && !(fcntl(terminal->far, F_GETFL) & O_NONBLOCK);
}

static void *misbehave(void *argument)
{
	void (*misdeed)(void) = argument;

	if (sandbox_enter(SYSCALL_WORKER))
		_exit(CHILD_MISTAKE);
	misdeed();
	return NULL;
}

/* The sanitizers' handlers would come first, and call what the sandbox doesn't let through. */
static void forget_handlers(void)
{
	const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
}

static void live_with(const struct terminal *terminal, void (*misdeed)(void))
{
	struct errmsg why;
	pthread_t thread;

	forget_handlers();
	if (!terminal_borrow(terminal->far, terminal->far) || sandbox_prepare(&why) ||
	    pthread_create(&thread, NULL, misbehave, misdeed))
		_exit(CHILD_MISTAKE);
	pthread_join(thread, NULL);
	_exit(EXIT_SUCCESS);
}

/* Returns how a process ended in which a device's thread did that. */
static int end_of(const struct terminal *terminal, void (*misdeed)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		live_with(terminal, misdeed);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* Without the library: at a thread's end, and before what doesn't return, the sanitizers make calls of their own. */
static void end_well(void)
{
	(void)syscall(SYS_exit_group, EXIT_SUCCESS);
}

static void open_a_file(void)
{
	(void)open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void push_a_key(void)
{
	(void)ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static void kill_another(void)
{
	(void)kill(getppid(), 0);
}

static void run_into_a_trap(void)
{
	__builtin_trap();
}

static void abort_itself(void)
{
	raise(SIGABRT);
}

static void a_thread_within_its_limits_lives(void **state UNUSED)
{
	struct terminal terminal;

	terminal_make(&terminal);
	assert_int_equal(end_of(&terminal, end_well), 0);
	assert_false(is_cooked(&terminal)); /* nobody gave it back: it was borrowed */
	terminal_destroy(&terminal);
}

static void a_call_beyond_them_kills_the_process(void **state UNUSED)
{
	void (*const misdeeds[])(void) = { open_a_file, push_a_key, kill_another };
	struct terminal terminal;

	terminal_make(&terminal);
	for (size_t i = 0; i < ARRAY_SIZE(misdeeds); i++) {
		int status = end_of(&terminal, misdeeds[i]);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
	terminal_destroy(&terminal);
}

static void a_crash_gives_the_terminal_back(void **state UNUSED)
{
	static const struct {
		void (*misdeed)(void);
		int signal;
	} crashes[] = { { run_into_a_trap, SIGILL }, { abort_itself, SIGABRT } };
	struct terminal terminal;

	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
		int status;

		terminal_make(&terminal);
		status = end_of(&terminal, crashes[i].misdeed);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), crashes[i].signal);
		assert_true(is_cooked(&terminal));
		terminal_destroy(&terminal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_within_its_limits_lives),
		cmocka_unit_test(a_call_beyond_them_kills_the_process),
		cmocka_unit_test(a_crash_gives_the_terminal_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
