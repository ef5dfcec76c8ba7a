/*
 * The pair of 8259A interrupt controllers, the second cascaded on IRQ2 of the first, with the edge/level
 * control register (ELCR) beside them.
 *
 *   - The cascade is wired: ICW3 is accepted and ignored. So are ICW1's LTIM (ELCR decides) and the 8080 mode.
 *   - An edge is remembered until it is acknowledged, however short the pulse was.
 *   - Interrupts leave by the output wire. Whoever sees it high calls pic_acknowledge() for the vector
 *     at the moment the CPU takes the interrupt.
 *
 * Context: the holder of vm->lock.
 * Source: Intel 8259A datasheet; ICH9 datasheet, "8259 Interrupt Controllers" (ELCR).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

enum {
	PIC_IRQS = 16,
	PIC_MASTER_PORT = 0x20,
	PIC_SLAVE_PORT = 0xa0,
	PIC_ELCR_PORT = 0x4d0,
	PIC_PORTS = 2, /* of each of the three */
};

/* What the next write to the data port means. */
enum pic_expects {
	PIC_EXPECTS_OCW1, /* initialised: the mask */
	PIC_EXPECTS_ICW2,
	PIC_EXPECTS_ICW3,
	PIC_EXPECTS_ICW4,
};

/* One 8259A. Registers hold a bit per input. */
struct pic_chip_state {
	uint8_t irr, isr, imr;
	uint8_t asserted; /* the inputs' levels */
	uint8_t elcr;	  /* 1: level-triggered */
	uint8_t vector_base;
	uint8_t highest;	     /* the input of highest priority; 0 until rotated */
	uint8_t expects;	     /* enum pic_expects */
	uint8_t has_icw4, is_single; /* from ICW1 */
	uint8_t is_auto_eoi, is_rotating_on_auto_eoi;
	uint8_t is_special_mask, is_special_fully_nested;
	uint8_t is_polled; /* the next read acknowledges */
	uint8_t reads_isr; /* else IRR */
};

struct pic_state {
	struct pic_chip_state chips[2]; /* master, slave */
};

struct pic {
	struct pic_state state; /* guest-visible: all that is saved */
	void (*output)(void *context, bool level);
	void *context;
	bool output_level; /* as last reported */
};

/* Map each with the struct pic as its device. */
extern const struct bus_ops pic_master_ops, pic_slave_ops, pic_elcr_ops;

/* @output is called on every change of the wire to the CPU; it may not call back into the PIC. */
void pic_init(struct pic *pic, void (*output)(void *context, bool level), void *context);

/* Power-on state: all edge-triggered, masked, uninitialised. What the devices assert stays asserted. */
void pic_reset(struct pic *pic);

/* After ->state was loaded: reports the output, changed or not. */
void pic_resume(struct pic *pic);

/* IRQ2, which is the cascade, and an @irq that doesn't exist are ignored. */
void pic_set_irq(struct pic *pic, uint32_t irq, bool is_asserted);

bool pic_has_interrupt(const struct pic *pic);

/* The CPU's acknowledge cycle. Returns the vector; that of IRQ7 (or IRQ15) where nothing is left to take. */
uint8_t pic_acknowledge(struct pic *pic);
