/*
 * report-exit STATUS: end the emulated machine with an exit status.
 *
 * Writes 16 + STATUS (0 to 111) to port 0xf4, where tools/machine puts QEMU's isa-debug-exit device;
 * tools/emulator.py takes the 16 off again. Returns with status 1 where there is no such device:
 * the caller then powers off in the ordinary way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

enum { EXIT_PORT = 0xf4, EXIT_BASE = 16, STATUS_MAX = 111 };

int main(int argc, char **argv)
{
	char *end = NULL;
	long status = argc == 2 ? strtol(argv[1], &end, 10) : -1;

	if (!end || *end || status < 0 || status > STATUS_MAX) {
		fprintf(stderr, "usage: report-exit STATUS (0 to %d)\n", STATUS_MAX);
		return 2;
	}
	if (ioperm(EXIT_PORT, 4, 1)) {
		perror("report-exit: ioperm");
		return 1;
	}
	outl((unsigned int)(EXIT_BASE + status), EXIT_PORT);
	return 1;
}
