/*
 * What a VM's monitor and bhd have to say about it: see vm_log.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/vm_log.h"

static void append(struct vm_log *log, const char *bytes, size_t n)
{
	backlog_append(&log->backlog, (const uint8_t *)bytes, n);
}

static void stamp_line(struct vm_log *log)
{
	time_t now = time(NULL);
	struct tm parts;
	char stamp[16];

	if (gmtime_r(&now, &parts) && strftime(stamp, sizeof(stamp), "%H:%M:%S ", &parts))
		append(log, stamp, strlen(stamp));
}

void vm_log_begin(struct vm_log *log)
{
	log->last_line[0] = '\0';
	log->last_line_length = 0;
}

static void remember(struct vm_log *log, const char *bytes, size_t n)
{
	n = min_u64(n, sizeof(log->last_line) - 1 - log->last_line_length);
	memcpy(log->last_line + log->last_line_length, bytes, n);
	log->last_line_length += n;
	log->last_line[log->last_line_length] = '\0';
}

void vm_log_append(struct vm_log *log, const char *bytes, size_t n)
{
	while (n) {
		const char *newline = memchr(bytes, '\n', n);
		size_t piece = newline ? (size_t)(newline + 1 - bytes) : n;

		if (!log->is_in_line) {
			stamp_line(log);
			vm_log_begin(log);
		}
		append(log, bytes, piece);
		remember(log, bytes, newline ? piece - 1 : piece);
		log->is_in_line = !newline;
		bytes += piece;
		n -= piece;
	}
}

void vm_log_say(struct vm_log *log, const char *format, ...)
{
	char text[VM_LOG_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	if (log->is_in_line)
		append(log, "\n", 1);
	log->is_in_line = false;
	stamp_line(log);
	append(log, "bhd: ", strlen("bhd: "));
	append(log, text, strlen(text));
	append(log, "\n", 1);
}
