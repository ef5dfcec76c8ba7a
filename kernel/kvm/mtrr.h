/*
 * Which values memory type registers take. The types themselves mean nothing here: nested paging's own decide.
 *
 * Source: Intel SDM vol. 3, "Memory Type Range Registers (MTRRs)"; AMD APM vol. 2, 7.7.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One type per byte: PAT knows one (UC-) that MTRRs don't. */
bool pat_is_valid(uint64_t value);
bool mtrr_fixed_is_valid(uint64_t value);

bool mtrr_default_is_valid(uint64_t value);
bool mtrr_base_is_valid(uint64_t value, uint32_t phys_bits);
bool mtrr_mask_is_valid(uint64_t value, uint32_t phys_bits);
