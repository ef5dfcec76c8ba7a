/*
 * What the kinds of schema.h have in common: one row of functions each. For schema.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "lib/compiler.h"
#include "base/schema.h"

enum { SCHEMA_EXPECTED_BYTES = 160 };

struct schema_kind_ops {
	/* The JSON type whose absence says more than the value found: "a string". Or NULL. */
	const char *type;

	/* Completes "expected ...". */
	void (*expected)(const struct schema_row *row, char out[SCHEMA_EXPECTED_BYTES]);

	/* 0; -EDOM: not what is expected; -ENOMEM. A failure leaves @field as it was. */
	int (*read)(const struct schema_row *row, const json_t *value, void *field);

	/* Is there something to write? */
	bool (*is_given)(const struct schema_row *row, const void *field);

	/* A new reference, or NULL for want of memory. */
	json_t *(*write)(const struct schema_row *row, const void *field);
};

/* The kinds that hold a single value; SCHEMA_OBJECT and SCHEMA_LIST have an empty row. */
extern const struct schema_kind_ops schema_kinds[SCHEMA_KINDS];
