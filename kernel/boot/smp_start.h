/*
 * Starting the other processors.
 */
#pragma once

/* Starts every CPU that the firmware's tables name, one after the other. Interrupts are on. */
void smp_start(void);
