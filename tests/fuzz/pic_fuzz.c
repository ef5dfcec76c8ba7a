/*
 * Any programming, any lines. What must hold: the output wire is high exactly while an interrupt is pending,
 * and an acknowledge answers with a vector of one of the chips.
 */
#include "tests/support/fuzz_script.h"
#include "vmm/platform/pic.h"

static bool wire;

static void output(void *context UNUSED, bool level)
{
	wire = level;
}

static void acknowledge(struct pic *pic)
{
	uint8_t base = pic_acknowledge(pic) & 0xf8;

	fuzz_claim(base == pic->state.chips[0].vector_base ||
		   base == pic->state.chips[1].vector_base);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	struct pic pic;
	uint8_t irq;

	wire = false;
	pic_init(&pic, output, NULL);
	while (fuzz_has_more(&script)) {
		switch (fuzz_take(&script, 1) % 8) {
		case 0:
		case 1:
			fuzz_access(&script, &pic_master_ops, &pic, PIC_PORTS);
			break;
		case 2:
		case 3:
			fuzz_access(&script, &pic_slave_ops, &pic, PIC_PORTS);
			break;
		case 4:
			fuzz_access(&script, &pic_elcr_ops, &pic, PIC_PORTS);
			break;
		case 5:
			irq = (uint8_t)fuzz_take(&script, 1);
			pic_set_irq(&pic, irq & 31, irq & 128);
			break;
		case 6:
			acknowledge(&pic);
			break;
		default:
			pic_reset(&pic);
		}
		fuzz_claim(wire == pic_has_interrupt(&pic));
		fuzz_claim(pic.state.chips[0].highest < 8 && pic.state.chips[1].highest < 8);
	}
	return 0;
}
