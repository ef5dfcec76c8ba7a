/*
 * The options of bhvm, one row each. For options.c, which understands them, and options_answer.c, which
 * describes them.
 */
#pragma once

#include <stddef.h>

#include "vmm/options.h"
#include "base/schema.h"

enum option_kind {
	OPTION_FILE,   /* --config                                          */
	OPTION_ACTION, /* what to do instead of running                     */
	OPTION_VALUE,  /* the value of one key of the document              */
	OPTION_OFF,    /* sets a key to false                               */
	OPTION_ITEM,   /* one more item of a list: KEY=VALUE,KEY,KEY=VALUE  */
};

struct option_row {
	const char *name;
	const char *argument; /* as --help shows it; NULL: none */
	enum option_kind kind;
	const char *key;   /* of the document: "boot.kernel" */
	const char *first; /* OPTION_ITEM: the key of a first part without one */
	enum options_action action;
	const char *help; /* lines of at most 54 characters */
};

struct option_group {
	const char *title;
	const struct option_row *rows; /* ends with a row without a name */
};

/* In the order of --help; ends with a group without a title. */
extern const struct option_group option_groups[];

#define for_each_option(row)                                                             \
	for (const struct option_group *group_ = option_groups; group_->title; group_++) \
		for (const struct option_row *row = group_->rows; row->name; row++)

/* All three borrow; NULL: there is none. */
const struct option_row *option_find(const char *name, size_t length);
const struct option_row *option_find_by_key(const char *key, size_t length);

/* What the document holds under @path: "boot.kernel", or "path" where @schema is that of a disk. */
const struct schema_row *option_key(const struct schema *schema, const char *path);
