/*
 * The first touch of a page in user space: the guest kernel's fault and, where its memory was never
 * used before, the hypervisor's beneath.
 */
#include <stddef.h>
#include <sys/mman.h>

#include "tests/perf/guest/figures.h"
#include "tests/perf/guest/jobs.h"

enum { PAGE_BYTES = 4096, PAGES = 16384 };

int job_touch(void)
{
	struct figures touches = { 0 };
	char *memory = mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return complain("mmap");
	if (madvise(memory, PAGES * PAGE_BYTES, MADV_NOHUGEPAGE) < 0)
		return complain("MADV_NOHUGEPAGE");
	for (int i = 0; i < PAGES; i++) {
		uint64_t start = now();

		*(volatile char *)(memory + i * PAGE_BYTES) = 1;
		figures_add(&touches, now() - start);
	}
	figures_say(&touches, "first-touch-linux");
	munmap(memory, PAGES * PAGE_BYTES);
	return 0;
}
