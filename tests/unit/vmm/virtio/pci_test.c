/*
 * virtio over PCI: registers, notifications, interrupts, and a guest that does with them what it likes.
 */
#include <errno.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "tests/support/driver.h"
#include "tests/support/echo.h"
#include "vmm/boot/layout.h"

enum {
	SLOT = 3,
	OTHER_SLOT = 7,
	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
	/* in the configuration-access capability */
	ACCESS_BAR = offsetof(struct virtio_pci_cap, bar),
	ACCESS_OFFSET = offsetof(struct virtio_pci_cap, offset),
	ACCESS_LENGTH = offsetof(struct virtio_pci_cap, length),
	ACCESS_DATA = offsetof(struct virtio_pci_cfg_cap, pci_cfg_data),
};

struct bench {
	struct pci_bench pci;
	struct echo *echo;
	struct virtio_pci *device;
	struct driver driver;
};

static struct virtio_pci *plug(struct bench *bench, uint32_t slot, struct echo **echo)
{
	struct virtio_pci_host host = pci_bench_host(&bench->pci);
	struct errmsg why = { 0 };
	struct virtio_pci *device;

	*echo = echo_create("echo0", &bench->pci.memory);
	assert_int_equal(virtio_pci_create(&(*echo)->dev, &host, slot, &device, &why), 0);
	return device;
}

static void start(struct bench *bench)
{
	pci_bench_start(&bench->pci, DRIVER_MEMORY_BYTES);
	bench->device = plug(bench, SLOT, &bench->echo);
	driver_attach(&bench->driver, &bench->pci, bench->device, SLOT);
}

static void stop(struct bench *bench)
{
	driver_detach(&bench->driver);
	virtio_pci_destroy(bench->device);
	assert_int_equal(message_count_routes(&bench->pci.messages), 0);
	assert_int_equal(bench->pci.kicks.count, 0);
	assert_int_equal(bench->pci.io.nr_regions, 1);
	assert_int_equal(bench->pci.mmio.nr_regions, 1);
	pci_bench_stop(&bench->pci);
}

static void offer(struct bench *bench)
{
	struct driver *driver = &bench->driver;
	struct ring_buffer buffers[] = {
		{ driver_allocate(driver, 8), 8, false },
		{ driver_allocate(driver, 8), 8, true },
	};
	struct ring *ring = &driver->rings[0];

	ring_offer(ring, ring_add(ring, buffers, ARRAY_SIZE(buffers)));
}

static void assert_served(struct bench *bench)
{
	struct vring_used_elem used;

	assert_true(ring_wait(&bench->driver.rings[0], &used));
	assert_int_equal(used.len, 8);
	driver_settle(&bench->driver);
}

static void assert_serves(struct bench *bench)
{
	offer(bench);
	driver_kick(&bench->driver, 0);
	assert_served(bench);
}

static uint32_t get(struct bench *bench, uint32_t offset, uint32_t size)
{
	return bench_config_read(&bench->pci, SLOT, offset, size);
}

static void set(struct bench *bench, uint32_t offset, uint32_t value, uint32_t size)
{
	bench_config_write(&bench->pci, SLOT, offset, value, size);
}

/* The main loop's part of INTx. */
static void turn(struct bench *bench)
{
	assert_int_equal(loop_turn(&bench->pci.loop, 0), 0);
}

static uint8_t read_isr(struct bench *bench)
{
	return (uint8_t)bench_load(&bench->pci, bench->driver.isr_at, 1);
}

/* --- what it looks like --- */

static void it_is_a_modern_virtio_device(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(get(&bench, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(get(&bench, PCI_DEVICE_ID, 2), 0x1040 + 42);
	assert_int_equal(get(&bench, PCI_REVISION_ID, 1), 1);
	assert_int_equal(bench.driver.notify_multiplier, 4);
	assert_int_equal(get(&bench, bench.driver.msix_capability + PCI_MSIX_FLAGS, 2),
			 ECHO_QUEUES);
	stop(&bench);
}

/* Every byte of the common configuration belongs to a register of the width in which drivers access it. */
static void common_registers_are_complete(void **state UNUSED)
{
	static const struct {
		uint32_t offset, size;
		uint64_t fresh;
	} registers[] = {
		{ VIRTIO_PCI_COMMON_DFSELECT, 4, 0 },
		{ VIRTIO_PCI_COMMON_DF, 4,
		  1 << ECHO_FEATURE | 1 << VIRTIO_RING_F_INDIRECT_DESC |
			  1 << VIRTIO_RING_F_EVENT_IDX },
		{ VIRTIO_PCI_COMMON_GFSELECT, 4, 0 },
		{ VIRTIO_PCI_COMMON_GF, 4, 0 },
		{ VIRTIO_PCI_COMMON_MSIX, 2, VIRTIO_MSI_NO_VECTOR },
		{ VIRTIO_PCI_COMMON_NUMQ, 2, ECHO_QUEUES },
		{ VIRTIO_PCI_COMMON_STATUS, 1, 0 },
		{ VIRTIO_PCI_COMMON_CFGGENERATION, 1, 0 },
		{ VIRTIO_PCI_COMMON_Q_SELECT, 2, 0 },
		{ VIRTIO_PCI_COMMON_Q_SIZE, 2, VIRTQ_SIZE_MAX },
		{ VIRTIO_PCI_COMMON_Q_MSIX, 2, VIRTIO_MSI_NO_VECTOR },
		{ VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0 },
		{ VIRTIO_PCI_COMMON_Q_NOFF, 2, 0 },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0 },
		{ VIRTIO_PCI_COMMON_Q_DESCHI, 4, 0 },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 4, 0 },
		{ VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 0 },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0 },
		{ VIRTIO_PCI_COMMON_Q_USEDHI, 4, 0 },
	};
	struct bench bench;
	uint32_t end = 0;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		assert_int_equal(registers[i].offset, end);
		assert_int_equal(driver_read(&bench.driver, registers[i].offset, registers[i].size),
				 registers[i].fresh);
		end += registers[i].size;
	}
	assert_int_equal(end, COMMON_CONFIG_BYTES);
	assert_int_equal(driver_read(&bench.driver, end, 4), 0);
	stop(&bench);
}

static void what_can_be_written_reads_back(void **state UNUSED)
{
	static const struct {
		uint32_t offset, size;
		uint64_t value;
	} writable[] = {
		{ VIRTIO_PCI_COMMON_DFSELECT, 4, 0xdeadbeef },
		{ VIRTIO_PCI_COMMON_GFSELECT, 4, 1 },
		{ VIRTIO_PCI_COMMON_GF, 4, 0x1234 },
		{ VIRTIO_PCI_COMMON_MSIX, 2, 1 },
		{ VIRTIO_PCI_COMMON_Q_SELECT, 2, 1 },
		{ VIRTIO_PCI_COMMON_Q_SIZE, 2, 32 },
		{ VIRTIO_PCI_COMMON_Q_MSIX, 2, 2 },
		{ VIRTIO_PCI_COMMON_Q_DESCLO, 4, 1 },
		{ VIRTIO_PCI_COMMON_Q_DESCHI, 4, 2 },
		{ VIRTIO_PCI_COMMON_Q_AVAILLO, 4, 3 },
		{ VIRTIO_PCI_COMMON_Q_AVAILHI, 4, 4 },
		{ VIRTIO_PCI_COMMON_Q_USEDLO, 4, 5 },
		{ VIRTIO_PCI_COMMON_Q_USEDHI, 4, 6 },
	};
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(writable); i++)
		driver_write(&bench.driver, writable[i].offset, writable[i].value,
			     writable[i].size);
	for (unsigned i = 0; i < ARRAY_SIZE(writable); i++)
		assert_int_equal(driver_read(&bench.driver, writable[i].offset, writable[i].size),
				 writable[i].value);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
	stop(&bench);
}

static void ring_addresses_can_be_written_as_a_whole(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_DESCLO, UINT64_C(0x1122334455667788), 8);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_DESCLO, 8),
			 UINT64_C(0x1122334455667788));
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_DESCHI, 4), 0x11223344);
	stop(&bench);
}

static void other_widths_read_zero_and_write_nowhere(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SIZE, 8, 1);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 4);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SIZE + 1, 0, 1);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_STATUS, 1, 2);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), VIRTQ_SIZE_MAX);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_STATUS, 1), 0);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_SIZE, 1), 0);
	stop(&bench);
}

static void what_is_read_only_stays(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_NUMQ, 77, 2);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_DF, 0, 4);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_CFGGENERATION, 9, 1);
	bench_store(&bench.pci, bench.driver.isr_at, 0xff, 1);
	bench_store(&bench.pci, bench.driver.msix_pending_at, UINT64_MAX, 8);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_NUMQ, 2), ECHO_QUEUES);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_CFGGENERATION, 1), 0);
	assert_int_equal(read_isr(&bench), 0);
	assert_int_equal(bench_load(&bench.pci, bench.driver.msix_pending_at, 8), 0);
	stop(&bench);
}

static void a_queue_that_does_not_exist_has_size_0(void **state UNUSED)
{
	struct driver *driver;
	struct bench bench;

	start(&bench);
	driver = &bench.driver;
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SELECT, ECHO_QUEUES, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SIZE, 8, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_MSIX, 0, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_DESCLO, UINT64_MAX, 8);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, UINT64_MAX, 8);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_USEDLO, UINT64_MAX, 8);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, 8), 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_USEDLO, 8), 0);
	assert_int_equal(driver_read(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_false(driver_sees_failure(driver));
	stop(&bench);
}

static void a_vector_that_does_not_exist_reads_back_as_none(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_MSIX, ECHO_QUEUES + 1, 2);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, 0x8000, 2);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_MSIX, 2),
			 VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, 2),
			 VIRTIO_MSI_NO_VECTOR);
	stop(&bench);
}

/* --- notifications --- */

static void a_kick_is_caught_before_it_reaches_the_device(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	for (uint16_t queue = 0; queue < ECHO_QUEUES; queue++)
		assert_true(
			kick_probe_has(&bench.pci.kicks, (uint16_t)(PORT_PCI_START + 4 * queue)));
	assert_serves(&bench);
	stop(&bench);
}

static void a_kick_that_nobody_caught_arrives_too(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	offer(&bench);
	bench_out(&bench.pci, bench.driver.notify_port, 0, 4);
	assert_served(&bench);
	assert_int_equal(bench_in(&bench.pci, bench.driver.notify_port, 4), 0);
	stop(&bench);
}

static void without_room_for_ioeventfds_kicks_arrive_all_the_same(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.pci.kicks.refuses = true;
	set(&bench, PCI_BASE_ADDRESS_0, 0xd000, 4);
	assert_int_equal(bench.pci.kicks.count, 0);
	bench.driver.notify_port = 0xd000;
	driver_begin(&bench.driver, 0);
	assert_serves(&bench);
	stop(&bench);
}

static void kicks_follow_their_bar(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	set(&bench, PCI_BASE_ADDRESS_0, 0xe000, 4);
	assert_false(kick_probe_has(&bench.pci.kicks, PORT_PCI_START));
	assert_true(kick_probe_has(&bench.pci.kicks, 0xe004));
	bench.driver.notify_port = 0xe000;
	assert_serves(&bench);
	set(&bench, PCI_COMMAND, 0, 2);
	assert_int_equal(bench.pci.kicks.count, 0);
	stop(&bench);
}

static void registers_follow_their_bar(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	set(&bench, PCI_BASE_ADDRESS_1, 0xd0000000, 4);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_NUMQ, 2), 0xffff);
	assert_int_equal(bench_load(&bench.pci, 0xd0000000 + VIRTIO_PCI_COMMON_NUMQ, 2),
			 ECHO_QUEUES);
	assert_serves(&bench);
	stop(&bench);
}

static void two_devices_with_one_place_do_not_disturb_each_other(void **state UNUSED)
{
	struct virtio_pci *other;
	struct echo *other_echo;
	struct bench bench;
	uint32_t others_bar;

	start(&bench);
	driver_begin(&bench.driver, 0);
	other = plug(&bench, OTHER_SLOT, &other_echo);
	others_bar = bench_config_read(&bench.pci, OTHER_SLOT, PCI_BASE_ADDRESS_0, 4);
	bench_config_write(&bench.pci, OTHER_SLOT, PCI_BASE_ADDRESS_0, PORT_PCI_START, 4);
	assert_serves(&bench);
	assert_false(kick_probe_has(&bench.pci.kicks, (uint16_t)(others_bar & ~3u)));
	virtio_pci_destroy(other);
	assert_serves(&bench);
	stop(&bench);
}

/* --- interrupts by wire --- */

static void start_with_intx(struct bench *bench)
{
	start(bench);
	driver_negotiate(&bench->driver, VIRTIO_BIT(VIRTIO_F_VERSION_1));
	driver_place_queue(&bench->driver, 0, DRIVER_RING_SIZE);
	driver_enable_queue(&bench->driver, 0);
	driver_set_status(&bench->driver, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void without_msix_the_wire_is_pulled_until_the_isr_is_read(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	assert_serves(&bench);
	turn(&bench);
	assert_true(bench.pci.intx.level);
	assert_true(get(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	assert_int_equal(read_isr(&bench), ISR_QUEUE);
	assert_false(bench.pci.intx.level);
	assert_false(get(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	assert_int_equal(read_isr(&bench), 0);
	stop(&bench);
}

static void a_failing_device_pulls_the_wire_too(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	ring_offer(&bench.driver.rings[0], DRIVER_RING_SIZE);
	driver_kick(&bench.driver, 0);
	assert_true(driver_sees_failure(&bench.driver));
	turn(&bench);
	assert_true(bench.pci.intx.level);
	assert_int_equal(read_isr(&bench), ISR_CONFIG);
	stop(&bench);
}

static void a_disabled_wire_is_not_pulled_and_the_isr_stays(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	set(&bench, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE, 2);
	assert_serves(&bench);
	turn(&bench);
	assert_false(bench.pci.intx.level);
	assert_true(get(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	set(&bench, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert_true(bench.pci.intx.level);
	assert_int_equal(read_isr(&bench), ISR_QUEUE);
	stop(&bench);
}

static void enabling_msix_lets_go_of_the_wire(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	assert_serves(&bench);
	turn(&bench);
	assert_true(bench.pci.intx.level);
	driver_enable_msix(&bench.driver);
	assert_false(bench.pci.intx.level);
	assert_serves(&bench);
	turn(&bench);
	assert_false(bench.pci.intx.level);
	stop(&bench);
}

static void a_reset_device_lets_go_of_the_wire(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	assert_serves(&bench);
	turn(&bench);
	assert_true(bench.pci.intx.level);
	driver_reset(&bench.driver);
	assert_false(bench.pci.intx.level);
	assert_int_equal(read_isr(&bench), 0);
	stop(&bench);
}

static void a_reset_before_the_wire_was_pulled_prevents_it(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	assert_serves(&bench);
	driver_reset(&bench.driver);
	turn(&bench);
	assert_false(bench.pci.intx.level);
	stop(&bench);
}

/* --- interrupts by message --- */

static void a_masked_vector_delivers_when_unmasked(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	driver_mask_vector(&bench.driver, VECTOR_QUEUE, true);
	assert_serves(&bench);
	assert_int_equal(bench_load(&bench.pci, bench.driver.msix_pending_at, 4),
			 1 << VECTOR_QUEUE);
	driver_mask_vector(&bench.driver, VECTOR_QUEUE, false);
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE));
	assert_int_equal(bench_load(&bench.pci, bench.driver.msix_pending_at, 4), 0);
	stop(&bench);
}

static void a_reset_device_forgets_what_was_pending(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	driver_mask_vector(&bench.driver, VECTOR_QUEUE, true);
	assert_serves(&bench);
	driver_reset(&bench.driver);
	assert_int_equal(bench_load(&bench.pci, bench.driver.msix_pending_at, 4), 0);
	driver_mask_vector(&bench.driver, VECTOR_QUEUE, false);
	assert_false(driver_has_interrupt(&bench.driver, VECTOR_QUEUE));
	stop(&bench);
}

static void a_queue_without_a_vector_interrupts_nobody(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, VIRTIO_MSI_NO_VECTOR, 2);
	assert_serves(&bench);
	for (uint32_t vector = 0; vector <= ECHO_QUEUES; vector++)
		assert_false(driver_has_interrupt(&bench.driver, vector));
	assert_int_equal(read_isr(&bench), 0);
	stop(&bench);
}

static void queues_may_share_a_vector_and_change_it_while_running(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	driver_write(&bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, VECTOR_QUEUE + 1, 2);
	assert_serves(&bench);
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE + 1));
	assert_false(driver_has_interrupt(&bench.driver, VECTOR_QUEUE));
	stop(&bench);
}

/* --- the window in configuration space --- */

static void set_window(struct bench *bench, uint8_t bar, uint32_t offset, uint32_t length)
{
	uint32_t at = bench->driver.access_capability;

	set(bench, at + ACCESS_BAR, bar, 1);
	set(bench, at + ACCESS_OFFSET, offset, 4);
	set(bench, at + ACCESS_LENGTH, length, 4);
}

static uint32_t read_window(struct bench *bench)
{
	return get(bench, bench->driver.access_capability + ACCESS_DATA, 4);
}

static void write_window(struct bench *bench, uint32_t value)
{
	set(bench, bench->driver.access_capability + ACCESS_DATA, value, 4);
}

static void a_window_reaches_the_registers(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set_window(&bench, 1, VIRTIO_PCI_COMMON_NUMQ, 2);
	assert_int_equal(read_window(&bench), ECHO_QUEUES);
	set_window(&bench, 1, VIRTIO_PCI_COMMON_STATUS, 1);
	write_window(&bench, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(driver_status(&bench.driver), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(read_window(&bench), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	write_window(&bench, 0);
	assert_int_equal(driver_status(&bench.driver), 0);
	stop(&bench);
}

static void a_window_kicks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	driver_begin(&bench.driver, 0);
	offer(&bench);
	set_window(&bench, 0, 0, 2);
	write_window(&bench, 0);
	assert_served(&bench);
	stop(&bench);
}

static void a_window_that_hangs_over_an_edge_shows_nothing(void **state UNUSED)
{
	static const struct {
		uint8_t bar;
		uint32_t offset, length;
	} bad[] = {
		{ 1, 0, 0 }, { 1, 0, 3 }, { 1, 0, 8 },	    { 1, 0, UINT32_MAX },
		{ 1, 1, 2 }, { 1, 2, 4 }, { 1, 0x4000, 4 }, { 1, 0xfffffffc, 4 },
		{ 0, 8, 4 }, { 2, 0, 4 }, { 255, 0, 4 },
	};
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		set_window(&bench, bad[i].bar, bad[i].offset, bad[i].length);
		write_window(&bench, 0xa5a5a5a5);
		assert_int_equal(read_window(&bench), 0xa5a5a5a5);
	}
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_DFSELECT, 4), 0);
	stop(&bench);
}

static void a_window_works_while_its_bar_is_not_decoded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, PCI_COMMAND, 0, 2);
	set_window(&bench, 1, VIRTIO_PCI_COMMON_NUMQ, 2);
	assert_int_equal(read_window(&bench), ECHO_QUEUES);
	stop(&bench);
}

/* --- the machine's reset --- */

static void a_machine_reset_brings_back_power_on_state(void **state UNUSED)
{
	uint32_t before[PCI_CONFIG_BYTES / 4];
	struct bench bench;

	start(&bench);
	for (uint32_t i = 0; i < ARRAY_SIZE(before); i++)
		before[i] = get(&bench, 4 * i, 4);
	driver_begin(&bench.driver, VIRTIO_BIT(ECHO_FEATURE));
	assert_serves(&bench);
	set(&bench, PCI_BASE_ADDRESS_0, 0xf000, 4);
	virtio_pci_reset(bench.device);
	for (uint32_t i = 0; i < ARRAY_SIZE(before); i++)
		assert_int_equal(get(&bench, 4 * i, 4), before[i]);
	assert_int_equal(message_count_routes(&bench.pci.messages), 0);
	assert_int_equal(driver_status(&bench.driver), 0);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	assert_int_equal(driver_read(&bench.driver, VIRTIO_PCI_COMMON_MSIX, 2),
			 VIRTIO_MSI_NO_VECTOR);
	driver_begin(&bench.driver, 0);
	assert_serves(&bench);
	assert_true(driver_take_interrupt(&bench.driver, VECTOR_QUEUE));
	stop(&bench);
}

static void a_machine_reset_lets_go_of_the_wire(void **state UNUSED)
{
	struct bench bench;

	start_with_intx(&bench);
	assert_serves(&bench);
	turn(&bench);
	assert_true(bench.pci.intx.level);
	virtio_pci_reset(bench.device);
	assert_false(bench.pci.intx.level);
	stop(&bench);
}

static void a_device_without_a_slot_is_destroyed_with_a_reason(void **state UNUSED)
{
	struct virtio_pci_host host;
	struct virtio_pci *device;
	struct errmsg why = { 0 };
	struct bench bench;
	struct echo *echo;

	start(&bench);
	host = pci_bench_host(&bench.pci);
	echo = echo_create("echo1", &bench.pci.memory);
	assert_int_equal(virtio_pci_create(&echo->dev, &host, SLOT, &device, &why), -EBUSY);
	assert_string_equal(why.text, "echo1: PCI slot 3 is taken");
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_modern_virtio_device),
		cmocka_unit_test(common_registers_are_complete),
		cmocka_unit_test(what_can_be_written_reads_back),
		cmocka_unit_test(ring_addresses_can_be_written_as_a_whole),
		cmocka_unit_test(other_widths_read_zero_and_write_nowhere),
		cmocka_unit_test(what_is_read_only_stays),
		cmocka_unit_test(a_queue_that_does_not_exist_has_size_0),
		cmocka_unit_test(a_vector_that_does_not_exist_reads_back_as_none),
		cmocka_unit_test(a_kick_is_caught_before_it_reaches_the_device),
		cmocka_unit_test(a_kick_that_nobody_caught_arrives_too),
		cmocka_unit_test(without_room_for_ioeventfds_kicks_arrive_all_the_same),
		cmocka_unit_test(kicks_follow_their_bar),
		cmocka_unit_test(registers_follow_their_bar),
		cmocka_unit_test(two_devices_with_one_place_do_not_disturb_each_other),
		cmocka_unit_test(without_msix_the_wire_is_pulled_until_the_isr_is_read),
		cmocka_unit_test(a_failing_device_pulls_the_wire_too),
		cmocka_unit_test(a_disabled_wire_is_not_pulled_and_the_isr_stays),
		cmocka_unit_test(enabling_msix_lets_go_of_the_wire),
		cmocka_unit_test(a_reset_device_lets_go_of_the_wire),
		cmocka_unit_test(a_reset_before_the_wire_was_pulled_prevents_it),
		cmocka_unit_test(a_masked_vector_delivers_when_unmasked),
		cmocka_unit_test(a_reset_device_forgets_what_was_pending),
		cmocka_unit_test(a_queue_without_a_vector_interrupts_nobody),
		cmocka_unit_test(queues_may_share_a_vector_and_change_it_while_running),
		cmocka_unit_test(a_window_reaches_the_registers),
		cmocka_unit_test(a_window_kicks),
		cmocka_unit_test(a_window_that_hangs_over_an_edge_shows_nothing),
		cmocka_unit_test(a_window_works_while_its_bar_is_not_decoded),
		cmocka_unit_test(a_machine_reset_brings_back_power_on_state),
		cmocka_unit_test(a_machine_reset_lets_go_of_the_wire),
		cmocka_unit_test(a_device_without_a_slot_is_destroyed_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
