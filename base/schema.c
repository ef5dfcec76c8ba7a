/*
 * JSON objects described by tables: see schema.h. The kinds of single values are in schema_kinds.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nearest.h"
#include "base/json_text.h"
#include "base/schema.h"
#include "base/schema_kinds.h"

enum { PATH_BYTES = 128, ORIGIN_NAME_BYTES = 256 };

/* A walk through a value: where it is, and whom it tells about what it finds. */
struct walk {
	const struct schema_origin *origin;
	struct errmsg *why;
	char path[PATH_BYTES]; /* "disks[1].path"; too deep or long a path is cut short */
};

#define for_each_row(row, schema) \
	for (const struct schema_row *row = (schema)->rows; row->key; row++)

static void *field_of(void *object, const struct schema_row *row)
{
	return (char *)object + row->offset;
}

static const void *const_field_of(const void *object, const struct schema_row *row)
{
	return (const char *)object + row->offset;
}

static uint32_t *count_of(void *object, const struct schema_row *row)
{
	return (uint32_t *)(void *)((char *)object + row->count_offset);
}

static uint32_t const_count_of(const void *object, const struct schema_row *row)
{
	return *(const uint32_t *)(const void *)((const char *)object + row->count_offset);
}

/* ---- the path ---- */

/* Both return the length to which walk_leave() goes back. */
static size_t walk_enter_key(struct walk *walk, const char *key)
{
	size_t length = strlen(walk->path);
	char shown[33];

	json_text_printable(key, shown, sizeof(shown));
	snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s", length ? "." : "",
		 shown);
	return length;
}

static size_t walk_enter_item(struct walk *walk, size_t index)
{
	size_t length = strlen(walk->path);

	snprintf(walk->path + length, sizeof(walk->path) - length, "[%zu]", index);
	return length;
}

static void walk_leave(struct walk *walk, size_t length)
{
	walk->path[length] = '\0';
}

/* ---- messages ---- */

static int fail(const struct schema_origin *origin, struct errmsg *why, const char *path,
		const char *format, va_list args)
{
	char name[ORIGIN_NAME_BYTES], renamed[PATH_BYTES], text[sizeof(why->text)];

	json_text_printable(origin->name, name, sizeof(name));
	if (origin->rename) {
		origin->rename(path, renamed, sizeof(renamed));
		path = renamed;
	}
	vsnprintf(text, sizeof(text), format, args);
	return errmsg_user(why, -EINVAL, "%s: %s%s%s", name, path, *path ? ": " : "", text);
}

int schema_fail(const struct schema_origin *origin, struct errmsg *why, const char *path,
		const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = fail(origin, why, path, format, args);
	va_end(args);
	return err;
}

static int PRINTF_LIKE(2, 3) walk_fail(struct walk *walk, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = fail(walk->origin, walk->why, walk->path, format, args);
	va_end(args);
	return err;
}

static int walk_fail_memory(struct walk *walk)
{
	return errmsg_system(walk->why, -ENOMEM, "%s: no memory to read it", walk->origin->name);
}

/* "expected a string, found an integer", or "expected 1 to 63 bytes, found """ */
static int walk_fail_value(struct walk *walk, const struct schema_row *row, const json_t *value)
{
	const struct schema_kind_ops *kind = &schema_kinds[row->kind];
	char expected[SCHEMA_EXPECTED_BYTES], found[JSON_TEXT_QUOTE_BYTES];

	if (kind->type && strcmp(kind->type, json_text_type(value)) != 0)
		return walk_fail(walk, "expected %s, found %s", kind->type, json_text_type(value));

	kind->expected(row, expected);
	return walk_fail(walk, "expected %s, found %s", row->expected ? row->expected : expected,
			 json_text_quote(value, found));
}

/* ", "a", "b", ..." into @out, which may be too short for them all. */
static void list_keys(const struct schema *schema, char *out, size_t out_size)
{
	size_t length = 0;

	out[0] = '\0';
	for_each_row(row, schema) {
		snprintf(out + length, out_size - length, "%s%s", length ? ", " : "", row->key);
		length = strlen(out);
	}
}

static int walk_fail_key(struct walk *walk, const struct schema *schema, const char *key)
{
	struct nearest nearest = nearest_to(key);
	char known[256];

	for_each_row(row, schema)
		nearest_offer(&nearest, row->key);
	walk_enter_key(walk, key);
	if (nearest.word)
		return walk_fail(walk, "unknown key; did you mean \"%s\"?", nearest.word);

	list_keys(schema, known, sizeof(known));
	if (!*known)
		return walk_fail(walk, "unknown key; there is none to give");
	return walk_fail(walk, "unknown key; expected one of %s", known);
}

/* ---- reading ---- */

static int read_object(struct walk *walk, const struct schema *schema, const json_t *value,
		       void *object);

static int read_list(struct walk *walk, const struct schema_row *row, const json_t *list,
		     void *object)
{
	const struct schema *fields = row->fields;
	uint32_t *count = count_of(object, row);
	char *item = field_of(object, row);
	int err = 0;

	if (!json_is_array(list))
		return walk_fail(walk, "expected an array, found %s", json_text_type(list));
	if (json_array_size(list) > row->max)
		return walk_fail(walk, "expected at most %u items, found %zu", (unsigned)row->max,
				 json_array_size(list));

	for (uint32_t i = 0; i < *count; i++)
		schema_clear(fields, item + i * fields->struct_size);
	*count = 0;

	for (size_t i = 0; i < json_array_size(list) && !err; i++) {
		size_t length = walk_enter_item(walk, i);

		++*count; /* whatever happens, the item is to be cleared */
		err = schema_preset(fields, item, walk->why);
		if (!err)
			err = read_object(walk, fields, json_array_get(list, i), item);
		walk_leave(walk, length);
		item += fields->struct_size;
	}
	return err;
}

static int read_row(struct walk *walk, const struct schema_row *row, const json_t *value,
		    void *object)
{
	int err;

	if (row->kind == SCHEMA_OBJECT)
		return read_object(walk, row->fields, value, field_of(object, row));
	if (row->kind == SCHEMA_LIST)
		return read_list(walk, row, value, object);

	err = schema_kinds[row->kind].read(row, value, field_of(object, row));
	if (err == -ENOMEM)
		return walk_fail_memory(walk);
	return err ? walk_fail_value(walk, row, value) : 0;
}

static const struct schema_row *find_row(const struct schema *schema, const char *key)
{
	for_each_row(row, schema)
		if (!strcmp(row->key, key))
			return row;
	return NULL;
}

static int read_object(struct walk *walk, const struct schema *schema, const json_t *value,
		       void *object)
{
	const char *key;
	json_t *member;
	int err;

	if (!json_is_object(value))
		return walk_fail(walk, "expected an object, found %s", json_text_type(value));

	json_object_foreach((json_t *)value, key, member) {
		const struct schema_row *row = find_row(schema, key);
		size_t length;

		if (!row)
			return walk_fail_key(walk, schema, key);
		length = walk_enter_key(walk, key);
		err = read_row(walk, row, member, object);
		if (err)
			return err;
		walk_leave(walk, length);
	}
	return 0;
}

int schema_read(const struct schema *schema, const json_t *value, void *object,
		const struct schema_origin *origin, struct errmsg *why)
{
	struct walk walk = { .origin = origin, .why = why };

	return read_object(&walk, schema, value, object);
}

/* ---- defaults ---- */

/* A preset is a JSON value, or else a string without its quotes. */
static json_t *preset_value(const struct schema_row *row)
{
	if (row->kind == SCHEMA_BOOL || row->kind == SCHEMA_COUNT)
		return json_loads(row->preset, JSON_DECODE_ANY, NULL);
	return json_string(row->preset);
}

static int preset_row(const struct schema_row *row, void *object, struct errmsg *why)
{
	static const struct schema_origin origin = { .name = "the built-in defaults" };
	struct walk walk = { .origin = &origin, .why = why };
	json_t *value;
	int err;

	value = preset_value(row);
	if (!value)
		return walk_fail_memory(&walk);
	err = read_row(&walk, row, value, object);
	json_decref(value);
	return err;
}

int schema_preset(const struct schema *schema, void *object, struct errmsg *why)
{
	int err = 0;

	for_each_row(row, schema) {
		if (row->kind == SCHEMA_OBJECT)
			err = schema_preset(row->fields, field_of(object, row), why);
		else if (row->preset)
			err = preset_row(row, object, why);
		if (err)
			return err;
	}
	return 0;
}

/* ---- what must be there ---- */

static int check_object(struct walk *walk, const struct schema *schema, const void *object);

static int check_items(struct walk *walk, const struct schema_row *row, const void *object)
{
	const char *item = const_field_of(object, row);
	int err;

	for (uint32_t i = 0; i < const_count_of(object, row); i++) {
		size_t length = walk_enter_item(walk, i);

		err = check_object(walk, row->fields, item + i * row->fields->struct_size);
		if (err)
			return err;
		walk_leave(walk, length);
	}
	return 0;
}

static int check_row(struct walk *walk, const struct schema_row *row, const void *object)
{
	if (row->kind == SCHEMA_OBJECT)
		return check_object(walk, row->fields, const_field_of(object, row));
	if (row->kind == SCHEMA_LIST)
		return check_items(walk, row, object);
	if (row->is_required && !schema_kinds[row->kind].is_given(row, const_field_of(object, row)))
		return walk_fail(walk, "required, but missing: %s", row->help);
	return 0;
}

static int check_object(struct walk *walk, const struct schema *schema, const void *object)
{
	int err;

	for_each_row(row, schema) {
		size_t length = walk_enter_key(walk, row->key);

		err = check_row(walk, row, object);
		if (err)
			return err;
		walk_leave(walk, length);
	}
	return 0;
}

int schema_check_required(const struct schema *schema, const void *object,
			  const struct schema_origin *origin, struct errmsg *why)
{
	struct walk walk = { .origin = origin, .why = why };

	return check_object(&walk, schema, object);
}

/* ---- writing ---- */

static json_t *write_list(const struct schema_row *row, const void *object)
{
	const char *item = const_field_of(object, row);
	json_t *list = json_array();

	for (uint32_t i = 0; i < const_count_of(object, row); i++) {
		if (json_array_append_new(list, schema_write(row->fields, item))) {
			json_decref(list);
			return NULL;
		}
		item += row->fields->struct_size;
	}
	return list;
}

static json_t *write_row(const struct schema_row *row, const void *object)
{
	if (row->kind == SCHEMA_OBJECT)
		return schema_write(row->fields, const_field_of(object, row));
	if (row->kind == SCHEMA_LIST)
		return write_list(row, object);
	return schema_kinds[row->kind].write(row, const_field_of(object, row));
}

static bool is_given(const struct schema_row *row, const void *object)
{
	if (row->kind == SCHEMA_OBJECT || row->kind == SCHEMA_LIST)
		return true;
	return schema_kinds[row->kind].is_given(row, const_field_of(object, row));
}

json_t *schema_write(const struct schema *schema, const void *object)
{
	json_t *value = json_object();

	for_each_row(row, schema) {
		if (is_given(row, object) &&
		    json_object_set_new(value, row->key, write_row(row, object))) {
			json_decref(value);
			return NULL;
		}
	}
	return value;
}

/* ---- freeing ---- */

static void clear_row(const struct schema_row *row, void *object)
{
	char *field = field_of(object, row);

	switch (row->kind) {
	case SCHEMA_TEXT:
		free(*(char **)(void *)field);
		break;
	case SCHEMA_OBJECT:
		schema_clear(row->fields, field);
		break;
	case SCHEMA_LIST:
		for (uint32_t i = 0; i < *count_of(object, row); i++)
			schema_clear(row->fields, field + i * row->fields->struct_size);
		break;
	default:
		break;
	}
}

void schema_clear(const struct schema *schema, void *object)
{
	for_each_row(row, schema)
		clear_row(row, object);
	memset(object, 0, schema->struct_size);
}
