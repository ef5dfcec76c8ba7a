/*
 * /dev/objects: see objects.h.
 */
#include <linux/stat.h>

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

static int fill(struct text *text, const struct node *node UNUSED)
{
	struct sum sum = { .text = text };
	struct frame_counts frames;

	object_caches(add_cache, &sum);
	frame_count(&frames);
	text_add(text, "frames %lu\n", frames.total - frames.free - sum.cache_pages);
	return 0;
}

void objects_init(void)
{
	static const struct text_source source = { fill };

	text_file_make("/dev/objects", S_IFCHR | 0400, &source);
}
