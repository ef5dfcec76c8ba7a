/*
 * Zeroing ahead of use: see scrub.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/scrub.h"
#include "kernel/mem/window.h"

/* A processor's own: the block that it is at. */
struct scrub {
	hpa_t block;
	uint32_t nr_left; /* pages; 0: none */
};

static struct scrub scrubs[CPUS_MAX];

bool scrub_page(void)
{
	struct scrub *scrub = &scrubs[this_cpu()->id];

	if (!scrub->nr_left) {
		if (!frame_take_dirty(&scrub->block))
			return false;
		scrub->nr_left = HUGE_PAGES;
	}
	scrub->nr_left--;
	window_zero(hpa(scrub->block.v + scrub->nr_left * PAGE_BYTES), 0);
	if (!scrub->nr_left)
		frame_give_back(scrub->block, true);
	return true;
}

void scrub_stop(void)
{
	struct scrub *scrub = &scrubs[this_cpu()->id];

	if (scrub->nr_left)
		frame_give_back(scrub->block, false);
	scrub->nr_left = 0;
}
