/*
 * A red-black tree under random insertions and removals keeps its rules, its order and its subtree values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/rbtree.h"

enum { ITEMS = 300, STEPS = 20000, KEYS = 1000 };

struct item {
	struct rb_node node;
	int key, largest;
	bool is_in;
};

static struct item items[ITEMS];

static struct item *item_of(struct rb_node *node)
{
	return rb_entry(node, struct item, node);
}

static int largest_of(struct rb_node *node)
{
	return node ? item_of(node)->largest : -1;
}

static int work_out_largest(struct rb_node *node)
{
	int largest = item_of(node)->key;

	if (largest_of(node->left) > largest)
		largest = largest_of(node->left);
	if (largest_of(node->right) > largest)
		largest = largest_of(node->right);
	return largest;
}

static void update(struct rb_node *node)
{
	item_of(node)->largest = work_out_largest(node);
}

static void insert(struct rb_tree *tree, struct item *item, int key)
{
	struct rb_node **link = &tree->root, *parent = NULL;

	item->key = item->largest = key;
	while (*link) {
		parent = *link;
		link = key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(tree, &item->node, parent, link);
	item->is_in = true;
}

/* Checks everything below @node; returns how many black nodes a way down passes. */
static int check(struct rb_node *node)
{
	int left, right;

	if (!node)
		return 0;
	assert_int_equal(item_of(node)->largest, work_out_largest(node));
	if (node->is_red) {
		assert_false(node->left && node->left->is_red);
		assert_false(node->right && node->right->is_red);
	}
	if (node->left)
		assert_ptr_equal(node->left->parent, node);
	if (node->right)
		assert_ptr_equal(node->right->parent, node);
	left = check(node->left);
	right = check(node->right);
	assert_int_equal(left, right);
	return left + !node->is_red;
}

static size_t count_in(void)
{
	size_t count = 0;

	for (size_t i = 0; i < ITEMS; i++)
		count += items[i].is_in;
	return count;
}

static void check_order(const struct rb_tree *tree)
{
	size_t count = 0;
	int last = -1;

	for (struct rb_node *node = rb_first(tree); node; node = rb_next(node), count++) {
		assert_true(item_of(node)->key >= last);
		last = item_of(node)->key;
	}
	assert_int_equal(count, count_in());
	for (struct rb_node *node = rb_last(tree); node; node = rb_previous(node))
		count--;
	assert_int_equal(count, 0);
}

static void it_keeps_its_rules_whatever_comes_and_goes(void **state)
{
	struct rb_tree tree = { .update = update };

	(void)state;
	srand(1);
	for (int step = 0; step < STEPS; step++) {
		struct item *item = &items[rand() % ITEMS];

		if (item->is_in) {
			rb_remove(&tree, &item->node);
			item->is_in = false;
		} else {
			insert(&tree, item, rand() % KEYS);
		}
		if (step % 20)
			continue;
		assert_false(tree.root && tree.root->is_red);
		check(tree.root);
		check_order(&tree);
	}
}

static void an_empty_tree_has_no_first_and_no_last(void **state)
{
	struct rb_tree tree = { 0 };

	(void)state;
	assert_null(rb_first(&tree));
	assert_null(rb_last(&tree));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_keeps_its_rules_whatever_comes_and_goes),
		cmocka_unit_test(an_empty_tree_has_no_first_and_no_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
