/*
 * printf-style formatting: see format.h.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/format.h"

enum { DIGITS_MAX = 24 };

struct output {
	char *buffer;
	size_t size, length;
};

/* One conversion: what stands between the percent sign and the letter. */
struct spec {
	bool is_zero, has_prefix, is_long;
	size_t width;
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_padding(struct output *out, char c, size_t width, size_t length)
{
	while (length++ < width)
		put(out, c);
}

static void put_string(struct output *out, const struct spec *spec, const char *text)
{
	if (!text)
		text = "(null)";
	put_padding(out, ' ', spec->width, strlen(text));
	while (*text)
		put(out, *text++);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, uint32_t base,
		       bool is_negative)
{
	char digits[DIGITS_MAX];
	size_t n = 0, length;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	length = n + is_negative + (spec->has_prefix ? 2 : 0);
	if (!spec->is_zero)
		put_padding(out, ' ', spec->width, length);
	if (is_negative)
		put(out, '-');
	if (spec->has_prefix) {
		put(out, '0');
		put(out, 'x');
	}
	if (spec->is_zero)
		put_padding(out, '0', spec->width, length);
	while (n)
		put(out, digits[--n]);
}

static size_t read_number(const char **at)
{
	size_t value = 0;

	while (**at >= '0' && **at <= '9')
		value = value * 10 + (size_t)(*(*at)++ - '0');
	return value;
}

static void read_flags(struct spec *spec, const char **at)
{
	for (;; (*at)++) {
		if (**at == '0')
			spec->is_zero = true;
		else if (**at == '#')
			spec->has_prefix = true;
		else
			return;
	}
}

size_t format_args(char *buffer, size_t size, const char *format, va_list args)
{
	struct output out = { .buffer = buffer, .size = size };
	const char *at = format;

	while (*at) {
		struct spec spec = { 0 };
		const char *start = at;
		int64_t number;

		if (*at++ != '%') {
			put(&out, *start);
			continue;
		}
		read_flags(&spec, &at);
		spec.width = read_number(&at);
		spec.is_long = *at == 'l' || *at == 'z';
		at += spec.is_long;

		switch (*at) {
		case 'd':
			number = spec.is_long ? va_arg(args, int64_t) : va_arg(args, int32_t);
			put_number(&out, &spec, number < 0 ? -(uint64_t)number : (uint64_t)number,
				   10, number < 0);
			break;
		case 'u':
		case 'x':
			number = spec.is_long ? va_arg(args, int64_t) : va_arg(args, uint32_t);
			put_number(&out, &spec, (uint64_t)number, *at == 'u' ? 10 : 16, false);
			break;
		case 'c':
			put(&out, (char)va_arg(args, int));
			break;
		case 's':
			put_string(&out, &spec, va_arg(args, const char *));
			break;
		case '%':
			put(&out, '%');
			break;
		default: /* not ours: as it stands */
			while (start <= at && *start)
				put(&out, *start++);
			break;
		}
		if (*at)
			at++;
	}
	if (size)
		buffer[out.length < size ? out.length : size - 1] = '\0';
	return out.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	size_t length;

	va_start(args, format);
	length = format_args(buffer, size, format, args);
	va_end(args);
	return length;
}
