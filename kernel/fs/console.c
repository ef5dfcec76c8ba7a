/*
 * The machine's console as a file: see console.h.
 */
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"
#include "kernel/fs/console.h"
#include "kernel/fs/node.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"

enum {
	PIECE_BYTES = 256,
	RAW_BYTES = 256,
	INPUT_BYTES = 4096,
	FOREGROUND = 1, /* the group that the terminal's signals are for: the first process's */
};

/* Fields: [L] lock  [K] the console's thread alone  [a] atomic */
struct terminal {
	struct spinlock lock;
	uint8_t raw[RAW_BYTES];	   /* [L] as it came, a ring */
	uint32_t raw_put, raw_got; /* [L, a] */
	struct waitq came;	   /* the thread waits here for more */
	char input[INPUT_BYTES];   /* [L] for readers, a ring */
	uint32_t put, got;	   /* [L, a] */
	uint32_t line_end;	   /* [L, a] canonical mode: up to where lines are whole */
	bool is_at_end;		   /* [L, a] ^D at the start of a line: one read finds the end */
	struct termios mode;	   /* [L] */
	struct winsize size;	   /* [L] */
	struct waitq ready;
};

static struct terminal terminal = {
	.came = WAITQ(terminal.came),
	.ready = WAITQ(terminal.ready),
	.size = { .ws_row = 25, .ws_col = 80 },
	.mode = { .c_iflag = ICRNL | IXON,
		  .c_oflag = OPOST | ONLCR,
		  .c_cflag = B115200 | CS8 | CREAD | HUPCL,
		  .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		  .c_cc = { [VINTR] = 3,
			    [VQUIT] = 28,
			    [VERASE] = 127,
			    [VKILL] = 21,
			    [VEOF] = 4,
			    [VMIN] = 1,
			    [VSTART] = 17,
			    [VSTOP] = 19,
			    [VSUSP] = 26 } },
};

/* --- input --- */

/* From the interrupt. What nobody takes in time is lost, as on any serial line. */
static void received(uint8_t byte)
{
	uint64_t flags = spin_lock_irqsave(&terminal.lock);

	if (terminal.raw_put - terminal.raw_got < RAW_BYTES)
		terminal.raw[terminal.raw_put++ % RAW_BYTES] = byte;
	spin_unlock_irqrestore(&terminal.lock, flags);
	waitq_wake(&terminal.came);
}

static bool take_raw(uint8_t *byte)
{
	uint64_t flags = spin_lock_irqsave(&terminal.lock);
	bool has_some = terminal.raw_put != terminal.raw_got;

	if (has_some)
		*byte = terminal.raw[terminal.raw_got++ % RAW_BYTES];
	spin_unlock_irqrestore(&terminal.lock, flags);
	return has_some;
}

static void send_to_group(struct process *process, void *context)
{
	const struct signal_info info = { .number = *(const int *)context, .code = SI_KERNEL };

	if (process->group == FOREGROUND)
		signal_send(process, &info);
}

/* Is it a control character that means a signal? */
static int signal_of(uint8_t c, const struct termios *mode)
{
	if (!(mode->c_lflag & ISIG) || !c)
		return 0;
	if (c == mode->c_cc[VINTR])
		return SIGINT;
	return c == mode->c_cc[VQUIT] ? SIGQUIT : 0;
}

static void append(char c, bool ends_line)
{
	if (terminal.put - terminal.got < INPUT_BYTES)
		terminal.input[terminal.put++ % INPUT_BYTES] = c;
	if (ends_line)
		terminal.line_end = terminal.put;
}

/* Takes back @count characters of the line that is being typed. Returns how many there were. */
static uint32_t erase(uint32_t count)
{
	uint32_t typed = terminal.put - terminal.line_end;

	if (count > typed)
		count = typed;
	terminal.put -= count;
	return count;
}

static size_t rub_out(char *echo, size_t size, uint32_t count)
{
	size_t at = 0;

	for (; count && at + 3 <= size; count--, at += 3)
		/* Not a string. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
		memcpy(echo + at, "\b \b", 3);
	return at;
}

/* One character by the rules of @mode; the lock is held. What is to be shown goes to @echo. */
static size_t type(uint8_t c, const struct termios *mode, char *echo, size_t size)
{
	bool is_canonical = mode->c_lflag & ICANON;

	if (c == '\r' && (mode->c_iflag & ICRNL))
		c = '\n';
	if (is_canonical && c == mode->c_cc[VERASE])
		return rub_out(echo, size, erase(1));
	if (is_canonical && c == mode->c_cc[VKILL])
		return rub_out(echo, size, erase(UINT32_MAX));
	if (is_canonical && c == mode->c_cc[VEOF]) {
		terminal.is_at_end = terminal.put == terminal.line_end;
		terminal.line_end = terminal.put;
		return 0;
	}
	append((char)c, !is_canonical || c == '\n');
	echo[0] = (char)c;
	return 1;
}

static void handle(uint8_t c)
{
	char echo[PIECE_BYTES];
	uint64_t flags = spin_lock_irqsave(&terminal.lock);
	struct termios mode = terminal.mode;
	int signal = signal_of(c, &mode);
	size_t length = 0;

	if (!signal)
		length = type(c, &mode, echo, sizeof(echo));
	else if (!(mode.c_lflag & NOFLSH))
		terminal.got = terminal.line_end = terminal.put;
	spin_unlock_irqrestore(&terminal.lock, flags);
	if (length && (mode.c_lflag & ECHO))
		print_bytes(echo, length);
	if (signal)
		process_for_each(send_to_group, &signal);
	waitq_wake_for(&terminal.ready, EPOLLIN | EPOLLRDNORM);
}

static _Noreturn void console_thread(void *argument UNUSED)
{
	uint8_t byte = 0;

	for (;;) {
		waitq_wait(&terminal.came, take_raw(&byte));
		handle(byte);
	}
}

/* --- reading --- */

static uint32_t readable_bytes(void)
{
	return __atomic_load_n(&terminal.line_end, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&terminal.got, __ATOMIC_ACQUIRE);
}

static bool is_readable(void)
{
	return readable_bytes() || __atomic_load_n(&terminal.is_at_end, __ATOMIC_ACQUIRE);
}

/* Up to a piece, and in canonical mode not beyond a line. */
static size_t take_input(char *piece, size_t size)
{
	uint64_t flags = spin_lock_irqsave(&terminal.lock);
	size_t length = 0;

	while (length < size && terminal.got != terminal.line_end) {
		piece[length] = terminal.input[terminal.got++ % INPUT_BYTES];
		if (piece[length++] == '\n' && (terminal.mode.c_lflag & ICANON))
			break;
	}
	if (!length)
		terminal.is_at_end = false;
	spin_unlock_irqrestore(&terminal.lock, flags);
	return length;
}

static int64_t console_read(struct file *file, struct uio *uio)
{
	char piece[PIECE_BYTES];
	size_t length;
	int err;

	if (!uio->left)
		return 0;
	if (!is_readable() && !(terminal.mode.c_lflag & ICANON) && !terminal.mode.c_cc[VMIN])
		return 0;
	err = file_wait(file, &terminal.ready, is_readable());
	if (err)
		return err;
	length = take_input(piece, min_u64(uio->left, sizeof(piece)));
	return length ? uio_put(uio, piece, length) : 0;
}

static int64_t console_write(struct file *file UNUSED, struct uio *uio)
{
	char piece[PIECE_BYTES];
	int64_t done = 0;

	while (uio->left) {
		int64_t got = uio_take(uio, piece, sizeof(piece));

		if (got <= 0)
			return done ? done : got;
		/* As much at a time as the port takes at once, with its newlines. */
		for (int64_t at = 0; at < got; at += SERIAL_BYTES / 2) {
			serial_wait();
			print_bytes(piece + at, min_u64((uint64_t)(got - at), SERIAL_BYTES / 2));
		}
		done += got;
	}
	return done;
}

static uint32_t console_poll(struct file *file UNUSED)
{
	return EPOLLOUT | EPOLLWRNORM | (is_readable() ? EPOLLIN | EPOLLRDNORM : 0u);
}

/* --- modes --- */

static void set_mode(const struct termios *mode, bool flushes)
{
	uint64_t flags = spin_lock_irqsave(&terminal.lock);

	terminal.mode = *mode;
	if (flushes)
		terminal.got = terminal.put;
	/* Half a line is readable, too, once lines don't count; and one that isn't whole waits when they do. */
	terminal.line_end = terminal.put;
	spin_unlock_irqrestore(&terminal.lock, flags);
	waitq_wake(&terminal.ready);
}

static int64_t mode_ioctl(uint32_t request, uint64_t argument)
{
	uint64_t flags = spin_lock_irqsave(&terminal.lock);
	struct termios mode = terminal.mode;

	spin_unlock_irqrestore(&terminal.lock, flags);
	if (request == TCGETS)
		return copy_to_user(argument, &mode, sizeof(mode));
	if (copy_from_user(&mode, argument, sizeof(mode)))
		return -EFAULT;
	set_mode(&mode, request == TCSETSF);
	return 0;
}

static int64_t console_ioctl(struct file *file UNUSED, uint32_t request, uint64_t argument)
{
	switch (request) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return mode_ioctl(request, argument);
	case TIOCGWINSZ:
		return copy_to_user(argument, &terminal.size, sizeof(terminal.size));
	case TIOCSWINSZ:
		return copy_from_user(&terminal.size, argument, sizeof(terminal.size));
	case FIONREAD:
		return put_user_u32(argument, readable_bytes());
	default:
		return -ENOTTY;
	}
}

static const struct file_ops console_ops = {
	.read = console_read,
	.write = console_write,
	.ioctl = console_ioctl,
	.poll = console_poll,
};

static int console_open(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	*out = file_create(&console_ops, NULL, &terminal.ready, flags);
	return *out ? 0 : -ENOMEM;
}

/* --- nothing at all --- */

static int64_t null_read(struct file *file UNUSED, struct uio *uio UNUSED)
{
	return 0;
}

static int64_t null_write(struct file *file UNUSED, struct uio *uio)
{
	return (int64_t)uio->left;
}

static const struct file_ops null_ops = {
	.read = null_read,
	.write = null_write,
};

static int null_open(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	*out = file_create(&null_ops, NULL, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

void console_init(void)
{
	struct thread *thread = thread_create(console_thread, NULL, "console");

	if (!thread)
		panic("no memory for the console");
	thread_wake(thread);
	node_make_special(CONSOLE_PATH, S_IFCHR | 0600, 5 << 8 | 1, console_open, NULL);
	node_make_special("/dev/tty", S_IFCHR | 0666, 5 << 8, console_open, NULL);
	node_make_special("/dev/ttyS0", S_IFCHR | 0600, 4 << 8 | 64, console_open, NULL);
	node_make_special("/dev/null", S_IFCHR | 0666, 1 << 8 | 3, null_open, NULL);
	serial_start_input(received);
}
