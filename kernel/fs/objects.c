/*
 * /dev/objects: see objects.h.
 */
#include <errno.h>
#include <linux/stat.h>

#include "kernel/fs/node.h"
#include "kernel/fs/objects.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "lib/format.h"

enum { TEXT_BYTES = 8192 };

struct text {
	char bytes[TEXT_BYTES];
	size_t length;
	uint64_t cache_pages;
};

static void add_line(struct text *text, const char *name, uint64_t count)
{
	size_t room = sizeof(text->bytes) - text->length;
	size_t length = format_text(text->bytes + text->length, room, "%s %lu\n", name, count);

	text->length += length < room ? length : 0;
}

static void add_cache(const struct object_cache *cache, void *context)
{
	struct text *text = context;

	text->cache_pages += cache->pages;
	add_line(text, cache->name, cache->used);
}

static int64_t objects_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	struct text *text = kmalloc(sizeof(*text));
	struct frame_counts frames;
	int64_t done = 0;

	(void)file;
	if (!text)
		return -ENOMEM;
	object_caches(add_cache, text);
	frame_count(&frames);
	add_line(text, "frames", frames.total - frames.free - text->cache_pages);
	if (offset < text->length)
		done = uio_put(uio, text->bytes + offset, text->length - offset);
	kfree(text);
	return done;
}

static const struct file_ops objects_ops = {
	.name = "objects",
	.read_at = objects_read_at,
	.stat = file_stat_nameless,
};

static int objects_open(struct node *node, uint32_t flags, struct file **out)
{
	(void)node;
	*out = file_create(&objects_ops, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

void objects_init(void)
{
	node_make_special("/dev/objects", S_IFCHR | 0400, objects_open, NULL);
}
