/*
 * A file that lives as long as its test.
 */
#pragma once

#include <stdint.h>

struct scratch_file {
	char path[64];
	int fd;
};

/* @size_bytes of zeroes. */
void scratch_create(struct scratch_file *file, uint64_t size_bytes);
void scratch_remove(struct scratch_file *file);

void scratch_write(struct scratch_file *file, uint64_t offset, const void *bytes, size_t size);
void scratch_read(struct scratch_file *file, uint64_t offset, void *bytes, size_t size);
