/*
 * The way from the loader's description of memory to the kernel's own page tables: see mem/init.h.
 *
 * Until mem_init() loads its tables, physical memory below 4 GiB is where it is. One region there, in whole 2 MiB blocks,
 * becomes the kernel's first memory: the frame table and the first page tables are cut from it.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/tlb.h"
#include "kernel/dev/print.h"
#include "kernel/dev/screen.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/init.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/table.h"

extern uint8_t image_start[], image_end[], text_start[], rodata_start[], data_start[];

enum {
	FREE_RANGES_MAX = 2 * BOOTINFO_RANGES_MAX,
	/* For the image, windows, devices, stacks: what is needed before the allocator runs. */
	SPARE_TABLES = 64,
};

#define LOW_MEMORY_END UINT64_C(0x100000)
#define GIGA_BYTES     (UINT64_C(1) << 30)
/* Free beside the boot image's contents, or there's no point in it. */
#define WORKING_BYTES UINT64_C(0x1000000)

struct span {
	uint64_t start, end;
};

static struct span free_spans[FREE_RANGES_MAX]; /* RAM that nobody uses; ascending after sorting */
static uint32_t nr_free_spans;
static struct span early; /* the kernel's first memory; start moves up as it is used */
static struct span module;
static const void *module_at;

pte_t *kernel_top;

/* --- stock-taking --- */

static void span_add(uint64_t start, uint64_t end)
{
	if (start < end && nr_free_spans < FREE_RANGES_MAX)
		free_spans[nr_free_spans++] = (struct span){ start, end };
}

/* Takes [start, end) out of what is free. */
static void span_cut(uint64_t start, uint64_t end)
{
	uint32_t count = nr_free_spans;

	if (start >= end)
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct span *span = &free_spans[i];
		uint64_t old_end = span->end;

		if (span->end <= start || span->start >= end)
			continue;
		span->end = span->start < start ? start : span->start; /* what is before stays */
		span_add(end, old_end);
	}
}

static void spans_sort(void)
{
	for (uint32_t i = 1; i < nr_free_spans; i++)
		for (uint32_t j = i; j && free_spans[j - 1].start > free_spans[j].start; j--) {
			struct span swapped = free_spans[j];

			free_spans[j] = free_spans[j - 1];
			free_spans[j - 1] = swapped;
		}
}

static uint64_t page_up(uint64_t address)
{
	return align_up(address, PAGE_BYTES);
}

static uint64_t page_down(uint64_t address)
{
	return address & ~(PAGE_BYTES - 1);
}

static void take_stock(void)
{
	for (uint32_t i = 0; i < bootinfo.nr_ranges; i++)
		if (bootinfo.ranges[i].is_ram)
			span_add(page_up(bootinfo.ranges[i].start),
				 page_down(bootinfo.ranges[i].end));
	/* Where ranges contradict each other, RAM loses. */
	for (uint32_t i = 0; i < bootinfo.nr_ranges; i++)
		if (!bootinfo.ranges[i].is_ram)
			span_cut(page_down(bootinfo.ranges[i].start),
				 page_up(bootinfo.ranges[i].end));
	module = (struct span){ page_down(bootinfo.module_start), page_up(bootinfo.module_end) };
	span_cut(0, LOW_MEMORY_END);
	span_cut(image_hpa(image_start).v, image_hpa(image_end).v);
	span_cut(module.start, module.end);
	spans_sort();
}

/* RAM ends here: the frame table reaches up to it. */
static uint64_t ram_end(void)
{
	uint64_t end = image_hpa(image_end).v > module.end ? image_hpa(image_end).v : module.end;

	for (uint32_t i = 0; i < nr_free_spans; i++)
		if (free_spans[i].end > end)
			end = free_spans[i].end;
	return end;
}

static uint64_t ram_bytes(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bootinfo.nr_ranges; i++)
		if (bootinfo.ranges[i].is_ram)
			sum += bootinfo.ranges[i].end - bootinfo.ranges[i].start;
	return sum;
}

static _Noreturn void refuse_ram(uint64_t missing)
{
	const uint64_t mib = 1 << 20;
	uint64_t found = ram_bytes();

	cannot_go_on(
		"expected %lu MiB of RAM or more for this boot image (%lu MiB), found %lu; give the machine more",
		align_up(found + missing, mib) / mib,
		align_up(module.end - module.start, mib) / mib, found / mib);
}

/* The boot image is unpacked, and only then given back. */
static void check_working_memory(uint64_t free)
{
	uint64_t needed = module.end - module.start + WORKING_BYTES;

	if (free < needed)
		refuse_ram(needed - free);
}

static void choose_early(uint64_t size)
{
	for (uint32_t i = 0; i < nr_free_spans; i++) {
		uint64_t start = align_up(free_spans[i].start, HUGE_BYTES);

		if (start + size <= free_spans[i].end && start + size <= BOOTINFO_MAPPED_END) {
			early = (struct span){ start, start + size };
			return;
		}
	}
	refuse_ram(WORKING_BYTES + size);
}

/* --- the first page tables, by physical address --- */

static uint64_t early_take(uint64_t size)
{
	uint64_t at = early.start;

	if (size > early.end - early.start)
		panic("the kernel's first memory is too small: broken sums in mem/init.c");
	early.start += size;
	memset((void *)at, 0, size);
	return at;
}

/* The entry for @address at @level of the tables being built. */
static pte_t *early_entry(uint64_t top, uint64_t address, uint32_t level)
{
	pte_t *table = (pte_t *)top;

	for (uint32_t at = LEVEL_TOP; at > level; at--) {
		pte_t *entry = &table[table_index(address, at)];

		if (!*entry)
			*entry = early_take(PAGE_BYTES) | PTE_PRESENT | PTE_WRITE;
		table = (pte_t *)(*entry & PTE_ADDRESS);
	}
	return &table[table_index(address, level)];
}

static void early_map(uint64_t top, uint64_t address, uint64_t physical, uint64_t size, pte_t flags)
{
	for (uint64_t done = 0; done < size; done += HUGE_BYTES)
		*early_entry(top, address + done, LEVEL_HUGE) = (physical + done) | flags |
								PTE_PRESENT | PTE_HUGE | PTE_GLOBAL;
}

static void early_map_image(uint64_t top)
{
	const struct {
		const uint8_t *start, *end;
		pte_t flags;
	} parts[] = {
		{ image_start, rodata_start, 0 },
		{ rodata_start, data_start, PTE_NX },
		{ data_start, image_end, PTE_NX | PTE_WRITE },
	};

	for (uint32_t i = 0; i < 3; i++)
		early_map(top, (uint64_t)parts[i].start, image_hpa(parts[i].start).v,
			  (uint64_t)(parts[i].end - parts[i].start), parts[i].flags);
}

/* Page directories for all RAM, empty: mapping a block later is one store and needs no memory. */
static void early_make_direct_map(uint64_t top, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += GIGA_BYTES)
		(void)early_entry(top, DIRECT_MAP_AT + at, LEVEL_HUGE);
}

static uint64_t early_build(uint64_t end, struct span first_memory)
{
	uint64_t top = early_take(PAGE_BYTES);
	uint64_t table_bytes = align_up((end >> PAGE_SHIFT) * sizeof(struct frame), HUGE_BYTES);
	uint64_t table = early_take(table_bytes);

	early_map_image(top);
	early_map(top, FRAME_TABLE_AT, table, table_bytes, PTE_WRITE | PTE_NX);
	early_make_direct_map(top, end);
	early_map(top, DIRECT_MAP_AT + first_memory.start, first_memory.start,
		  first_memory.end - first_memory.start, PTE_WRITE | PTE_NX);
	/* Top-level entries must all be there before the first process copies them. */
	(void)early_entry(top, KERNEL_SPACE_AT, LEVEL_GIGA);
	(void)early_entry(top, WINDOWS_AT, LEVEL_GIGA);
	return top;
}

/* --- the direct map --- */

static pte_t *direct_entry(hpa_t block)
{
	return table_find(kernel_top, (uint64_t)direct(block), LEVEL_HUGE);
}

static void map_block(hpa_t block)
{
	*direct_entry(block) = block.v | PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_HUGE | PTE_GLOBAL;
}

static void unmap_block(hpa_t block)
{
	*direct_entry(block) = 0;
	tlb_flush_kernel();
}

static const struct frame_ops frame_ops = { .map_block = map_block, .unmap_block = unmap_block };

/* --- the interface --- */

static void release_all(struct span first_memory)
{
	for (uint32_t i = 0; i < nr_free_spans; i++) {
		struct span *span = &free_spans[i];

		/* The first memory lies in one of them. */
		if (first_memory.start >= span->start && first_memory.end <= span->end) {
			frame_release(hpa(span->start), hpa(first_memory.start), FRAME_USER);
			frame_release(hpa(first_memory.end), hpa(span->end), FRAME_USER);
		} else if (span->start < span->end) {
			frame_release(hpa(span->start), hpa(span->end), FRAME_USER);
		}
	}
	frame_release(hpa(early.start), hpa(first_memory.end), FRAME_KERNEL);
}

void mem_init(void)
{
	struct span first_memory;
	struct frame_counts counts;
	uint64_t end, top;

	take_stock();
	end = ram_end();
	choose_early(align_up((end >> PAGE_SHIFT) * sizeof(struct frame), HUGE_BYTES) +
		     align_up((end / GIGA_BYTES + SPARE_TABLES) * PAGE_BYTES, HUGE_BYTES));
	first_memory = early;
	top = early_build(end, first_memory);
	write_cr3(top);
	kernel_top = direct(hpa(top));

	frame_init((struct frame *)FRAME_TABLE_AT, end >> PAGE_SHIFT, &frame_ops);
	release_all(first_memory);
	screen_map();
	frame_count(&counts);
	check_working_memory(counts.free * PAGE_BYTES);
	print("memory: %lu MiB for virtual machines, loader %s", counts.free * PAGE_BYTES >> 20,
	      bootinfo.loader);

	if (bootinfo.module_end > bootinfo.module_start)
		module_at = kspace_map(hpa(bootinfo.module_start),
				       bootinfo.module_end - bootinfo.module_start, 0);
}

const void *mem_module(uint64_t *size_bytes)
{
	*size_bytes = module_at ? bootinfo.module_end - bootinfo.module_start : 0;
	return module_at;
}

void mem_free_module(void)
{
	if (!module_at)
		return;
	kspace_unmap(module_at, bootinfo.module_end - bootinfo.module_start);
	module_at = NULL;
	frame_release(hpa(module.start), hpa(module.end), FRAME_USER);
}
