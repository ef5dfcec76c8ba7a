/*
 * /dev/objects: see objects.h.
 */
#include <linux/stat.h>

#include "kernel/fs/node.h"
#include "kernel/fs/objects.h"
#include "kernel/fs/text_file.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"

struct sum {
	struct text *text;
	uint64_t cache_pages;
};

static void add_cache(const struct object_cache *cache, void *context)
{
	struct sum *sum = context;

	sum->cache_pages += cache->pages;
	text_add(sum->text, "%s %lu\n", cache->name, cache->used);
}

static int fill(struct text *text, uint64_t argument UNUSED)
{
	struct sum sum = { .text = text };
	struct frame_counts frames;

	object_caches(add_cache, &sum);
	frame_count(&frames);
	text_add(text, "frames %lu\n", frames.total - frames.free - sum.cache_pages);
	return 0;
}

static int objects_open(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	*out = text_file_create(&(struct text_source){ fill, 0, S_IFCHR | 0400 }, flags);
	return *out ? 0 : -ENOMEM;
}

void objects_init(void)
{
	node_make_special("/dev/objects", S_IFCHR | 0400, objects_open, NULL);
}
