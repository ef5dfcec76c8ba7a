/*
 * The terminal, borrowed: see terminal.h.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>

#include "lib/compiler.h"
#include "base/terminal.h"

static struct {
	volatile sig_atomic_t is_borrowed;
	bool is_terminal;
	int in_fd, out_fd;
	int out_flags;
	struct termios mode;
} borrowed;

static const int deadly_signals[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
};

/* The handler is gone by now (SA_RESETHAND), so the signal does the second time what it always does. */
static void restore_and_die(int signal_number)
{
	terminal_restore();
	raise(signal_number);
}

static void catch_deadly_signals(void)
{
	struct sigaction action = {
		.sa_handler = restore_and_die,
		.sa_flags = (int)SA_RESETHAND,
	};
	struct sigaction present;

	for (size_t i = 0; i < ARRAY_SIZE(deadly_signals); i++)
		if (!sigaction(deadly_signals[i], NULL, &present) && present.sa_handler == SIG_DFL)
			sigaction(deadly_signals[i], &action, NULL);
}

static void make_raw(int fd, const struct termios *mode)
{
	struct termios raw = *mode;

	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	tcsetattr(fd, TCSANOW, &raw);
}

bool terminal_borrow(int in_fd, int out_fd)
{
	borrowed.in_fd = in_fd;
	borrowed.out_fd = out_fd;
	borrowed.is_terminal = !tcgetattr(in_fd, &borrowed.mode);
	borrowed.out_flags = fcntl(out_fd, F_GETFL);
	borrowed.is_borrowed = true;

	catch_deadly_signals();
	if (borrowed.out_flags >= 0)
		fcntl(out_fd, F_SETFL, borrowed.out_flags | O_NONBLOCK);
	if (borrowed.is_terminal)
		make_raw(in_fd, &borrowed.mode);
	return borrowed.is_terminal;
}

void terminal_restore(void)
{
	if (!borrowed.is_borrowed)
		return;
	borrowed.is_borrowed = false;
	if (borrowed.is_terminal)
		tcsetattr(borrowed.in_fd, TCSANOW, &borrowed.mode);
	if (borrowed.out_flags >= 0)
		fcntl(borrowed.out_fd, F_SETFL, borrowed.out_flags);
}
