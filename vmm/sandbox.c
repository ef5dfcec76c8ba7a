/*
 * A thread gives up what it doesn't need: see sandbox.h.
 *
 * Source: Linux, Documentation/userspace-api/seccomp_filter.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox.h"

enum {
	PROLOGUE = 4, /* instructions before the first comparison */
	NR_LAST_CALLS = 4,
	LAST_CALL = 5, /* instructions for one */
	FILTER_MAX = 256,
};

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(i) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args[i]))
#define RETURN(value)		BPF_STMT(BPF_RET | BPF_K, value)
#define UNLESS_EQUAL_SKIP(v, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, 0, n)

/*
 * A thread that crashes gives the terminal back (terminal.h) and dies by its signal, by calls that it otherwise may not
 * make: they are let through with this argument only. The kernel looks at its lower half only, too.
 */
struct last_call {
	uint32_t number;
	uint32_t argument; /* which */
	uint32_t value;
};

static bool is_wanted;

int sandbox_prepare(struct errmsg *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && errno != EINVAL && errno != ENOSYS)
		return errmsg_system(why, -errno, "privileges cannot be given up: %s",
				     strerror(errno));
	is_wanted = true;
	return 0;
}

/* The accumulator holds the call's number, before and after. Returns how many instructions. */
static uint16_t allow_last_call(const struct last_call *call, struct sock_filter *filter)
{
	const struct sock_filter steps[] = {
		UNLESS_EQUAL_SKIP(call->number, LAST_CALL - 1),
		LOAD_ARGUMENT(call->argument),
		UNLESS_EQUAL_SKIP(call->value, 1),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(nr),
	};

	static_assert(ARRAY_SIZE(steps) == LAST_CALL, "LAST_CALL counts them");
	memcpy(filter, steps, sizeof(steps));
	return ARRAY_SIZE(steps);
}

static uint16_t allow_last_calls(struct sock_filter *filter)
{
	const struct last_call calls[NR_LAST_CALLS] = {
		{ SYS_ioctl, 1, TCGETS }, /* some C libraries look whether it was set */
		{ SYS_ioctl, 1, TCSETS },
		{ SYS_fcntl, 1, F_SETFL },
		{ SYS_tgkill, 0, (uint32_t)getpid() },
	};
	uint16_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		n += allow_last_call(&calls[i], filter + n);
	return n;
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
	n += allow_last_calls(filter + n);
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	return n;
}

int sandbox_enter(enum syscall_user user)
{
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };

	if (!is_wanted)
		return 0;
	assert(PROLOGUE + 2 * nr_syscalls + NR_LAST_CALLS * LAST_CALL + 1 <= FILTER_MAX);
	program.len = build_filter(user, filter);
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return 0;
	return errno == ENOSYS || errno == EINVAL ? 0 : -errno;
}
