/*
 * An NVMe controller that doesn't do as it should: registers in memory, and behind them as much of a device as is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/block/nvme_controller.h"
#include "kernel/cpu/clock.h"
#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/sched/thread.h"
#include "tests/support/cmocka.h"

enum {
	CAP = 0x00,
	CC = 0x14,
	CSTS = 0x1c,
	ADMIN_TAIL = 0x1000,
	READY = 1,
	PAGES = 8,
	STATUS_FAILED = 1 << 1,
};
#define SECOND_NS UINT64_C(1000000000)

static uint8_t registers[0x2000] __attribute__((aligned(4096)));
static uint8_t pages[PAGES][4096] __attribute__((aligned(4096)));
static struct nvme_controller controller;
static struct pci_device pci;
static uint64_t now_ns;
static uint32_t nr_pages, done, status;
static bool is_silent, may_dma;

static uint32_t *at(uint32_t offset)
{
	return (uint32_t *)(registers + offset);
}

/* --- what it stands on --- */

uint64_t clock_ns(void)
{
	return now_ns;
}

void pci_enable(const struct pci_device *device UNUSED)
{
	may_dma = true;
}

void pci_stop_dma(const struct pci_device *device UNUSED)
{
	may_dma = false;
}

volatile void *pci_map(const struct pci_device *device UNUSED, uint32_t bar UNUSED,
		       uint64_t offset UNUSED, uint64_t size_bytes)
{
	assert_true(size_bytes <= sizeof(registers));
	return registers;
}

void *page_alloc(void)
{
	assert_true(nr_pages < PAGES);
	return pages[nr_pages++];
}

void mutex_init(struct mutex *mutex UNUSED)
{
}

void mutex_wait(struct mutex *mutex UNUSED)
{
}

void waitq_wake_one(struct waitq *queue UNUSED)
{
}

void print(const char *format UNUSED, ...)
{
}

/* --- the device --- */

/* Answers a command of the administration. */
static void answer(void)
{
	struct nvme_queue *queue = &controller.admin;
	struct nvme_completion *completion = &queue->completions[done % NVME_QUEUE_ENTRIES];

	completion->id = queue->commands[done % NVME_QUEUE_ENTRIES].id;
	completion->status = (uint16_t)(status | !(done / NVME_QUEUE_ENTRIES % 2));
	done++;
}

/* Whoever waits lets it work for a second. */
void thread_yield(void)
{
	now_ns += SECOND_NS;
	if (!(*at(CC) & 1) || !(*at(CSTS) & READY))
		done = 0;
	*at(CSTS) = *at(CC) & 1 ? READY : 0;
	while (!is_silent && controller.admin.commands && done != *at(ADMIN_TAIL))
		answer();
}

static int prepare(void **state UNUSED)
{
	memset(registers, 0, sizeof(registers));
	memset(pages, 0, sizeof(pages));
	memset(&controller, 0, sizeof(controller));
	*at(CAP) = NVME_QUEUE_ENTRIES - 1;
	nr_pages = done = status = 0;
	is_silent = false;
	return 0;
}

/* --- the tests --- */

static void commands_are_answered(void **state UNUSED)
{
	assert_int_equal(nvme_open(&pci, &controller), 0);
	assert_true(controller.is_running && may_dma);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(nvme_identify(&controller, 0, 1), 0);
	status = STATUS_FAILED;
	assert_int_equal(nvme_identify(&controller, 0, 1), -EIO);
	status = 0;
	assert_int_equal(nvme_identify(&controller, 0, 1), 0);
}

static void a_late_answer_is_not_the_next_commands(void **state UNUSED)
{
	assert_int_equal(nvme_open(&pci, &controller), 0);
	is_silent = true;
	assert_int_equal(nvme_identify(&controller, 0, 1), -ETIMEDOUT);
	answer(); /* too late; and the next one it doesn't do */
	assert_int_not_equal(nvme_identify(&controller, 0, 2), 0);
}

static void one_that_does_not_answer_is_switched_off(void **state UNUSED)
{
	assert_int_equal(nvme_open(&pci, &controller), 0);
	is_silent = true;
	assert_int_equal(nvme_identify(&controller, 0, 1), -ETIMEDOUT);
	assert_false(controller.is_running || may_dma);
	assert_int_equal(*at(CC) & 1, 0);
	is_silent = false;
	assert_int_equal(nvme_enable(&controller), 0);
	assert_int_equal(nvme_identify(&controller, 0, 1), 0);
}

/* 3.1.1 "CAP", DSTRD */
static void doorbells_that_lie_too_far_apart_are_refused(void **state UNUSED)
{
	for (uint32_t stride = 5; stride < 16; stride++) {
		*at(CAP + 4) = stride;
		assert_int_equal(nvme_open(&pci, &controller), -ENODEV);
	}
	*at(CAP + 4) = 0;
	assert_int_equal(nvme_open(&pci, &controller), 0);
}

static void one_that_has_gone_is_an_error(void **state UNUSED)
{
	memset(registers, 0xff, sizeof(registers));
	*at(CAP) = NVME_QUEUE_ENTRIES - 1;
	*at(CAP + 4) = 0;
	assert_int_equal(nvme_open(&pci, &controller), -ENODEV);
	assert_false(controller.is_running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(commands_are_answered, prepare),
		cmocka_unit_test_setup(a_late_answer_is_not_the_next_commands, prepare),
		cmocka_unit_test_setup(one_that_does_not_answer_is_switched_off, prepare),
		cmocka_unit_test_setup(doorbells_that_lie_too_far_apart_are_refused, prepare),
		cmocka_unit_test_setup(one_that_has_gone_is_an_error, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
