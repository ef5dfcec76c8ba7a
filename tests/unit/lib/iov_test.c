/*
 * Scattered buffers, consumed from either end.
 */
#include <string.h>

#include "lib/compiler.h"
#include "lib/iov.h"
#include "tests/support/cmocka.h"

/* Three pieces: "abc", nothing, "defgh". */
struct pieces {
	char first[3], last[5];
	struct iovec iov[3];
	struct iov_list list;
};

static void pieces_init(struct pieces *pieces)
{
	memcpy(pieces->first, "abc", sizeof(pieces->first));
	memcpy(pieces->last, "defgh", sizeof(pieces->last));
	pieces->iov[0] = (struct iovec){ pieces->first, sizeof(pieces->first) };
	pieces->iov[1] = (struct iovec){ pieces->first, 0 };
	pieces->iov[2] = (struct iovec){ pieces->last, sizeof(pieces->last) };
	pieces->list = (struct iov_list){ .at = pieces->iov, .count = ARRAY_SIZE(pieces->iov) };
}

static void a_lists_bytes_are_counted(void **state UNUSED)
{
	struct iov_list none = { 0 };
	struct pieces pieces;

	pieces_init(&pieces);
	assert_int_equal(iov_bytes(&pieces.list), 8);
	assert_int_equal(iov_bytes(&none), 0);
}

static void taking_crosses_the_pieces(void **state UNUSED)
{
	struct pieces pieces;
	char taken[5];

	pieces_init(&pieces);
	assert_int_equal(iov_take_front(&pieces.list, taken, sizeof(taken)), 5);
	assert_memory_equal(taken, "abcde", 5);
	assert_int_equal(iov_bytes(&pieces.list), 3);
	assert_int_equal(pieces.list.count, 1);
}

static void taking_more_than_there_is_takes_what_there_is(void **state UNUSED)
{
	struct pieces pieces;
	char taken[20];

	pieces_init(&pieces);
	assert_int_equal(iov_take_front(&pieces.list, taken, sizeof(taken)), 8);
	assert_memory_equal(taken, "abcdefgh", 8);
	assert_int_equal(pieces.list.count, 0);
	assert_int_equal(iov_take_front(&pieces.list, taken, sizeof(taken)), 0);
}

static void putting_fills_the_pieces_in_order(void **state UNUSED)
{
	struct pieces pieces;

	pieces_init(&pieces);
	assert_int_equal(iov_put_front(&pieces.list, "12345678", 4), 4);
	assert_memory_equal(pieces.first, "123", 3);
	assert_memory_equal(pieces.last, "4efgh", 5);
	assert_int_equal(iov_put_front(&pieces.list, "WXYZ!!", 6), 4);
	assert_memory_equal(pieces.last, "4WXYZ", 5);
}

static void dropping_changes_no_byte(void **state UNUSED)
{
	struct pieces pieces;

	pieces_init(&pieces);
	assert_int_equal(iov_drop_front(&pieces.list, 4), 4);
	assert_ptr_equal(pieces.list.at->iov_base, pieces.last + 1);
	assert_int_equal(iov_drop_back(&pieces.list, 3), 3);
	assert_int_equal(iov_bytes(&pieces.list), 1);
	assert_memory_equal(pieces.last, "defgh", 5);
}

static void dropping_from_the_back_crosses_the_pieces(void **state UNUSED)
{
	struct pieces pieces;

	pieces_init(&pieces);
	assert_int_equal(iov_drop_back(&pieces.list, 6), 6);
	assert_int_equal(iov_bytes(&pieces.list), 2);
	assert_int_equal(pieces.list.count, 1);
	assert_int_equal(iov_drop_back(&pieces.list, 6), 2);
	assert_int_equal(pieces.list.count, 0);
}

static void the_last_byte_is_cut_off_and_lies_where_it_lay(void **state UNUSED)
{
	struct pieces pieces;

	pieces_init(&pieces);
	assert_ptr_equal(iov_take_last_byte(&pieces.list), &pieces.last[4]);
	assert_int_equal(iov_bytes(&pieces.list), 7);
}

static void a_piece_of_one_byte_goes_with_its_last_byte(void **state UNUSED)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct iov_list list = { .at = &iov, .count = 1 };

	assert_ptr_equal(iov_take_last_byte(&list), &byte);
	assert_int_equal(list.count, 0);
}

static void an_empty_list_has_no_last_byte(void **state UNUSED)
{
	char byte;
	struct iovec iov = { &byte, 0 };
	struct iov_list empty = { 0 }, empty_piece = { .at = &iov, .count = 1 };

	assert_null(iov_take_last_byte(&empty));
	assert_null(iov_take_last_byte(&empty_piece));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lists_bytes_are_counted),
		cmocka_unit_test(taking_crosses_the_pieces),
		cmocka_unit_test(taking_more_than_there_is_takes_what_there_is),
		cmocka_unit_test(putting_fills_the_pieces_in_order),
		cmocka_unit_test(dropping_changes_no_byte),
		cmocka_unit_test(dropping_from_the_back_crosses_the_pieces),
		cmocka_unit_test(the_last_byte_is_cut_off_and_lies_where_it_lay),
		cmocka_unit_test(a_piece_of_one_byte_goes_with_its_last_byte),
		cmocka_unit_test(an_empty_list_has_no_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
