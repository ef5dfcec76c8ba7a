/*
 * The kinds of value that a key may hold: how each is read, written and asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/schema_kinds.h"

static bool is_always_given(const struct schema_row *row UNUSED, const void *field UNUSED)
{
	return true;
}

static bool is_in_range(const struct schema_row *row, uint64_t value)
{
	return row->min <= value && value <= row->max;
}

/* ---- true or false ---- */

static void bool_expected(const struct schema_row *row UNUSED, char out[SCHEMA_EXPECTED_BYTES])
{
	snprintf(out, SCHEMA_EXPECTED_BYTES, "true or false");
}

static int bool_read(const struct schema_row *row UNUSED, const json_t *value, void *field)
{
	if (!json_is_boolean(value))
		return -EDOM;
	*(bool *)field = json_is_true(value);
	return 0;
}

static json_t *bool_write(const struct schema_row *row UNUSED, const void *field)
{
	return json_boolean(*(const bool *)field);
}

/* ---- a count ---- */

static void count_expected(const struct schema_row *row, char out[SCHEMA_EXPECTED_BYTES])
{
	snprintf(out, SCHEMA_EXPECTED_BYTES, "an integer from %" PRIu64 " to %" PRIu64, row->min,
		 row->max);
}

static int count_read(const struct schema_row *row, const json_t *value, void *field)
{
	json_int_t count = json_integer_value(value);

	if (!json_is_integer(value) || count < 0 || !is_in_range(row, (uint64_t)count))
		return -EDOM;
	*(uint32_t *)field = (uint32_t)count;
	return 0;
}

static bool count_is_given(const struct schema_row *row, const void *field)
{
	return row->preset || *(const uint32_t *)field;
}

static json_t *count_write(const struct schema_row *row UNUSED, const void *field)
{
	return json_integer(*(const uint32_t *)field);
}

/* ---- a size in bytes: 1048576, "1M" or "1MiB" ---- */

enum { SIZE_TEXT_BYTES = 24 };

static const struct size_unit {
	char letter;
	int shift;
} size_units[] = {
	{ 'T', 40 },
	{ 'G', 30 },
	{ 'M', 20 },
	{ 'K', 10 },
};

/* With the largest unit that leaves no rest. */
static void size_format(uint64_t bytes, char out[SIZE_TEXT_BYTES])
{
	for (size_t i = 0; i < ARRAY_SIZE(size_units); i++) {
		uint64_t rest = bytes & ((UINT64_C(1) << size_units[i].shift) - 1);

		if (bytes && !rest) {
			snprintf(out, SIZE_TEXT_BYTES, "%" PRIu64 "%c",
				 bytes >> size_units[i].shift, size_units[i].letter);
			return;
		}
	}
	snprintf(out, SIZE_TEXT_BYTES, "%" PRIu64, bytes);
}

static void size_expected(const struct schema_row *row, char out[SCHEMA_EXPECTED_BYTES])
{
	char min[SIZE_TEXT_BYTES], max[SIZE_TEXT_BYTES], step[SIZE_TEXT_BYTES];

	size_format(row->min, min);
	size_format(row->max, max);
	size_format(row->step, step);
	snprintf(out, SCHEMA_EXPECTED_BYTES, "a size like \"512M\" from %s to %s in steps of %s",
		 min, max, step);
}

/* What follows the digits: nothing, "M" or "MiB". Returns false if it is something else. */
static bool size_parse_unit(const char *text, int *shift)
{
	*shift = 0;
	if (!*text)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(size_units); i++) {
		if (*text == size_units[i].letter) {
			*shift = size_units[i].shift;
			return !text[1] || !strcmp(text + 1, "iB");
		}
	}
	return false;
}

static bool size_parse(const char *text, uint64_t *bytes)
{
	uint64_t number = 0;
	const char *next;
	int shift;

	for (next = text; *next >= '0' && *next <= '9'; next++) {
		if (number > UINT64_MAX / 10 - 1)
			return false;
		number = number * 10 + (uint64_t)(*next - '0');
	}
	if (next == text || !size_parse_unit(next, &shift) || number > UINT64_MAX >> shift)
		return false;
	*bytes = number << shift;
	return true;
}

static int size_read(const struct schema_row *row, const json_t *value, void *field)
{
	uint64_t bytes;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		bytes = (uint64_t)json_integer_value(value);
	else if (!json_is_string(value) || !size_parse(json_string_value(value), &bytes))
		return -EDOM;
	if (!is_in_range(row, bytes) || bytes % row->step)
		return -EDOM;
	*(uint64_t *)field = bytes;
	return 0;
}

static bool size_is_given(const struct schema_row *row, const void *field)
{
	return row->preset || *(const uint64_t *)field;
}

static json_t *size_write(const struct schema_row *row UNUSED, const void *field)
{
	char text[SIZE_TEXT_BYTES];

	size_format(*(const uint64_t *)field, text);
	return json_string(text);
}

/* ---- text ---- */

static void text_expected(const struct schema_row *row, char out[SCHEMA_EXPECTED_BYTES])
{
	snprintf(out, SCHEMA_EXPECTED_BYTES, "%" PRIu64 " to %" PRIu64 " bytes", row->min,
		 row->max);
}

static int text_read(const struct schema_row *row, const json_t *value, void *field)
{
	const char *text = json_string_value(value);
	char *copy;

	if (!text || !is_in_range(row, strlen(text)) || (row->is_valid && !row->is_valid(text)))
		return -EDOM;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static bool text_is_given(const struct schema_row *row UNUSED, const void *field)
{
	return *(char *const *)field != NULL;
}

static json_t *text_write(const struct schema_row *row UNUSED, const void *field)
{
	return json_string(*(char *const *)field);
}

/* ---- one of several words ---- */

static_assert(sizeof(enum schema_kind) == sizeof(uint32_t), "an enum field is read as a uint32_t");

static void choice_expected(const struct schema_row *row, char out[SCHEMA_EXPECTED_BYTES])
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; row->choices[i]; i++) {
		const char *comma = !i ? "" : row->choices[i + 1] ? ", " : " or ";

		snprintf(out + length, SCHEMA_EXPECTED_BYTES - length, "%s\"%s\"", comma,
			 row->choices[i]);
		length = strlen(out);
	}
}

static int choice_read(const struct schema_row *row, const json_t *value, void *field)
{
	const char *text = json_string_value(value);

	for (uint32_t i = 0; text && row->choices[i]; i++) {
		if (!strcmp(text, row->choices[i])) {
			*(uint32_t *)field = i;
			return 0;
		}
	}
	return -EDOM;
}

static json_t *choice_write(const struct schema_row *row, const void *field)
{
	return json_string(row->choices[*(const uint32_t *)field]);
}

/* ---- an Ethernet address ---- */

enum { MAC_BYTES = 6, MAC_GROUP_BIT = 0x01 };

static const uint8_t no_mac[MAC_BYTES];

static void mac_expected(const struct schema_row *row UNUSED, char out[SCHEMA_EXPECTED_BYTES])
{
	snprintf(out, SCHEMA_EXPECTED_BYTES, "a unicast MAC address like \"52:54:00:12:34:56\"");
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static bool mac_parse(const char *text, uint8_t mac[MAC_BYTES])
{
	if (strlen(text) != 3 * MAC_BYTES - 1)
		return false;
	for (size_t i = 0; i < MAC_BYTES; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);
		char separator = text[3 * i + 2];

		if (high < 0 || low < 0 || separator != (i < MAC_BYTES - 1 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return !(mac[0] & MAC_GROUP_BIT) && memcmp(mac, no_mac, MAC_BYTES) != 0;
}

static int mac_read(const struct schema_row *row UNUSED, const json_t *value, void *field)
{
	uint8_t mac[MAC_BYTES];

	if (!json_is_string(value) || !mac_parse(json_string_value(value), mac))
		return -EDOM;
	memcpy(field, mac, MAC_BYTES);
	return 0;
}

static bool mac_is_given(const struct schema_row *row UNUSED, const void *field)
{
	return memcmp(field, no_mac, MAC_BYTES) != 0;
}

static json_t *mac_write(const struct schema_row *row UNUSED, const void *field)
{
	const uint8_t *mac = field;
	char text[3 * MAC_BYTES];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return json_string(text);
}

/* clang-format off */
const struct schema_kind_ops schema_kinds[SCHEMA_KINDS] = {
	[SCHEMA_BOOL]   = { NULL, bool_expected, bool_read, is_always_given, bool_write },
	[SCHEMA_COUNT]  = { NULL, count_expected, count_read, count_is_given, count_write },
	[SCHEMA_SIZE]   = { NULL, size_expected, size_read, size_is_given, size_write },
	[SCHEMA_TEXT]   = { "a string", text_expected, text_read, text_is_given, text_write },
	[SCHEMA_CHOICE] = { NULL, choice_expected, choice_read, is_always_given, choice_write },
	[SCHEMA_MAC]    = { NULL, mac_expected, mac_read, mac_is_given, mac_write },
};
/* clang-format on */
