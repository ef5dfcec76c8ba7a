/*
 * The ways to reset a PC: see reset.h.
 */
#include <stdbool.h>

#include "vmm/platform/reset.h"

enum {			    /* i8042 */
       I8042_STATUS = 0x14, /* self-test passed, keyboard not locked; both buffers empty */
       I8042_WRITE_OUTPUT_PORT = 0xd1,
       I8042_PULSE = 0xf0, /* commands 0xf0-0xff pulse the outputs whose bit is 0 */
       I8042_PULSE_FIELD = 0xf0,
       OUTPUT_NOT_RESET = 0x01, /* of the output port: low resets */
       OUTPUT_A20 = 0x02,
};

enum {
	PORT92_RESET = 0x01, /* on its rise */
	PORT92_A20 = 0x02,
};

enum {
	CONTROL_RESET_CPU = 0x04, /* the trigger; the others only say what kind of reset */
	CONTROL_WRITABLE = 0x0a,
};

static_assert(sizeof(struct reset_state) == 4, "reset_state is saved");

static void wish(struct reset *reset)
{
	power_wish(&reset->power, POWER_WISH_RESET);
}

static uint64_t i8042_data_read(void *device UNUSED, uint64_t offset UNUSED, uint32_t size UNUSED)
{
	return 0;
}

static void i8042_data_write(void *device, uint64_t offset UNUSED, uint64_t value,
			     uint32_t size UNUSED)
{
	struct reset *reset = device;

	if (!reset->state.is_output_next)
		return;
	reset->state.is_output_next = false;
	reset->state.output_port = (uint8_t)value;
	if (!(value & OUTPUT_NOT_RESET))
		wish(reset);
}

static uint64_t i8042_command_read(void *device UNUSED, uint64_t offset UNUSED,
				   uint32_t size UNUSED)
{
	return I8042_STATUS;
}

static void i8042_command_write(void *device, uint64_t offset UNUSED, uint64_t value,
				uint32_t size UNUSED)
{
	struct reset *reset = device;

	reset->state.is_output_next = (uint8_t)value == I8042_WRITE_OUTPUT_PORT;
	if ((value & I8042_PULSE_FIELD) == I8042_PULSE && !(value & OUTPUT_NOT_RESET))
		wish(reset);
}

static uint64_t port92_read(void *device, uint64_t offset UNUSED, uint32_t size UNUSED)
{
	struct reset *reset = device;

	return reset->state.port92;
}

static void port92_write(void *device, uint64_t offset UNUSED, uint64_t value, uint32_t size UNUSED)
{
	struct reset *reset = device;
	bool is_rise = (value & PORT92_RESET) && !(reset->state.port92 & PORT92_RESET);

	reset->state.port92 = value & (PORT92_RESET | PORT92_A20);
	if (is_rise)
		wish(reset);
}

uint8_t reset_control_read(const struct reset *reset)
{
	return reset->state.control;
}

void reset_control_write(struct reset *reset, uint8_t value)
{
	reset->state.control = value & CONTROL_WRITABLE;
	if (value & CONTROL_RESET_CPU)
		wish(reset);
}

const struct bus_ops reset_i8042_data_ops = { i8042_data_read, i8042_data_write };
const struct bus_ops reset_i8042_command_ops = { i8042_command_read, i8042_command_write };
const struct bus_ops reset_port92_ops = { port92_read, port92_write };

void reset_init(struct reset *reset, const struct power_sink *power)
{
	*reset = (struct reset){ .power = *power };
	reset_reset(reset);
}

void reset_reset(struct reset *reset)
{
	reset->state = (struct reset_state){
		.port92 = PORT92_A20,
		.output_port = OUTPUT_NOT_RESET | OUTPUT_A20,
	};
}
