/*
 * Finding partitions: see partition.h.
 */
#include <linux/stat.h>
#include <string.h>

#include "kernel/block/block_file.h"
#include "kernel/block/gpt.h"
#include "kernel/block/partition.h"
#include "kernel/dev/print.h"
#include "kernel/fs/node.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "lib/format.h"

enum {
	ENTRIES_ORDER = 5, /* GPT_ENTRIES_BYTES_MAX, in whole pages */
	MAJOR = 259,	   /* Linux's "blkext": numbers without a meaning */
	MINORS_PER_DISK = 256,
};
static_assert(GPT_ENTRIES_BYTES_MAX <= PAGE_BYTES << ENTRIES_ORDER, "the entries fit");

static uint32_t nr_disks; /* [a] */

/* As the C library's makedev(): the minor's upper bits lie above the major. */
static uint32_t device_number(uint32_t minor)
{
	return (minor & 0xff) | MAJOR << 8 | (minor & ~0xffu) << 12;
}

static void add_device(struct disk *disk, uint32_t first_minor, uint32_t number, uint64_t start,
		       uint64_t size)
{
	struct block_device *device = kmalloc(sizeof(*device));
	size_t length = strlen(disk->name);
	char path[DISK_NAME_BYTES + 16];
	bool ends_in_digit = length && disk->name[length - 1] >= '0' &&
			     disk->name[length - 1] <= '9';

	if (!device) {
		print_warn("%s: no memory for its file", disk->name);
		return;
	}
	*device = (struct block_device){
		.disk = disk,
		.start_bytes = start,
		.size_bytes = size,
	};
	if (number)
		format_text(path, sizeof(path), "/dev/%s%s%u", disk->name, ends_in_digit ? "p" : "",
			    number);
	else
		format_text(path, sizeof(path), "/dev/%s", disk->name);
	node_make_special(path, S_IFBLK | 0600, device_number(first_minor + number),
			  block_file_open, device);
}

struct table {
	struct gpt_header header;
	uint8_t *entries; /* ENTRIES_ORDER pages */
	struct gpt_partition partitions[GPT_PARTITIONS_MAX];
	uint32_t count;
};

static int read_table_at(struct disk *disk, uint64_t block, struct table *table)
{
	uint64_t nr_blocks = disk->size_bytes / disk->block_bytes;
	uint32_t size;
	int err;

	err = disk_transfer(disk, DISK_READ, block * disk->block_bytes, table->entries,
			    disk->block_bytes);
	if (!err)
		err = gpt_parse_header(table->entries, disk->block_bytes, block, nr_blocks,
				       &table->header);
	if (err)
		return err;
	size = (uint32_t)align_up(gpt_entries_bytes(&table->header), disk->block_bytes);
	if (table->header.entries_block + size / disk->block_bytes > nr_blocks)
		return -EINVAL;
	err = disk_transfer(disk, DISK_READ, table->header.entries_block * disk->block_bytes,
			    table->entries, size);
	return err ? err
		   : gpt_parse_entries(&table->header, table->entries, table->partitions,
				       &table->count);
}

/* -ENOENT: the disk isn't partitioned in this way. */
static int read_table(struct disk *disk, struct table *table)
{
	int err;

	if (disk->size_bytes / disk->block_bytes < 2 * GPT_PRIMARY_BLOCK + 1)
		return -ENOENT;
	err = disk_transfer(disk, DISK_READ, 0, table->entries,
			    (uint32_t)align_up(512, disk->block_bytes));
	if (err)
		return err;
	if (!gpt_is_announced(table->entries, 512))
		return -ENOENT;
	err = read_table_at(disk, GPT_PRIMARY_BLOCK, table);
	if (!err)
		return 0;
	print_warn("%s: the first partition table is broken: the second one is used", disk->name);
	return read_table_at(disk, disk->size_bytes / disk->block_bytes - 1, table);
}

static void add_partitions(struct disk *disk, uint32_t first_minor, const struct table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const struct gpt_partition *found = &table->partitions[i];

		if (found->number < MINORS_PER_DISK)
			add_device(disk, first_minor, found->number,
				   found->first_block * disk->block_bytes,
				   found->nr_blocks * disk->block_bytes);
	}
}

void partitions_add(struct disk *disk)
{
	uint32_t first_minor = __atomic_fetch_add(&nr_disks, 1, __ATOMIC_RELAXED) * MINORS_PER_DISK;
	struct table *table = kmalloc(sizeof(*table));
	hpa_t entries;
	int err;

	add_device(disk, first_minor, 0, 0, disk->size_bytes);
	if (!table || frame_alloc(FRAME_KERNEL, ENTRIES_ORDER, &entries)) {
		print_warn("%s: no memory to look for partitions", disk->name);
		kfree(table);
		return;
	}
	table->entries = direct(entries);
	err = read_table(disk, table);
	if (!err)
		add_partitions(disk, first_minor, table);
	else if (err != -ENOENT)
		print_warn("%s: its partitions can't be read (error %d)", disk->name, -err);
	frame_put(entries);
	kfree(table);
}
