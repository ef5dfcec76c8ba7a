/*
 * The pair of 8259A interrupt controllers: see pic.h.
 *
 * Priorities rotate, so an input is ranked by its distance from the highest one: rank 0 goes first, 7 last.
 */
#include "vmm/platform/byte_io.h"
#include "vmm/platform/pic.h"

enum { MASTER, SLAVE };

enum {
	INPUTS = 8,
	CASCADE = 2,	    /* the master's input that the slave drives */
	SPURIOUS = 7,	    /* what an acknowledge answers when nothing is pending */
	RANK_NONE = INPUTS, /* below every input */
};

enum { /* command port */
       ICW1 = 0x10,
       ICW1_HAS_ICW4 = 0x01,
       ICW1_SINGLE = 0x02,

       OCW3 = 0x08,
       OCW3_ISR_NOT_IRR = 0x01,
       OCW3_SELECT = 0x02, /* the register to read */
       OCW3_POLL = 0x04,
       OCW3_SPECIAL_MASK = 0x20,
       OCW3_CHANGE_SPECIAL_MASK = 0x40,

       OCW2_INPUT = 0x07,
       OCW2_COMMAND_SHIFT = 5,
};

enum ocw2_command {
	OCW2_AUTO_ROTATE_OFF = 0,
	OCW2_EOI = 1,
	OCW2_NOTHING = 2,
	OCW2_SPECIFIC_EOI = 3,
	OCW2_AUTO_ROTATE_ON = 4,
	OCW2_ROTATE_ON_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_ON_SPECIFIC_EOI = 7,
};

enum { /* data port, during initialisation */
       ICW2_VECTOR_BASE = 0xf8,
       ICW4_AUTO_EOI = 0x02,
       ICW4_SPECIAL_FULLY_NESTED = 0x10,
};

enum { POLL_HAS_INTERRUPT = 0x80 };

/* The inputs that may be level-triggered: not the timer, keyboard, cascade, RTC and FPU. */
static const uint8_t elcr_writable[] = { 0xf8, 0xde };

static_assert(sizeof(struct pic_state) == 32, "pic_state is saved");

static uint8_t bit(uint32_t input)
{
	return (uint8_t)(1u << input);
}

static uint8_t next_input(uint32_t input)
{
	return (uint8_t)((input + 1) % INPUTS);
}

/* The best rank among @inputs; RANK_NONE where there are none. */
static uint32_t best_rank(const struct pic_chip_state *chip, uint8_t inputs)
{
	for (uint32_t rank = 0; rank < INPUTS; rank++)
		if (inputs & bit((chip->highest + rank) % INPUTS))
			return rank;
	return RANK_NONE;
}

static uint32_t input_of_rank(const struct pic_chip_state *chip, uint32_t rank)
{
	return (chip->highest + rank) % INPUTS;
}

/* A special mask lets everything past a masked input that is in service. */
static uint32_t rank_in_service(const struct pic_chip_state *chip)
{
	return best_rank(chip, chip->is_special_mask ? chip->isr & (uint8_t)~chip->imr : chip->isr);
}

/*
 * The rank to interrupt with: better than what is in service; RANK_NONE for none. In special fully nested mode
 * the slave may interrupt its own service: its other inputs are ranked there, not here.
 */
static uint32_t pending_rank(const struct pic *pic, uint32_t which)
{
	const struct pic_chip_state *chip = &pic->state.chips[which];
	uint32_t rank = best_rank(chip, chip->irr & (uint8_t)~chip->imr);
	uint32_t in_service = rank_in_service(chip);

	if (rank < in_service)
		return rank;
	if (rank == in_service && rank != RANK_NONE && which == MASTER &&
	    chip->is_special_fully_nested && input_of_rank(chip, rank) == CASCADE)
		return rank;
	return RANK_NONE;
}

/* Work out the wires from the slave to the master, and from the master to the CPU. */
static void pic_update(struct pic *pic)
{
	struct pic_chip_state *master = &pic->state.chips[MASTER];
	bool level;

	if (pending_rank(pic, SLAVE) != RANK_NONE)
		master->irr |= bit(CASCADE);
	else
		master->irr &= (uint8_t)~bit(CASCADE);

	level = pic_has_interrupt(pic);
	if (level == pic->output_level)
		return;
	pic->output_level = level;
	pic->output(pic->context, level);
}

bool pic_has_interrupt(const struct pic *pic)
{
	return pending_rank(pic, MASTER) != RANK_NONE;
}

void pic_set_irq(struct pic *pic, uint32_t irq, bool is_asserted)
{
	struct pic_chip_state *chip = &pic->state.chips[irq / INPUTS % 2];
	uint8_t input = bit(irq % INPUTS);

	if (irq >= PIC_IRQS || irq == CASCADE || is_asserted == !!(chip->asserted & input))
		return;
	if (is_asserted) {
		if ((chip->elcr | (uint8_t)~chip->asserted) & input)
			chip->irr |= input;
		chip->asserted |= input;
	} else {
		if (chip->elcr & input)
			chip->irr &= (uint8_t)~input;
		chip->asserted &= (uint8_t)~input;
	}
	pic_update(pic);
}

/* From here on @input comes last. */
static void rotate_past(struct pic_chip_state *chip, uint32_t input)
{
	chip->highest = next_input(input);
}

/* One chip's part in an acknowledge cycle, or a poll. Returns the input taken. */
static uint32_t chip_acknowledge(struct pic *pic, uint32_t which)
{
	struct pic_chip_state *chip = &pic->state.chips[which];
	uint32_t rank = pending_rank(pic, which);
	uint32_t input;

	if (rank == RANK_NONE)
		return SPURIOUS;
	input = input_of_rank(chip, rank);
	if (!(chip->elcr & bit(input)))
		chip->irr &= (uint8_t)~bit(input);
	if (!chip->is_auto_eoi)
		chip->isr |= bit(input);
	else if (chip->is_rotating_on_auto_eoi)
		rotate_past(chip, input);
	return input;
}

uint8_t pic_acknowledge(struct pic *pic)
{
	uint32_t which = MASTER;
	uint32_t input = chip_acknowledge(pic, MASTER);

	if (input == CASCADE) {
		which = SLAVE;
		input = chip_acknowledge(pic, SLAVE);
	}
	pic_update(pic);
	return (uint8_t)(pic->state.chips[which].vector_base | input);
}

/* Initialisation begins: edges are forgotten, and so is every mode. */
static void write_icw1(struct pic_chip_state *chip, uint8_t value)
{
	*chip = (struct pic_chip_state){
		.irr = chip->asserted & chip->elcr,
		.asserted = chip->asserted,
		.elcr = chip->elcr,
		.vector_base = chip->vector_base,
		.expects = PIC_EXPECTS_ICW2,
		.has_icw4 = value & ICW1_HAS_ICW4,
		.is_single = !!(value & ICW1_SINGLE),
	};
}

static void write_ocw2(struct pic_chip_state *chip, uint8_t value)
{
	enum ocw2_command command = value >> OCW2_COMMAND_SHIFT;
	uint32_t input = value & OCW2_INPUT;

	/* The non-specific commands mean the input that is served with the highest priority. */
	if (command == OCW2_EOI || command == OCW2_ROTATE_ON_EOI) {
		uint32_t rank = rank_in_service(chip);

		if (rank == RANK_NONE)
			return;
		input = input_of_rank(chip, rank);
	}

	switch (command) {
	case OCW2_EOI:
	case OCW2_SPECIFIC_EOI:
		chip->isr &= (uint8_t)~bit(input);
		break;
	case OCW2_ROTATE_ON_EOI:
	case OCW2_ROTATE_ON_SPECIFIC_EOI:
		chip->isr &= (uint8_t)~bit(input);
		rotate_past(chip, input);
		break;
	case OCW2_SET_PRIORITY:
		rotate_past(chip, input);
		break;
	case OCW2_AUTO_ROTATE_OFF:
	case OCW2_AUTO_ROTATE_ON:
		chip->is_rotating_on_auto_eoi = command == OCW2_AUTO_ROTATE_ON;
		break;
	case OCW2_NOTHING:
		break;
	}
}

static void write_ocw3(struct pic_chip_state *chip, uint8_t value)
{
	if (value & OCW3_CHANGE_SPECIAL_MASK)
		chip->is_special_mask = !!(value & OCW3_SPECIAL_MASK);
	if (value & OCW3_SELECT)
		chip->reads_isr = value & OCW3_ISR_NOT_IRR;
	chip->is_polled = !!(value & OCW3_POLL);
}

static void write_command(struct pic_chip_state *chip, uint8_t value)
{
	if (value & ICW1)
		write_icw1(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

static uint8_t after_icw3(const struct pic_chip_state *chip)
{
	return chip->has_icw4 ? PIC_EXPECTS_ICW4 : PIC_EXPECTS_OCW1;
}

static void write_data(struct pic_chip_state *chip, uint8_t value)
{
	switch (chip->expects) {
	case PIC_EXPECTS_ICW2:
		chip->vector_base = value & ICW2_VECTOR_BASE;
		chip->expects = PIC_EXPECTS_ICW3;
		if (chip->is_single)
			chip->expects = after_icw3(chip);
		break;
	case PIC_EXPECTS_ICW3:
		chip->expects = after_icw3(chip);
		break;
	case PIC_EXPECTS_ICW4:
		chip->is_auto_eoi = !!(value & ICW4_AUTO_EOI);
		chip->is_special_fully_nested = !!(value & ICW4_SPECIAL_FULLY_NESTED);
		chip->expects = PIC_EXPECTS_OCW1;
		break;
	default:
		chip->imr = value;
		break;
	}
}

/* A poll takes the interrupt as an acknowledge would, and says which. */
static uint8_t poll(struct pic *pic, uint32_t which)
{
	bool is_pending = pending_rank(pic, which) != RANK_NONE;
	uint32_t input = chip_acknowledge(pic, which);

	pic->state.chips[which].is_polled = false;
	pic_update(pic);
	return is_pending ? (uint8_t)(POLL_HAS_INTERRUPT | input) : 0;
}

/* @offset: 0 the command port, 1 the data port */
static uint8_t chip_read(struct pic *pic, uint32_t which, uint64_t offset)
{
	const struct pic_chip_state *chip = &pic->state.chips[which];

	if (chip->is_polled)
		return poll(pic, which);
	if (offset)
		return chip->imr;
	return chip->reads_isr ? chip->isr : chip->irr;
}

static void chip_write(struct pic *pic, uint32_t which, uint64_t offset, uint8_t value)
{
	struct pic_chip_state *chip = &pic->state.chips[which];

	if (offset)
		write_data(chip, value);
	else
		write_command(chip, value);
	pic_update(pic);
}

static uint8_t master_read_byte(void *device, uint64_t offset)
{
	return chip_read(device, MASTER, offset);
}

static void master_write_byte(void *device, uint64_t offset, uint8_t value)
{
	chip_write(device, MASTER, offset, value);
}

static uint8_t slave_read_byte(void *device, uint64_t offset)
{
	return chip_read(device, SLAVE, offset);
}

static void slave_write_byte(void *device, uint64_t offset, uint8_t value)
{
	chip_write(device, SLAVE, offset, value);
}

/* @offset is which chip's. */
static uint8_t elcr_read_byte(void *device, uint64_t offset)
{
	struct pic *pic = device;

	return pic->state.chips[offset % 2].elcr;
}

/* Whatever turns level-triggered requests from now on what its line says. */
static void elcr_write_byte(void *device, uint64_t offset, uint8_t value)
{
	struct pic *pic = device;
	struct pic_chip_state *chip = &pic->state.chips[offset % 2];

	chip->elcr = value & elcr_writable[offset % 2];
	chip->irr = (chip->irr & (uint8_t)~chip->elcr) | (chip->asserted & chip->elcr);
	pic_update(pic);
}

static uint64_t master_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, master_read_byte);
}

static void master_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, master_write_byte);
}

static uint64_t slave_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, slave_read_byte);
}

static void slave_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, slave_write_byte);
}

static uint64_t elcr_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, elcr_read_byte);
}

static void elcr_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, elcr_write_byte);
}

const struct bus_ops pic_master_ops = { .read = master_read, .write = master_write };
const struct bus_ops pic_slave_ops = { .read = slave_read, .write = slave_write };
const struct bus_ops pic_elcr_ops = { .read = elcr_read, .write = elcr_write };

void pic_init(struct pic *pic, void (*output)(void *context, bool level), void *context)
{
	*pic = (struct pic){ .output = output, .context = context };
	pic_reset(pic);
}

void pic_reset(struct pic *pic)
{
	for (uint32_t which = MASTER; which <= SLAVE; which++) {
		struct pic_chip_state *chip = &pic->state.chips[which];

		*chip = (struct pic_chip_state){ .imr = 0xff, .asserted = chip->asserted };
	}
	pic_update(pic);
}

void pic_resume(struct pic *pic)
{
	pic->output_level = pic_has_interrupt(pic);
	pic->output(pic->context, pic->output_level);
}
