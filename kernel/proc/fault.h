/*
 * What ring 3's exceptions come to.
 */
#pragma once

/* Takes over the vectors that ring 3 can cause. */
void fault_init(void);
