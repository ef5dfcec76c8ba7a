/*
 * A thread gives up what it doesn't need: see sandbox.h.
 *
 * Source: Linux, Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox.h"

enum {
	PROLOGUE = 4, /* instructions before the first comparison */
	FILTER_MAX = 256,
};

#define LOAD(field)		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value)		BPF_STMT(BPF_RET | BPF_K, value)
#define UNLESS_EQUAL_SKIP(v, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 0, n)

static bool is_wanted;

int sandbox_prepare(struct errmsg *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && errno != EINVAL && errno != ENOSYS)
		return errmsg_system(why, -errno, "privileges cannot be given up: %s",
				     strerror(errno));
	is_wanted = true;
	return 0;
}

/* One comparison per allowed call, the rest dies. Returns how many instructions. */
static uint16_t build_filter(enum syscall_user user, struct sock_filter *filter)
{
	uint16_t n = 0;

	filter[n++] = (struct sock_filter)LOAD(arch);
	filter[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	filter[n++] = (struct sock_filter)LOAD(nr);
	for (uint32_t i = 0; i < nr_syscalls; i++) {
		if (!(syscalls[i].users & user))
			continue;
		filter[n++] = (struct sock_filter)UNLESS_EQUAL_SKIP(syscalls[i].number, 1);
		filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	return n;
}

int sandbox_enter(enum syscall_user user)
{
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };

	if (!is_wanted)
		return 0;
	assert(PROLOGUE + 2 * nr_syscalls + 1 <= FILTER_MAX);
	program.len = build_filter(user, filter);
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 0;
	return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}
