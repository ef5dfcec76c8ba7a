/*
 * Handlers of signals: the frame on ring 3's stack from which they come back.
 *
 * Source: System V ABI; Linux's struct rt_sigframe with struct ucontext and the XSAVE area (asm/sigcontext.h).
 */
#pragma once

#include "kernel/cpu/trap.h"
#include "kernel/proc/signal.h"

/* Makes @frame enter @action's handler, with all that was in it saved. -EFAULT: the stack is no good. */
MUST_CHECK int signal_frame_enter(struct trap_frame *frame, const struct signal_info *info,
				  const struct signal_action *action);

/* Back to where the frame below ring 3's stack pointer says. -EFAULT. */
MUST_CHECK int signal_frame_leave(struct trap_frame *frame);
