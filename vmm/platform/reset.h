/*
 * The ways to reset a PC: the keyboard controller's pulse, port 0x92 and the reset control register 0xcf9.
 *
 * There is no keyboard: the i8042 is always ready for a command, never has a byte to read, and knows only
 * the commands that reset the machine or move A20. A20 is storage: the gate is always open.
 *
 * Context: the holder of vm->lock.
 * Source: ICH9 datasheet, "PORT92", "RST_CNT"; IBM PC AT technical reference, "Keyboard controller".
 */
#pragma once

#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/power.h"

enum {
	RESET_I8042_DATA_PORT = 0x60,
	RESET_I8042_COMMAND_PORT = 0x64,
	RESET_PORT92_PORT = 0x92,
	RESET_CONTROL_PORT = 0xcf9, /* inside PCI's CONFIG_ADDRESS: see reset_control_read() */
};

struct reset_state {
	uint8_t control; /* 0xcf9 */
	uint8_t port92;
	uint8_t output_port;	/* the i8042's */
	uint8_t is_output_next; /* the next data byte goes to the output port */
};

struct reset {
	struct reset_state state; /* guest-visible: all that is saved */
	struct power_sink power;
};

/* One port each; map them with the struct reset as their device. */
extern const struct bus_ops reset_i8042_data_ops, reset_i8042_command_ops, reset_port92_ops;

/* @power is copied. */
void reset_init(struct reset *reset, const struct power_sink *power);

/* Power-on state. */
void reset_reset(struct reset *reset);

/* Port 0xcf9: for the owner of 0xcf8-0xcff, which passes byte accesses on. */
uint8_t reset_control_read(const struct reset *reset);
void reset_control_write(struct reset *reset, uint8_t value);
