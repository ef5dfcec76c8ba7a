/*
 * The host's first process: says how many instructions its machine has executed since it was switched on (the time-stamp counter, which
 * starts at 0 there), and ends the machine.
 */
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long instructions = __rdtsc();

	printf("figure host-first-process %llu\n", instructions);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
