/*
 * What the kernel says: see print.h.
 */
#include <string.h>

#include "kernel/arch/spinlock.h"
#include "kernel/dev/print.h"
#include "kernel/dev/screen.h"
#include "kernel/dev/serial.h"
#include "lib/format.h"

enum { LINE_BYTES = 512, RING_BYTES = 16384 };

/* Fields: [L] print_lock */
static struct spinlock print_lock;
static char ring[RING_BYTES];  /* [L] what was said last: for debuggers (tools/gdb/) */
static uint64_t ring_position; /* [L] how much has been written to it */

static void keep(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		ring[ring_position++ % RING_BYTES] = bytes[i];
}

static void put(const char *bytes, size_t size)
{
	serial_write(bytes, size);
	screen_write(bytes, size);
	keep(bytes, size);
}

void print_bytes(const char *bytes, size_t size)
{
	uint64_t flags = spin_lock_irqsave(&print_lock);

	put(bytes, size);
	spin_unlock_irqrestore(&print_lock, flags);
}

/* Not behind what ring 3, or somebody who types, has begun. */
static void put_line(const char *line, size_t size)
{
	uint64_t flags = spin_lock_irqsave(&print_lock);

	if (ring_position && ring[(ring_position - 1) % RING_BYTES] != '\n')
		put("\n", 1);
	put(line, size);
	spin_unlock_irqrestore(&print_lock, flags);
}

void print(const char *format, ...)
{
	char line[LINE_BYTES];
	size_t length = format_text(line, sizeof(line), "bulkhead: ");
	va_list args;

	va_start(args, format);
	length += format_args(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	put_line(line, length);
}

void print_again(void)
{
	screen_write(ring, (size_t)min_u64(ring_position, RING_BYTES));
}

void print_break_lock(void)
{
	print_lock = (struct spinlock){ 0 };
}
