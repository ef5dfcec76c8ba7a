/*
 * A doubly linked ring of nodes that live inside their owners' structs. Pure; the caller locks.
 *
 * The head is a node too, of nobody's. A node that isn't on a list points to itself (list_init) or is being thrown away.
 */
#pragma once

#include <stdbool.h>

#include "lib/compiler.h"

struct list {
	struct list *next, *previous;
};

#define list_entry(node, type, member) container_of(node, type, member)

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_before(struct list *where, struct list *node)
{
	node->next = where;
	node->previous = where->previous;
	where->previous->next = node;
	where->previous = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}

/* Leaves @node pointing to itself: removing it twice is harmless. */
static inline void list_remove(struct list *node)
{
	node->next->previous = node->previous;
	node->previous->next = node->next;
	list_init(node);
}

static inline struct list *list_take_first(struct list *head)
{
	struct list *first = head->next;

	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}

/* The body may remove @node, and nothing else. */
#define list_for_each(node, head)                                                         \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
	     node = node##_next, node##_next = node->next)
