#include <stdbool.h>
#include "kernel/cpu/trap.h"
#include "kernel/cpu/panic.h"
bool syscall_dispatch(struct trap_frame *frame);
bool syscall_dispatch(struct trap_frame *frame) { panic_at(frame, "syscall"); }
void thread_started(void *p); void thread_started(void *p) { (void)p; }
