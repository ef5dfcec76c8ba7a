/*
 * Where a console goes, as people write it: see console_spec.h.
 */
#include <string.h>
#include <sys/un.h>

#include "vmm/console_spec.h"

static const struct spec_form {
	const char *text; /* the whole of it, or what a path follows */
	enum console_kind kind;
	size_t path_max_bytes; /* 0: no path */
} spec_forms[] = {
	{ "stdio", CONSOLE_STDIO, 0 },
	{ "null", CONSOLE_NULL, 0 },
	{ "file:", CONSOLE_FILE, 4095 },
	{ "unix:", CONSOLE_UNIX, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 },
};

bool console_spec_parse(const char *text, struct console_spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(spec_forms); i++) {
		const struct spec_form *form = &spec_forms[i];
		const char *path = text + strlen(form->text);

		if (strncmp(text, form->text, strlen(form->text)) != 0)
			continue;
		if (form->path_max_bytes ? !*path || strlen(path) > form->path_max_bytes : *path)
			return false;
		spec->kind = form->kind;
		spec->path = form->path_max_bytes ? path : NULL;
		return true;
	}
	return false;
}

bool console_spec_is_valid(const char *text)
{
	struct console_spec spec;

	return console_spec_parse(text, &spec);
}
