/*
 * Several threads, and processes, at one disk and at several.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

enum { THREADS = 4, ROUNDS = 48, PIECE_BYTES = 4096, ODD_BYTES = 777 };

struct job {
	pthread_t thread;
	const char *device;
	uint32_t index;
	uint32_t failures;
};

static void start_all(struct job jobs[THREADS], const char *const devices[THREADS],
		      void *(*run)(void *))
{
	for (uint32_t i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ .device = devices[i], .index = i };
		pthread_create(&jobs[i].thread, NULL, run, &jobs[i]);
	}
}

static uint32_t join_all(struct job jobs[THREADS])
{
	uint32_t failures = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(jobs[i].thread, NULL);
		failures += jobs[i].failures;
	}
	return failures;
}

/* Its own pieces, each beside another's: written, read back, now and then flushed. */
static void *work_direct(void *argument)
{
	struct job *job = argument;
	uint8_t *buffer = aligned_alloc(4096, 2 * PIECE_BYTES), *back = buffer + PIECE_BYTES;
	int fd = open(job->device, O_RDWR | O_DIRECT);

	for (uint32_t round = 0; round < ROUNDS; round++) {
		off_t at = (off_t)(round * THREADS + job->index) * PIECE_BYTES;

		disk_fill(buffer, (uint64_t)at, PIECE_BYTES, (uint8_t)job->index);
		job->failures += pwrite(fd, buffer, PIECE_BYTES, at) != PIECE_BYTES;
		job->failures += pread(fd, back, PIECE_BYTES, at) != PIECE_BYTES ||
				 memcmp(buffer, back, PIECE_BYTES) != 0;
		if (round % 16 == job->index)
			job->failures += fdatasync(fd) != 0;
	}
	close(fd);
	free(buffer);
	return NULL;
}

static void direct(const char *const devices[THREADS])
{
	uint8_t *buffer = disk_buffer();
	struct job jobs[THREADS];
	uint32_t wrong = 0;

	start_all(jobs, devices, work_direct);
	say("direct, %s and %s: failures %u", devices[0], devices[THREADS - 1], join_all(jobs));
	for (uint32_t piece = 0; piece < ROUNDS * THREADS; piece++) {
		int fd = open(devices[piece % THREADS], O_RDONLY | O_DIRECT);
		uint64_t at = piece * PIECE_BYTES;

		wrong += pread(fd, buffer, PIECE_BYTES, (off_t)at) != PIECE_BYTES ||
			 !disk_holds(buffer, at, PIECE_BYTES, (uint8_t)(piece % THREADS));
		close(fd);
	}
	say("pieces that are wrong: %u", wrong);
}

/* Pieces that begin and end inside blocks, whose rest is others'. */
static void *work_odd(void *argument)
{
	struct job *job = argument;
	uint8_t buffer[ODD_BYTES];
	int fd = open(job->device, O_RDWR);

	for (uint32_t round = 0; round < ROUNDS; round++) {
		off_t at = (off_t)(round * THREADS + job->index) * ODD_BYTES;

		disk_fill(buffer, (uint64_t)at, ODD_BYTES, 25);
		job->failures += pwrite(fd, buffer, ODD_BYTES, at) != ODD_BYTES;
	}
	close(fd);
	return NULL;
}

static void odd(const char *device)
{
	const char *const devices[THREADS] = { device, device, device, device };
	const size_t size = THREADS * ROUNDS * ODD_BYTES;
	uint8_t *buffer = disk_buffer();
	struct job jobs[THREADS];
	int fd = disk_open(device, O_RDWR);

	pwrite(fd, buffer, size, 0);
	start_all(jobs, devices, work_odd);
	say("%s, parts of blocks: failures %u", device, join_all(jobs));
	DISK_RESULT(device, pread(fd, buffer, size, 0));
	say("%s: nobody's part was lost: %d", device, disk_holds(buffer, 0, size, 25));
	close(fd);
}

static bool is_over;

static void *take_memory_away(void *memory)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		madvise(memory, 16 * PIECE_BYTES, MADV_DONTNEED);
		mmap(memory, 16 * PIECE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		sched_yield();
	}
	return NULL;
}

/* The buffer goes while the disk writes to it: then that is for nobody, and nobody else's memory. */
static void vanishing_buffer(void)
{
	uint8_t *memory = disk_buffer(), *expected = disk_buffer();
	int fd = disk_open(DISK_NVME "p1", O_RDWR | O_DIRECT);
	pthread_t thread;
	uint32_t failures = 0, wrong = 0;

	disk_fill(expected, 0, 16 * PIECE_BYTES, 26);
	RESULT(pwrite(fd, expected, 16 * PIECE_BYTES, 0));
	is_over = false;
	pthread_create(&thread, NULL, take_memory_away, memory);
	for (uint32_t round = 0; round < ROUNDS; round++)
		failures += pread(fd, memory, 16 * PIECE_BYTES, 0) != 16 * PIECE_BYTES;
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < 16 * PIECE_BYTES; i++)
		wrong += memory[i] && memory[i] != expected[i];
	say("a buffer that goes meanwhile: failures %u, foreign bytes %u", failures, wrong);
	close(fd);
}

/* Processes that count in a sector of the disk, one at a time. */
static void locked_counter(void)
{
	int fd = disk_open(DISK "2", O_RDWR | O_DIRECT);
	static uint32_t sector[128] __attribute__((aligned(512)));

	memset(sector, 0, sizeof(sector));
	RESULT(pwrite(fd, sector, sizeof(sector), 512));
	for (int i = 0; i < THREADS; i++) {
		if (fork())
			continue;
		fd = open(DISK "2", O_RDWR | O_DIRECT);
		for (int round = 0; round < ROUNDS; round++) {
			flock(fd, LOCK_EX);
			pread(fd, sector, sizeof(sector), 512);
			sector[0]++;
			pwrite(fd, sector, sizeof(sector), 512);
			flock(fd, LOCK_UN);
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	RESULT(pread(fd, sector, sizeof(sector), 512));
	say("counted: %u", sector[0]);
	close(fd);
}

void group_block_threads(void)
{
	static const char *const one[THREADS] = { DISK "5", DISK "5", DISK "5", DISK "5" };
	static const char *const nvme[THREADS] = { DISK_NVME_4K, DISK_NVME_4K, DISK_NVME_4K,
						   DISK_NVME_4K };
	static const char *const each[THREADS] = { DISK "1", DISK_NVME "p1", DISK_LARGE "1",
						   DISK_NVME_4K };

	direct(one);
	direct(nvme);
	direct(each);
	odd(DISK "1");
	odd(DISK_NVME_4K);
	vanishing_buffer();
	locked_counter();
}
