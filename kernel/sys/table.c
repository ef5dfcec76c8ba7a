/*
 * The system calls. (Being built: see docs/kernel.md.)
 */
#include <stdbool.h>

#include "kernel/cpu/panic.h"
#include "kernel/cpu/trap.h"

bool syscall_dispatch(struct trap_frame *frame);

bool syscall_dispatch(struct trap_frame *frame)
{
	panic_at(frame, "system call %lu without a process", frame->rax);
}
