/*
 * The order in which everything starts.
 */
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"
#include "kernel/mem/init.h"

_Noreturn void boot_main(uint32_t magic, uint32_t information);

void boot_main(uint32_t magic, uint32_t information)
{
	serial_init();
	print("Bulkhead");
	trap_init();
	trap_load();
	bootinfo_read(magic, information);
	mem_init();
	cpu_init(0, 0);
	print("processor: %s", cpu_features.brand);
	panic("nothing to do yet");
}
