/*
 * JSON objects described by tables, read into plain structs and written back.
 *
 *   - One row per key: what it may hold, where it goes, what it is when nobody says, what it is for.
 *   - A reader takes the keys that are present and leaves the other fields as they are.
 *   - An unknown key is an error that names the nearest known one.
 *   - A message names the origin (a file, the command line), the key's path, what was expected and what
 *     was found: `web.json: disks[1].path: expected a string, found an integer`.
 *
 * Everything here is pure: no input, no output, no state.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

/* What a key may hold, and the field's type. */
enum schema_kind {
	SCHEMA_BOOL,   /* bool                                                             */
	SCHEMA_COUNT,  /* uint32_t, @min to @max                                           */
	SCHEMA_SIZE,   /* uint64_t bytes, @min to @max in steps of @step: "512M", 1048576  */
	SCHEMA_TEXT,   /* char *, owned, of @min to @max bytes; @is_valid may narrow it    */
	SCHEMA_CHOICE, /* enum: the index into @choices                                    */
	SCHEMA_MAC,    /* uint8_t[6]: a unicast Ethernet address                           */
	SCHEMA_OBJECT, /* a struct, described by @fields                                   */
	SCHEMA_LIST,   /* an array of @max such structs; how many count is at @count_offset */
	SCHEMA_KINDS
};

struct schema;

struct schema_row {
	const char *key;
	enum schema_kind kind;
	size_t offset;
	bool is_required;   /* SCHEMA_TEXT only: the field may not stay NULL */
	const char *preset; /* the default as a person would write it; NULL: zero, "not given" */
	uint64_t min, max;
	uint64_t step;
	bool (*is_valid)(const char *text);
	const char *const *choices; /* ends with NULL */
	const struct schema *fields;
	size_t count_offset;  /* SCHEMA_LIST: a uint32_t in the struct that holds the list */
	const char *expected; /* completes "expected ..."; NULL: what the kind says by itself */
	const char *help;
};

struct schema {
	size_t struct_size;
	const struct schema_row *rows; /* ends with a row without a key */
};

/* Messages begin with @name; @rename (or NULL) turns a key's path into what the person wrote. */
struct schema_origin {
	const char *name;
	void (*rename)(const char *path, char *out, size_t out_size);
};

/* Fills the fields that have a preset. The struct was zeroed before. */
MUST_CHECK int schema_preset(const struct schema *schema, void *object, struct errmsg *why);

/* Takes the keys that @value has. On failure @object holds a mixture, still good for schema_clear(). */
MUST_CHECK int schema_read(const struct schema *schema, const json_t *value, void *object,
			   const struct schema_origin *origin, struct errmsg *why);

/* Is everything there that is required? */
MUST_CHECK int schema_check_required(const struct schema *schema, const void *object,
				     const struct schema_origin *origin, struct errmsg *why);

/* A new reference, or NULL for want of memory. Fields that are "not given" are left out. */
MUST_CHECK json_t *schema_write(const struct schema *schema, const void *object);

/* Frees the strings and zeroes the struct. */
void schema_clear(const struct schema *schema, void *object);

/* Fails with @origin, @path and a message of the caller's: for checks that no table can say. */
int schema_fail(const struct schema_origin *origin, struct errmsg *why, const char *path,
		const char *format, ...) PRINTF_LIKE(4, 5);
