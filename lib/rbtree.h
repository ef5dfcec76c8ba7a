/*
 * A red-black tree of nodes that live inside their owners' structs. Pure; the caller locks.
 *
 * The caller searches and links; the tree balances:
 *
 *	struct rb_node **link = &tree->root, *parent = NULL;
 *	while (*link) { parent = *link; link = before ? &parent->left : &parent->right; }
 *	rb_insert(tree, node, parent, link);
 *
 * @update, if the tree has one, is called for each node whose subtree has changed, children before parents: for
 * trees that keep something about whole subtrees (an interval's maximum, a minimum deadline).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool is_red;
};

struct rb_tree {
	struct rb_node *root;
	void (*update)(struct rb_node *node); /* may be NULL */
};

#define rb_entry(node, type, member) container_of(node, type, member)

void rb_insert(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link);
void rb_remove(struct rb_tree *tree, struct rb_node *node);

/* In order; NULL past the ends. */
struct rb_node *rb_first(const struct rb_tree *tree);
struct rb_node *rb_last(const struct rb_tree *tree);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_previous(const struct rb_node *node);
