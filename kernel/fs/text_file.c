/*
 * Files made of text: see text_file.h.
 */
#include "kernel/fs/text_file.h"
#include "kernel/mem/object.h"
#include "lib/format.h"

static struct object_cache source_cache = OBJECT_CACHE("text file", struct text_source);

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
	done = source->fill(text, source->argument);
	if (!done && offset < text->length)
		done = uio_put(uio, text->bytes + offset, text->length - offset);
	kfree(text);
	return done;
}

static int text_stat(struct file *file, struct file_stat *out)
{
	const struct text_source *source = file->data;

	*out = (struct file_stat){ .mode = source->mode, .links = 1 };
	return 0;
}

static void text_release(struct file *file)
{
	object_free(&source_cache, file->data);
}

static const struct file_ops text_ops = {
	.name = "text",
	.read_at = text_read_at,
	.stat = text_stat,
	.release = text_release,
};

struct file *text_file_create(const struct text_source *source, uint32_t flags)
{
	struct text_source *copy = object_alloc(&source_cache);
	struct file *file = copy ? file_create(&text_ops, copy, flags) : NULL;

	if (file)
		*copy = *source;
	else if (copy)
		object_free(&source_cache, copy);
	return file;
}
