/*
 * What bhd needs to know of a VM's document: see vm_document.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_text.h"
#include "host/vm_document.h"

/* ---- the name ---- */

/* The length, or -errno. A file that is too long is cut, and no JSON then. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t length = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (length < size && (n = read(fd, text + length, size - length)) > 0)
		length += (size_t)n;
	close(fd);
	return n < 0 ? -EIO : (ssize_t)length;
}

/* A new reference, or NULL. */
static json_t *read_json(const char *path)
{
	char *text = malloc(VM_DOCUMENT_MAX_BYTES);
	struct errmsg why = { 0 };
	json_t *value = NULL;
	ssize_t length;

	if (!text)
		return NULL;
	length = read_file(path, text, VM_DOCUMENT_MAX_BYTES);
	if (length < 0 || json_text_parse(text, (size_t)length, path, &value, &why))
		value = NULL;
	free(text);
	return value;
}

static void name_from_path(const char *path, char out[VM_NAME_BYTES])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *suffix = strrchr(base, '.');
	size_t length = suffix ? (size_t)(suffix - base) : strlen(base);

	snprintf(out, VM_NAME_BYTES, "%.*s", (int)min_u64(length, VM_NAME_BYTES - 1), base);
}

void vm_document_name(const char *path, char out[VM_NAME_BYTES])
{
	json_t *document = read_json(path);
	const char *name = json_string_value(json_object_get(document, "name"));

	if (name && *name && strlen(name) < VM_NAME_BYTES)
		snprintf(out, VM_NAME_BYTES, "%s", name);
	else
		name_from_path(path, out);
	json_decref(document);

	/* It becomes part of sockets' paths. */
	for (char *c = out; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/')
			*c = '?';
}

/* ---- the effective document ---- */

static int read_policy(const json_t *document, enum restart_policy *out)
{
	const char *name = json_string_value(json_object_get(document, "restart"));

	for (int policy = 0; name && policy < RESTART_POLICIES; policy++) {
		if (strcmp(name, restart_policy_names[policy]) != 0)
			continue;
		*out = (enum restart_policy)policy;
		return 0;
	}
	return -EPROTO;
}

int vm_document_parse(const char *text, size_t length, struct vm_document *out, struct errmsg *why)
{
	struct vm_document document = { 0 };
	const json_t *autostart, *cpus;
	int err;

	err = json_text_parse(text, length, "bhvm --dump-config", &document.text, why);
	if (err)
		return err;
	autostart = json_object_get(document.text, "autostart");
	cpus = json_object_get(document.text, "cpus");
	if (read_policy(document.text, &document.restart) || !json_is_boolean(autostart) ||
	    !json_is_integer(cpus)) {
		vm_document_destroy(&document);
		return errmsg_system(why, -EPROTO,
				     "bhvm --dump-config: expected a document with \"autostart\", "
				     "\"restart\" and \"cpus\"");
	}
	document.autostart = json_is_true(autostart);
	document.cpus = (uint32_t)json_integer_value(cpus);

	vm_document_destroy(out);
	*out = document;
	return 0;
}

void vm_document_destroy(struct vm_document *document)
{
	json_decref(document->text);
	*document = (struct vm_document){ 0 };
}

const char *vm_document_memory(const struct vm_document *document)
{
	const char *memory = json_string_value(json_object_get(document->text, "memory"));

	return memory ? memory : "?";
}
