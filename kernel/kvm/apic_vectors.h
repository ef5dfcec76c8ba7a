/*
 * A set of interrupt vectors: 256 bits, as the APIC's IRR, ISR and TMR are.
 *
 * The plain functions are for sets that one CPU alone touches; those named _shared may run on any CPU at
 * any time, together with each other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct apic_vectors {
	uint64_t words[4];
};

static inline uint64_t vector_bit(uint8_t vector)
{
	return UINT64_C(1) << (vector & 63);
}

static inline void vectors_add(struct apic_vectors *set, uint8_t vector)
{
	set->words[vector >> 6] |= vector_bit(vector);
}

static inline void vectors_remove(struct apic_vectors *set, uint8_t vector)
{
	set->words[vector >> 6] &= ~vector_bit(vector);
}

/* The highest member; -1: none. */
static inline int vectors_highest(const struct apic_vectors *set)
{
	for (int i = 3; i >= 0; i--)
		if (set->words[i])
			return i * 64 + 63 - __builtin_clzll(set->words[i]);
	return -1;
}

static inline bool vectors_are_empty(const struct apic_vectors *set)
{
	return !(set->words[0] | set->words[1] | set->words[2] | set->words[3]);
}

/* 32 of the vectors, from 32 * @nth on: a register of the APIC. */
static inline uint32_t vectors_register_shared(const struct apic_vectors *set, uint32_t nth)
{
	uint64_t word = __atomic_load_n(&set->words[nth >> 1 & 3], __ATOMIC_RELAXED);

	return (uint32_t)(word >> (nth & 1) * 32);
}

static inline bool vectors_have_shared(const struct apic_vectors *set, uint8_t vector)
{
	uint64_t word = __atomic_load_n(&set->words[vector >> 6], __ATOMIC_RELAXED);

	return word & vector_bit(vector);
}

/* Adds or removes; writes only what changes. */
static inline void vectors_assign_shared(struct apic_vectors *set, uint8_t vector, bool is_member)
{
	uint64_t *word = &set->words[vector >> 6];

	if (vectors_have_shared(set, vector) == is_member)
		return;
	if (is_member)
		__atomic_fetch_or(word, vector_bit(vector), __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~vector_bit(vector), __ATOMIC_RELAXED);
}

/* What the caller wrote before is seen by who takes the vector out with vectors_take_shared(). */
static inline void vectors_add_shared(struct apic_vectors *set, uint8_t vector)
{
	__atomic_fetch_or(&set->words[vector >> 6], vector_bit(vector), __ATOMIC_RELEASE);
}

/* Moves all members of @from to @to, which is the caller's own. */
static inline void vectors_take_shared(struct apic_vectors *from, struct apic_vectors *to)
{
	for (int i = 0; i < 4; i++)
		if (__atomic_load_n(&from->words[i], __ATOMIC_RELAXED))
			to->words[i] |= __atomic_exchange_n(&from->words[i], 0, __ATOMIC_ACQUIRE);
}
