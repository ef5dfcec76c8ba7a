/*
 * Files made of text: see text_file.h.
 */
#include "kernel/fs/text_file.h"
#include "kernel/mem/object.h"
#include "lib/format.h"

void text_add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->length, length;
	va_list args;

	va_start(args, format);
	length = format_args(text->bytes + text->length, room, format, args);
	va_end(args);
	text->length += length < room ? length : 0;
}

static int64_t text_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	const struct text_source *source = file->data;
	struct text *text = kmalloc(sizeof(*text));
	int64_t done;

	if (!text)
		return -ENOMEM;
	done = source->fill(text, file->node);
	if (!done && offset < text->length)
		done = uio_put(uio, text->bytes + offset, text->length - offset);
	kfree(text);
	return done;
}

static const struct file_ops text_ops = { .read_at = text_read_at };

int text_file_open(const struct text_source *source, uint32_t flags, struct file **out)
{
	*out = file_create(&text_ops, (void *)(uintptr_t)source, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

static int open_made(struct node *node, uint32_t flags, struct file **out)
{
	return text_file_open(node->data, flags, out);
}

void text_file_make(const char *path, uint32_t mode, const struct text_source *source)
{
	node_make_special(path, mode, 0, open_made, source);
}
