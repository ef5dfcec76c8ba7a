/*
 * steps FILE: the first process of a server that has no shell. Does what FILE's lines say, one
 * after the other, and switches the machine off; words are separated by tabs:
 *
 *     heading NAME             prints `== NAME`
 *     file PATH MIB            makes a file of zeroes
 *     start COMMAND...         runs it in the background, for as long as the machine is on
 *     run COMMAND...           runs it, and waits for its end
 *
 * A step that fails doesn't keep the others from being done; at the end the machine is reset then,
 * instead of switched off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 64, LINE_BYTES_MAX = 4096, MIB = 1 << 20 };

static int make_file(char **words)
{
	static char zeroes[MIB];
	int fd = words[0] && words[1] ? open(words[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	int err = fd < 0;

	for (int left = fd < 0 ? 0 : atoi(words[1]); left > 0 && !err; left--)
		err = write(fd, zeroes, MIB) != MIB;
	if (fd >= 0)
		close(fd);
	return err;
}

static pid_t spawn(char **words, bool is_quiet)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child)
		return child;
	if (is_quiet) {
		int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(nothing, STDIN_FILENO);
		dup2(nothing, STDOUT_FILENO);
	}
	execvp(words[0], words);
	perror(words[0]);
	_exit(127);
}

static int start(char **words)
{
	return spawn(words, true) < 0;
}

static int run(char **words)
{
	pid_t child = spawn(words, false);
	int status;

	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	return status != 0;
}

static int print_heading(char **words)
{
	printf("== %s\n", words[0] ? words[0] : "");
	return 0;
}

static const struct step {
	const char *name;
	int (*take)(char **words);
} steps[] = {
	{ "heading", print_heading },
	{ "file", make_file },
	{ "start", start },
	{ "run", run },
};

static int take_line(char *line)
{
	char *words[WORDS_MAX + 1] = { NULL };
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *word; count < WORDS_MAX && (word = strsep(&line, "\t"));)
		words[count++] = word;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!strcmp(words[0], steps[i].name)) {
			int err = steps[i].take(words + 1);

			if (err)
				printf("steps: %s %s: failed: %s\n", words[0],
				       words[1] ? words[1] : "", strerror(errno));
			return err;
		}
	printf("steps: %s: no such step\n", words[0]);
	return 1;
}

static int take_all(FILE *file)
{
	char line[LINE_BYTES_MAX];
	int failed = 0;

	while (fgets(line, sizeof(line), file))
		failed |= take_line(line);
	return failed;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "re") : NULL;
	int failed = 1;

	if (file)
		failed = take_all(file);
	else
		perror(argc == 2 ? argv[1] : "steps: expected FILE");
	printf("steps: %s\n", failed ? "failed" : "done");
	fflush(stdout);
	reboot(failed ? RB_AUTOBOOT : RB_POWER_OFF);
	return EXIT_FAILURE;
}
