/*
 * Figures: read from the operating system's texts, and shown.
 */
#include <unistd.h>

#include "host/screen.h"
#include "host/size_text.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static void a_process_is_read_past_any_name(void **state UNUSED)
{
	struct process_usage usage;
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);

	process_usage_parse("12 (a ) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 250 150 13 14 15 16 17 18 19 "
			    "20 512 22 23\n",
			    &usage);
	assert_int_equal(usage.cpu_ms, 400 * 1000 / ticks);
	assert_int_equal(usage.resident_bytes, 512 * page);
}

static void what_is_no_process_uses_nothing(void **state UNUSED)
{
	static const char *const texts[] = { "", "12", "12 (x", "12 (x) S 1 2 3", "12 (x)" };
	struct process_usage usage;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		process_usage_parse(texts[i], &usage);
		assert_int_equal(usage.cpu_ms, 0);
		assert_int_equal(usage.resident_bytes, 0);
	}
	process_usage_read(-1, &usage);
	assert_int_equal(usage.resident_bytes, 0);
}

static void this_process_uses_memory(void **state UNUSED)
{
	struct process_usage usage;

	process_usage_read(getpid(), &usage);
	assert_true(usage.resident_bytes > 0);
}

static void available_memory_is_found(void **state UNUSED)
{
	assert_int_equal(available_bytes_parse("MemTotal:  10 kB\nMemAvailable:    3 kB\n"), 3072);
	assert_int_equal(available_bytes_parse("MemTotal:  10 kB\n"), 0);
}

static void sizes_are_short(void **state UNUSED)
{
	char out[SIZE_TEXT_BYTES];

	assert_string_equal(size_text(0, out), "0");
	assert_string_equal(size_text(999, out), "999");
	assert_string_equal(size_text(1000, out), "1.0K");
	assert_string_equal(size_text(12 * 1024, out), "12K");
	assert_string_equal(size_text(1023 * 1024, out), "1.0M");
	assert_string_equal(size_text(UINT64_C(3) << 30, out), "3.0G");
	assert_string_equal(size_text(UINT64_MAX, out), "16384P");
}

static void durations_are_short(void **state UNUSED)
{
	char out[SIZE_TEXT_BYTES];

	assert_string_equal(duration_text(249, out), "00:04:09");
	assert_string_equal(duration_text(86399, out), "23:59:59");
	assert_string_equal(duration_text(3 * 86400 + 4 * 3600 + 300, out), "3d 04:05");
}

static void traffic_is_summed_over_devices(void **state UNUSED)
{
	json_t *stats = json_pack("{s:{s:{s:s, s:i, s:i}, s:{s:i, s:i}, s:{s:i, s:i}}}", "devices",
				  "disk0", "kind", "blk", "read_bytes", 10, "written_bytes", 20,
				  "disk1", "read_bytes", 1, "written_bytes", 2, "net0", "rx_bytes",
				  5, "tx_bytes", 6);
	struct traffic traffic = traffic_from_stats(stats);

	assert_int_equal(traffic.disk_read_bytes, 11);
	assert_int_equal(traffic.disk_written_bytes, 22);
	assert_int_equal(traffic.net_received_bytes, 5);
	assert_int_equal(traffic.net_sent_bytes, 6);
	json_decref(stats);
}

static void senseless_counters_count_nothing(void **state UNUSED)
{
	json_t *stats = json_pack("{s:{s:i, s:{s:s, s:i}}}", "devices", "a", 1, "b", "read_bytes",
				  "x", "rx_bytes", -4);
	struct traffic traffic = traffic_from_stats(stats);

	assert_int_equal(traffic.disk_read_bytes, 0);
	assert_int_equal(traffic.net_received_bytes, 0);
	assert_int_equal(traffic_from_stats(NULL).net_sent_bytes, 0);
	json_decref(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_read_past_any_name),
		cmocka_unit_test(what_is_no_process_uses_nothing),
		cmocka_unit_test(this_process_uses_memory),
		cmocka_unit_test(available_memory_is_found),
		cmocka_unit_test(sizes_are_short),
		cmocka_unit_test(durations_are_short),
		cmocka_unit_test(traffic_is_summed_over_devices),
		cmocka_unit_test(senseless_counters_count_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
