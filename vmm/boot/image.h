/*
 * A file that a guest is started from: kernel or initrd. Kept open, so that a reset loads the same one.
 */
#pragma once

#include "lib/errmsg.h"
#include "vmm/memory.h"

struct image {
	int fd;
	const char *path; /* borrowed; in messages */
	const char *what; /* borrowed: "kernel" */
	uint64_t size_bytes;
};

MUST_CHECK int image_open(const char *path, const char *what, struct image *out,
			  struct errmsg *why);
void image_close(struct image *image);

/* Copies [offset, offset + size) of the file. Returns 0; -EINVAL with @why when the file ends before. */
MUST_CHECK int image_read(const struct image *image, uint64_t offset, void *buffer, uint64_t size,
			  struct errmsg *why);

/* The same into guest memory. Also -EINVAL when [@to, @to + @size) isn't RAM. */
MUST_CHECK int image_load(const struct image *image, uint64_t offset, uint64_t size,
			  const struct guest_memory *memory, gpa_t to, struct errmsg *why);
