/*
 * What bhd itself needs to know of a VM's document. The rest is bhvm's business: it checks documents and
 * hands them back with every default written out (bhvm --dump-config).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/restart.h"
#include "lib/compiler.h"
#include "lib/errmsg.h"

enum {
	VM_NAME_BYTES = 64, /* with its NUL; as docs/vm.md has it */
	VM_DOCUMENT_MAX_BYTES = 1024 * 1024,
};

struct vm_document {
	json_t *text; /* owned: the effective document; NULL: not known yet */
	bool autostart;
	enum restart_policy restart;
	uint32_t cpus;
};

/**
 * vm_document_name() - what the VM of the file at @path is called
 *
 * The document's "name", else the file's name without ".json". A document that can't be read has its
 * file's name too: who wants to know why asks bhvm. What no name may hold becomes '?'.
 */
void vm_document_name(const char *path, char out[VM_NAME_BYTES]);

/* Reads what bhvm printed. Returns 0, or -errno with @why; then @out is as before. */
MUST_CHECK int vm_document_parse(const char *text, size_t length, struct vm_document *out,
				 struct errmsg *why);
void vm_document_destroy(struct vm_document *document);

/* "512M"; "?" if it isn't known. */
const char *vm_document_memory(const struct vm_document *document);
