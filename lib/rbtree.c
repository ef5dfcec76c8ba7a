/*
 * A red-black tree: see rbtree.h.
 *
 * The rules: the root is black, a red node has no red child, and every way from a node to a missing child passes as
 * many black nodes. A missing child (NULL) is black.
 */
#include "lib/rbtree.h"

static bool is_red(const struct rb_node *node)
{
	return node && node->is_red;
}

static void update(struct rb_tree *tree, struct rb_node *node)
{
	if (tree->update)
		tree->update(node);
}

/* After something changed in or below @node. */
static void update_up(struct rb_tree *tree, struct rb_node *node)
{
	for (; node; node = node->parent)
		update(tree, node);
}

/* Puts @new where @old hangs. */
static void replace_child(struct rb_tree *tree, struct rb_node *old, struct rb_node *new)
{
	struct rb_node *parent = old->parent;

	if (!parent)
		tree->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new)
		new->parent = parent;
}

static struct rb_node **child(struct rb_node *node, bool is_left)
{
	return is_left ? &node->left : &node->right;
}

/* @node goes down to that side, and its child on the other side takes its place. */
static void rotate(struct rb_tree *tree, struct rb_node *node, bool to_left)
{
	struct rb_node *up = *child(node, !to_left), *between = *child(up, to_left);

	*child(node, !to_left) = between;
	if (between)
		between->parent = node;
	replace_child(tree, node, up);
	*child(up, to_left) = node;
	node->parent = up;
	update(tree, node);
	update(tree, up);
}

void rb_insert(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link)
{
	*node = (struct rb_node){ .parent = parent, .is_red = true };
	*link = node;
	update_up(tree, node);

	while (is_red(node->parent)) {
		struct rb_node *up = node->parent, *top = up->parent;
		bool up_is_left = top->left == up;
		struct rb_node *uncle = *child(top, !up_is_left);

		if (is_red(uncle)) {
			up->is_red = uncle->is_red = false;
			top->is_red = true;
			node = top;
			continue;
		}
		/* An inner grandchild becomes an outer one first. */
		if (node == *child(up, !up_is_left)) {
			rotate(tree, up, up_is_left);
			up = node;
		}
		up->is_red = false;
		top->is_red = true;
		rotate(tree, top, !up_is_left);
		break;
	}
	tree->root->is_red = false;
}

/* @node (perhaps missing) under @parent stands for one black node too few. */
static void remove_fix(struct rb_tree *tree, struct rb_node *node, struct rb_node *parent)
{
	while (parent && !is_red(node)) {
		bool is_left = parent->left == node;
		struct rb_node *sibling = *child(parent, !is_left);
		struct rb_node *inner, *outer;

		if (is_red(sibling)) {
			sibling->is_red = false;
			parent->is_red = true;
			rotate(tree, parent, is_left);
			sibling = *child(parent, !is_left);
		}
		assert(sibling); /* @node's side lacks one black node: the other side has some */
		inner = *child(sibling, is_left);
		outer = *child(sibling, !is_left);
		if (!is_red(inner) && !is_red(outer)) {
			sibling->is_red = true;
			node = parent;
			parent = node->parent;
			continue;
		}
		if (!is_red(outer)) {
			inner->is_red = false;
			sibling->is_red = true;
			rotate(tree, sibling, !is_left);
			outer = sibling;
			sibling = inner;
		}
		assert(outer);
		sibling->is_red = parent->is_red;
		parent->is_red = false;
		outer->is_red = false;
		rotate(tree, parent, is_left);
		return;
	}
	if (node)
		node->is_red = false;
}

/* The first or the last below @node. */
static struct rb_node *outermost(struct rb_node *node, bool is_left)
{
	while (node && *child(node, is_left))
		node = *child(node, is_left);
	return node;
}

void rb_remove(struct rb_tree *tree, struct rb_node *node)
{
	struct rb_node *child, *parent;
	bool was_red = node->is_red;

	if (!node->left || !node->right) {
		child = node->left ? node->left : node->right;
		parent = node->parent;
		replace_child(tree, node, child);
	} else {
		/* The next in order has no left child: it takes the node's place and colour. */
		struct rb_node *next = outermost(node->right, true);

		child = next->right;
		was_red = next->is_red;
		parent = next->parent == node ? next : next->parent;
		replace_child(tree, next, child);
		replace_child(tree, node, next);
		next->left = node->left;
		next->left->parent = next;
		next->right = node->right; /* without next by now */
		if (next->right)
			next->right->parent = next;
		next->is_red = node->is_red;
	}
	update_up(tree, parent);
	if (!was_red)
		remove_fix(tree, child, parent);
	if (tree->root)
		tree->root->is_red = false;
}

struct rb_node *rb_first(const struct rb_tree *tree)
{
	return outermost(tree->root, true);
}

struct rb_node *rb_last(const struct rb_tree *tree)
{
	return outermost(tree->root, false);
}

static struct rb_node *neighbour(const struct rb_node *node, bool is_left)
{
	struct rb_node *below = is_left ? node->left : node->right;

	if (below)
		return outermost(below, !is_left);
	while (node->parent && node == *child(node->parent, is_left))
		node = node->parent;
	return node->parent;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, false);
}

struct rb_node *rb_previous(const struct rb_node *node)
{
	return neighbour(node, true);
}
