/*
 * Runs what /etc/commands says, a line each; the machine is switched off then:
 *
 *	truncate NAME BYTES   makes a file of zeroes
 *	WORD...               a program in /bin, with no input; its output and status are printed between marks
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, WORDS_MAX = 32 };

static void truncate_file(const char *name, long size)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	if (fd < 0 || ftruncate(fd, size))
		perror(name);
	close(fd);
}

static void run(char *words[])
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		char path[256];

		snprintf(path, sizeof(path), "/bin/%s", words[0]);
		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(STDOUT_FILENO, STDERR_FILENO);
		execv(path, words);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	printf("=status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status));
}

static void carry_out(char *line, int number)
{
	char *words[WORDS_MAX + 1] = { NULL };
	int count = 0;

	for (char *word = strtok(line, " \n"); word && count < WORDS_MAX;
	     word = strtok(NULL, " \n"))
		words[count++] = word;
	if (count == 3 && !strcmp(words[0], "truncate")) {
		truncate_file(words[1], atol(words[2]));
		return;
	}
	printf("=begin %d\n", number);
	fflush(stdout);
	run(words);
	fflush(stdout);
}

int main(void)
{
	char line[LINE_BYTES];
	FILE *commands = fopen("/etc/commands", "r");

	if (!commands)
		return 1;
	for (int number = 0; fgets(line, sizeof(line), commands); number++)
		carry_out(line, number);
	fclose(commands);
	printf("DONE\n");
	fflush(stdout);
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
