/*
 * printf-style formatting: see format.h.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/format.h"

enum { DIGITS_MAX = 24 };

struct output {
	char *buffer;
	size_t size, length;
};

/* One conversion: what stands between the percent sign and the letter. */
struct spec {
	bool is_left, is_zero, has_prefix, is_signed_space;
	size_t width, precision;
	bool has_precision;
	size_t bytes; /* of the integer */
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
	size_t length = 0;

	if (!text)
		text = "(null)";
	while ((!spec->has_precision || length < spec->precision) && text[length])
		length++;
	if (!spec->is_left)
		put_padding(out, ' ', spec->width, length);
	for (size_t i = 0; i < length; i++)
		put(out, text[i]);
	if (spec->is_left)
		put_padding(out, ' ', spec->width, length);
}

static size_t digits_of(uint64_t value, uint32_t base, bool is_upper, char *digits)
{
	const char *alphabet = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t n = 0;

	do {
		digits[n++] = alphabet[value % base];
		value /= base;
	} while (value);
	return n;
}

/* @sign: 0 for none. */
static void put_number(struct output *out, const struct spec *spec, uint64_t value, uint32_t base,
		       bool is_upper, char sign)
{
	char digits[DIGITS_MAX];
	size_t n = digits_of(value, base, is_upper, digits);
	size_t zeroes = spec->has_precision && spec->precision > n ? spec->precision - n : 0;
	size_t length = n + zeroes + (sign ? 1 : 0) + (spec->has_prefix ? 2 : 0);
	bool pads_zero = spec->is_zero && !spec->is_left && !spec->has_precision;

	if (!spec->is_left && !pads_zero)
		put_padding(out, ' ', spec->width, length);
	if (sign)
		put(out, sign);
	if (spec->has_prefix) {
		put(out, '0');
		put(out, 'x');
	}
	if (pads_zero)
		put_padding(out, '0', spec->width, length);
	put_padding(out, '0', zeroes, 0);
	while (n)
		put(out, digits[--n]);
	if (spec->is_left)
		put_padding(out, ' ', spec->width, length);
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
		if (**at == '-')
			spec->is_left = true;
		else if (**at == '0')
			spec->is_zero = true;
		else if (**at == '#')
			spec->has_prefix = true;
		else if (**at == ' ')
			spec->is_signed_space = true;
		else
			return;
	}
}

static void read_length(struct spec *spec, const char **at)
{
	spec->bytes = sizeof(int);
	if (**at == 'h') {
		spec->bytes = *++*at == 'h' ? 1 : 2;
		*at += spec->bytes == 1;
	} else if (**at == 'l' || **at == 'z' || **at == 'j' || **at == 't') {
		spec->bytes = 8;
		if (*(*at)++ == 'l' && **at == 'l')
			(*at)++;
	}
}

/* The @bytes low bytes of @value as a number with or without a sign. */
static uint64_t narrow(uint64_t value, size_t bytes, bool is_signed)
{
	uint32_t shift = (uint32_t)(64 - 8 * bytes);

	return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	char sign = value < 0 ? '-' : spec->is_signed_space ? ' ' : 0;

	put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, false, sign);
}

size_t format_args(char *buffer, size_t size, const char *format, va_list args)
{
	struct output out = { .buffer = buffer, .size = size };
	const char *at = format;

	while (*at) {
		struct spec spec = { 0 };
		const char *start = at;
		uint64_t value;

		if (*at++ != '%') {
			put(&out, *start);
			continue;
		}
		read_flags(&spec, &at);
		spec.width = *at == '*' ? (at++, (size_t)va_arg(args, int)) : read_number(&at);
		if (*at == '.') {
			at++;
			spec.has_precision = true;
			spec.precision = *at == '*' ? (at++, (size_t)va_arg(args, int))
						    : read_number(&at);
		}
		read_length(&spec, &at);

		switch (*at) {
		case 'd':
		case 'i':
			value = spec.bytes == 8 ? va_arg(args, uint64_t) : va_arg(args, uint32_t);
			spec.has_prefix = false;
			put_signed(&out, &spec, (int64_t)narrow(value, spec.bytes, true));
			break;
		case 'u':
		case 'x':
		case 'X':
			value = spec.bytes == 8 ? va_arg(args, uint64_t) : va_arg(args, uint32_t);
			spec.has_prefix &= *at != 'u';
			put_number(&out, &spec, narrow(value, spec.bytes, false),
				   *at == 'u' ? 10 : 16, *at == 'X', 0);
			break;
		case 'p':
			spec.has_prefix = true;
			put_number(&out, &spec, (uint64_t)va_arg(args, void *), 16, false, 0);
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
