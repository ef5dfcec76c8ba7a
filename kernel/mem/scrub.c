/*
 * Zeroing ahead of use: see scrub.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/scrub.h"
#include "kernel/mem/window.h"

/* A processor's own: the block that it is at, and how much of it is zero, from its end. */
struct scrub {
	hpa_t block;
	uint32_t nr_clean;
	bool is_on;
};

static struct scrub scrubs[CPUS_MAX];

void scrub_stop(void)
{
	struct scrub *scrub = &scrubs[this_cpu()->id];

	if (scrub->is_on)
		frame_give_back(scrub->block, scrub->nr_clean);
	scrub->is_on = false;
}

bool scrub_page(void)
{
	struct scrub *scrub = &scrubs[this_cpu()->id];

	if (!scrub->is_on && !frame_take_dirty(&scrub->block, &scrub->nr_clean))
		return false;
	scrub->is_on = true;
	scrub->nr_clean++;
	window_zero(hpa(scrub->block.v + (HUGE_PAGES - scrub->nr_clean) * PAGE_BYTES), 0);
	if (scrub->nr_clean == HUGE_PAGES)
		scrub_stop();
	return true;
}
