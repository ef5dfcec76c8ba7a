/*
 * Memory: mmap, munmap, mprotect, madvise, brk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/abi/abi.h"

enum { PAGE = 4096, HUGE = 2 << 20 };

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

/* Can the kernel write there for us? A way to look at protection without signals. */
static long writable(void *address)
{
	return syscall(SYS_clock_gettime, 1, address) ? -errno : 0;
}

/* And read from there? */
static long readable(const void *address)
{
	return syscall(SYS_openat, -100, address, 0) < 0 ? -errno : 0;
}

static void bad_calls(void)
{
	char *page = mmap(NULL, PAGE, RW, ANON, -1, 0);

	WORKED(mmap(NULL, 0, RW, ANON, -1, 0));
	WORKED(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	WORKED(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	WORKED(mmap(NULL, PAGE, RW, MAP_PRIVATE, 999, 0));
	WORKED(mmap(page + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	WORKED(syscall(SYS_mmap, 0, PAGE, RW, MAP_PRIVATE, 0, 1));
	WORKED(mmap(page, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	WORKED(mmap((void *)0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	WORKED(mmap(NULL, 1ul << 60, RW, ANON, -1, 0));
	RESULT(munmap(page + 1, PAGE));
	RESULT(munmap(page, 0));
	RESULT(mprotect(page + 1, PAGE, PROT_READ));
	RESULT(mprotect(page, 0, PROT_READ));
	RESULT(mprotect(page, PAGE, 0x40));
	RESULT(mprotect((void *)PAGE, PAGE, PROT_READ));
	RESULT(madvise(page + 1, PAGE, MADV_DONTNEED));
	RESULT(madvise(page, PAGE, 12345));
	RESULT(madvise(page, 0, MADV_DONTNEED));
	RESULT(munmap(page, PAGE));
	RESULT(munmap(page, PAGE));
	RESULT(madvise(page, PAGE, MADV_DONTNEED));
	RESULT(mprotect(page, PAGE, PROT_READ));
}

static void protection(void)
{
	char *page = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);

	say("new pages are zero: %d", page[0] == 0 && page[3 * PAGE - 1] == 0);
	strcpy(page + PAGE, "/nonexistent");
	RESULT(mprotect(page + PAGE, PAGE, PROT_READ));
	say("read-only: read %ld write %ld", readable(page + PAGE), writable(page + PAGE));
	RESULT(mprotect(page + PAGE, PAGE, PROT_NONE));
	say("none: read %ld write %ld", readable(page + PAGE), writable(page + PAGE));
	RESULT(mprotect(page + PAGE, PAGE, RW));
	say("again: %s, write %ld", page + PAGE, writable(page));
	RESULT(munmap(page + PAGE, PAGE));
	say("hole: %ld", readable(page + PAGE));
	RESULT(mprotect(page, 3 * PAGE, PROT_READ));
	RESULT(munmap(page, 3 * PAGE));
}

static void discarding(void)
{
	char *huge = mmap(NULL, 2 * HUGE, RW, ANON, -1, 0);

	memset(huge, 1, 2 * HUGE);
	RESULT(madvise(huge + 3 * PAGE, PAGE, MADV_DONTNEED));
	say("discarded %d, beside it %d %d", huge[3 * PAGE], huge[2 * PAGE], huge[4 * PAGE]);
	RESULT(munmap(huge + 8 * PAGE, PAGE));
	say("around a hole: %d %d", huge[8 * PAGE - 1], huge[9 * PAGE]);
	RESULT(madvise(huge, HUGE, MADV_DONTNEED));
	RESULT(madvise(huge, HUGE, MADV_HUGEPAGE));
	RESULT(madvise(huge, HUGE, MADV_DONTDUMP));
	say("all of it: %d, behind it %d", huge[0], huge[2 * HUGE - 1]);
	RESULT(munmap(huge, 2 * HUGE));
}

static long resident_pages(void)
{
	char text[1024], *at;
	int fd = open("/proc/self/stat", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 24; field++)
		at = strchr(at + 1, ' ');
	return at ? atol(at) : -1;
}

/* Where a program says that it needs little it gets little. */
static void small(void)
{
	char *huge = mmap(NULL, 4 * HUGE, RW, ANON | MAP_NORESERVE, -1, 0);
	char *inside = (char *)(((uintptr_t)huge + HUGE - 1) / HUGE * HUGE);
	long before;

	RESULT(madvise(inside, 2 * HUGE, MADV_NOHUGEPAGE));
	RESULT(madvise(inside + 1, PAGE, MADV_NOHUGEPAGE));
	RESULT(madvise(inside, 0, MADV_NOHUGEPAGE));
	before = resident_pages();
	inside[0] = inside[HUGE] = 1;
	say("two touched, few came: %d", resident_pages() - before < 64);
	say("the rest is zero: %d", inside[1] + inside[HUGE - 1] + inside[2 * HUGE - 1] == 0);
	RESULT(madvise(inside, HUGE, MADV_HUGEPAGE));
	say("as it was: %d", inside[0]);
	RESULT(munmap(huge, 4 * HUGE));
	RESULT(madvise(inside, PAGE, MADV_NOHUGEPAGE));
	RESULT(madvise(inside, PAGE, MADV_HUGEPAGE));
}

static void sharing(void)
{
	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	strcpy(shared, "/shared");
	RESULT(mprotect(shared, PAGE, PROT_READ));
	say("shared: %s, write %ld", shared, writable(shared));
	RESULT(munmap(shared, 2 * PAGE));
}

static void fixed(void)
{
	char *area = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
	char *inside;

	memset(area, 7, 4 * PAGE);
	inside = mmap(area + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	say("replaced: %d, is %d, beside it %d %d", inside == area + PAGE, inside[0], area[0],
	    area[2 * PAGE]);
	munmap(area, 4 * PAGE);
	say("at a free address: %d",
	    mmap(area, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == area);
	say("as a hint: %d", mmap(area + PAGE, PAGE, RW, ANON, -1, 0) == area + PAGE);
	munmap(area, 2 * PAGE);
}

static void breaks(void)
{
	uintptr_t start = (uintptr_t)syscall(SYS_brk, 0), end;

	end = (uintptr_t)syscall(SYS_brk, start + 5 * PAGE);
	say("brk grows by %lu", end - start);
	((char *)start)[5 * PAGE - 1] = 1;
	say("brk refuses: %d", (uintptr_t)syscall(SYS_brk, 1) == end);
	say("brk refuses the top: %d", (uintptr_t)syscall(SYS_brk, 0x7ffffffff000) == end);
	say("brk shrinks: %d", (uintptr_t)syscall(SYS_brk, start) == start);
	say("gone: %ld", readable((void *)(start + 2 * PAGE)));
}

void group_memory(void)
{
	bad_calls();
	protection();
	discarding();
	small();
	sharing();
	fixed();
	breaks();
}
