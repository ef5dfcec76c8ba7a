/*
 * The machine's console as a file: see console.h.
 */
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <linux/stat.h>

#include "kernel/dev/print.h"
#include "kernel/fs/console.h"
#include "kernel/mem/user.h"

enum { PIECE_BYTES = 256 };

static int64_t console_write(struct file *file, struct uio *uio)
{
	char piece[PIECE_BYTES];
	int64_t done = 0;

	(void)file;
	while (uio->left) {
		int64_t got = uio_take(uio, piece, sizeof(piece));

		if (got <= 0)
			return done ? done : got;
		print_bytes(piece, (size_t)got);
		done += got;
	}
	return done;
}

static int console_stat(struct file *file, struct file_stat *out)
{
	(void)file;
	*out = (struct file_stat){ .mode = S_IFCHR | 0600, .links = 1, .device = 0x501 };
	return 0;
}

static const struct file_ops console_ops = {
	.name = "console",
	.write = console_write,
	.stat = console_stat,
};

struct file *console_open_file(void)
{
	return file_create(&console_ops, NULL, O_RDWR);
}
