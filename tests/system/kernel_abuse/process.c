/*
 * What a process can do with itself, its files and its memory, misused: see abuse.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/system/kernel_abuse/abuse.h"

enum { FD_LIMIT = 1024 };

/* --- descriptors --- */

static int half_of(struct random *random, int result, const int ends[2])
{
	if (result)
		return -1;
	keep_fd(random, ends[0]);
	return ends[1];
}

void make_file(struct random *random)
{
	int ends[2], flags = one_in(random, 2) ? O_NONBLOCK : 0, fd;

	switch (pick(random, 8)) {
	case 0:
		fd = half_of(random, pipe2(ends, flags), ends);
		break;
	case 1:
		fd = half_of(random, socketpair(AF_UNIX, SOCK_STREAM | flags, 0, ends), ends);
		break;
	case 2:
		fd = eventfd((unsigned int)pick(random, 3), flags);
		break;
	case 3:
		fd = timerfd_create(CLOCK_MONOTONIC, flags);
		break;
	case 4:
		fd = epoll_create1(0);
		break;
	case 5:
		fd = memfd_create("abused", 0);
		break;
	case 6:
		fd = open("/dev/net/tun", O_RDWR | flags);
		break;
	default:
		fd = open("/tmp/abused", O_RDWR | O_CREAT | flags, 0600);
	}
	keep_fd(random, fd);
}

void close_or_copy(struct random *random)
{
	int fd = any_fd(random);

	if (one_in(random, 4) && fd > STDERR_FILENO)
		close(fd);
	else
		keep_fd(random, dup(fd));
}

/* --- memory --- */

void change_memory(struct random *random)
{
	void *at = any_place(random);
	size_t size = (size_t)(one_in(random, 2) ? 1 + pick(random, 16) : pick(random, 512)) * PAGE;

	if ((uint8_t *)at + size > arena + ARENA_BYTES)
		size = (size_t)(arena + ARENA_BYTES - (uint8_t *)at);
	switch (pick(random, 8)) {
	case 0:
		munmap(at, size);
		break;
	case 1:
		mprotect(at, size, (int)pick(random, 8));
		break;
	case 2:
		madvise(at, size, (int)pick(random, 26));
		break;
	case 3: /* the memory of a vCPU into a guest's */
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, any_fd(random), 0);
		break;
	case 4:
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0);
		break;
	default:
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0);
	}
}

/* --- system calls --- */

static bool is_among(long number, const long numbers[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (number == numbers[i])
			return true;
	return false;
}

/* Those that would end the machine, or make it another test: reboot, signals to others, more processes than are counted. */
static bool is_spared(long number)
{
	static const long spared[] = {
		SYS_reboot,
		SYS_kill,
		SYS_tkill,
		SYS_tgkill,
		SYS_rt_sigqueueinfo,
		SYS_rt_tgsigqueueinfo,
		SYS_fork,
		SYS_vfork,
		SYS_pidfd_send_signal,
		SYS_clone,
		SYS_clone3,
		SYS_execve,
		SYS_execveat,
		SYS_prlimit64,
		SYS_rt_sigprocmask,
		SYS_rt_sigaction,
		SYS_seccomp,
		SYS_exit,
	};

	return is_among(number, spared, ARRAY_SIZE(spared));
}

/* Those that are often the caller's end: it is to do more before. */
static bool is_rare(long number)
{
	static const long rare[] = {
		SYS_exit_group,	  SYS_mmap,	  SYS_munmap, SYS_mprotect,	   SYS_brk,
		SYS_rt_sigreturn, SYS_arch_prctl, SYS_rseq,   SYS_set_robust_list,
	};

	return is_among(number, rare, ARRAY_SIZE(rare));
}

void any_call(struct random *random)
{
	static const char *const paths[] = { "/tmp/abused", "/tmp", "/proc/self/exe", "/proc" };
	long number = (long)pick(random, one_in(random, 16) ? 1000 : 335), arguments[6], result;

	if (is_spared(number) || (is_rare(number) && !one_in(random, 32)))
		return;
	for (int i = 0; i < 6; i++) {
		arguments[i] = (long)any_number(random);
		if (one_in(random, 3))
			arguments[i] = any_fd(random);
		else if (one_in(random, 5))
			arguments[i] = (long)paths[pick(random, ARRAY_SIZE(paths))];
	}
	result = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			 arguments[4], arguments[5]);
	if (result > 0 && result < FD_LIMIT && one_in(random, 4)) /* it may be a descriptor */
		keep_fd(random, (int)result);
}
