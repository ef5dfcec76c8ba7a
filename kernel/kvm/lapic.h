/*
 * One virtual local APIC: xAPIC and x2APIC, as a state machine without a clock, a timer or a lock of its own.
 *
 * Who may call what:
 *   - The *owner* is the thread that holds the vCPU. All functions here are the owner's alone, except
 *     lapic_post() and lapic_post_error(), which any CPU may call in any context.
 *   - The owner's fields [o] are plain memory. Others only ever touch the fields marked [a]:
 *       posted, tmr          vectors on their way in, and their trigger modes;
 *       posted_errors        errors that were received (an illegal vector);
 *       is_posted            whether any of that waits. The poster writes the vector (release), then sets
 *                            this (acquire-release exchange) and notifies if it was clear; the owner clears
 *                            it (acquire-release exchange), then takes the vectors (acquire). So whoever finds
 *                            it set may stay silent: the owner has yet to look.
 *       address              where the APIC listens: one word, stored whole by the owner (release) and loaded
 *                            whole by senders (acquire), so it is never seen half changed.
 *     A message that crosses a change of the address lands by the old or the new one, as on a bus.
 *   - The owner merges what was posted into IRR whenever it looks at IRR. A notification that comes after
 *     the last look before entering the guest must make the entry fail or the guest exit: look with the
 *     kick held off (GIF clear, interrupts off).
 *
 * Time is an argument: nanoseconds of the host's monotonic clock, below 2^63, which never run back. The timer's
 * input is 1 GHz.
 *
 * Not here: the PIC (the caller injects its vector if lapic_accepts_extint()), SMM (SMIs are dropped), remote
 * reads, the page of PV EOI, HLT and the wait for a SIPI.
 * Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)"; AMD APM vol. 2, chapter 16.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/kvm/apic_vectors.h"
#include "lib/compiler.h"

struct apic_map;

enum {
	LAPIC_REGISTERS = 64, /* 16 bytes apart; x2APIC: MSRs from LAPIC_MSR_BASE on */
	LAPIC_TPR = 0x08,
	LAPIC_MSR_BASE = 0x800,
	LAPIC_MSR_END = 0x900,
	LAPIC_WINDOW_BYTES = 0x1000,
};

/*
 * A periodic timer that is faster interrupts at every nth period only, with at least this between their
 * deadlines; its count reads as ever. (Linux has the same floor, but slows the count.) Other modes need an exit
 * for each interrupt and so can't flood the host.
 */
#define LAPIC_MIN_PERIOD_NS UINT64_C(200000)

/* What this APIC has, by the guest's CPUID and the VM's quirks. */
enum lapic_feature {
	LAPIC_HAS_X2APIC = 1 << 0,
	LAPIC_HAS_TSC_DEADLINE = 1 << 1,
	LAPIC_HAS_CMCI = 1 << 2, /* a seventh LVT entry */
	/*
	 * The guest may ask that EOIs of level interrupts aren't broadcast. Linux offers that with a split
	 * irqchip and x2APIC, but broadcasts all the same, and user-space IOAPICs without an EOI register rely
	 * on it: so offering it and heeding it are two things here.
	 */
	LAPIC_OFFERS_EOI_SUPPRESSION = 1 << 3,
	LAPIC_HEEDS_EOI_SUPPRESSION = 1 << 4,
	/* These two are for the next RESET. */
	LAPIC_IS_BSP = 1 << 5,
	LAPIC_OPENS_LINT0 =
		1 << 6, /* the BSP's reset leaves LINT0 open to the PIC: a quirk of KVM */
};

/*
 * What the APIC asks of its surroundings. None of these may call back into an APIC or sleep.
 * The first four come from any CPU in any context, the timer's from the owner.
 */
struct lapic_ops {
	void (*notify)(void *context); /* kick the vCPU if it runs, wake it if it halts */
	void (*nmi)(void *context);
	void (*init)(void *context); /* the vCPU then calls lapic_reset(lapic, true) */
	void (*sipi)(void *context, uint8_t vector);

	/*
	 * Call lapic_timer_expired() at that time, or soon if it is over. Each replaces what was armed before,
	 * which must not be reported any more, and cancelling nothing is fine. What the owner served by itself
	 * because it was due may stay armed.
	 */
	void (*timer_arm)(void *context, uint64_t deadline_ns);
	void (*timer_arm_tsc)(void *context, uint64_t guest_tsc);
	void (*timer_cancel)(void *context);
};

/* Fields: [I] immutable after lapic_create()  [o] owner  [a] atomic */
struct lapic {
	/* What other CPUs write, by itself in a cache line. */
	struct apic_vectors posted __attribute__((aligned(64))); /* [a] */
	bool is_posted;						 /* [a] */
	uint8_t posted_errors;					 /* [a] */

	/* What other CPUs read. */
	uint64_t address __attribute__((aligned(64))); /* [a] enum lapic_address, and the ids */
	uint32_t id;				       /* [I] vCPU id and x2APIC id */
	struct apic_map *map;			       /* [I] borrowed */
	const struct lapic_ops *ops;		       /* [I] borrowed */
	void *context;				       /* [I] the ops' */
	struct apic_vectors tmr;		       /* [a] */

	struct apic_vectors irr;	/* [o] without what is still posted */
	struct apic_vectors isr;	/* [o] */
	uint32_t regs[LAPIC_REGISTERS]; /* [o] the registers that are just memory, by number */
	uint64_t base;			/* [o] IA32_APIC_BASE */
	uint64_t base_reserved;		/* [o] bits that must be 0 there */
	uint64_t timer_deadline_ns;	/* [o] when the count gets to 0; 0: it is there */
	uint64_t tsc_deadline;		/* [o] IA32_TSC_DEADLINE */
	uint32_t features;		/* [o] enum lapic_feature */
	uint8_t errors;			/* [o] since ESR was written */
};

/* Bits of lapic->address, above the 32 of the physical id and the 8 of the logical id of xAPIC. */
enum { LAPIC_ADDRESS_LOGICAL_SHIFT = 32 };
#define LAPIC_ADDRESS_ENABLED	       (UINT64_C(1) << 40)
#define LAPIC_ADDRESS_SOFTWARE_ENABLED (UINT64_C(1) << 41)
#define LAPIC_ADDRESS_X2APIC	       (UINT64_C(1) << 42)
#define LAPIC_ADDRESS_CLUSTERED	       (UINT64_C(1) << 43)

/* IA32_APIC_BASE */
#define LAPIC_BASE_BSP	   (UINT64_C(1) << 8)
#define LAPIC_BASE_X2APIC  (UINT64_C(1) << 10)
#define LAPIC_BASE_ENABLED (UINT64_C(1) << 11)
#define LAPIC_BASE_DEFAULT UINT64_C(0xfee00000)

/* What came of a write to a register. */
enum lapic_result {
	LAPIC_DONE = 0,
	LAPIC_FAULT = -1, /* MSRs only: the guest gets #GP(0) */
	LAPIC_EOI_BROADCAST =
		0x100, /* | vector: IOAPICs must hear of the end of this level interrupt */
};

/**
 * lapic_create() - an APIC in its state after RESET, with no features
 * @id: the vCPU's id
 *
 * Nothing reaches it until apic_map_add().
 */
void lapic_create(struct lapic *lapic, struct apic_map *map, uint32_t id,
		  const struct lapic_ops *ops, void *context);

/**
 * lapic_set_features() - follow a change of CPUID or of the VM's quirks; before guest code runs
 * @features: of enum lapic_feature
 * @phys_bits: width of a guest-physical address; 36-52
 */
void lapic_set_features(struct lapic *lapic, uint32_t features, uint32_t phys_bits);

/* RESET, or INIT, which leaves id, base and mode alone. */
void lapic_reset(struct lapic *lapic, bool is_init);

/* --- registers --- */

/*
 * MMIO, @offset below LAPIC_WINDOW_BYTES, while lapic_has_window(). Each register is four bytes at a
 * multiple of 16; all bytes between registers read 0. Writes that aren't 4 bytes to such a multiple are
 * dropped. Reserved registers read 0 and are noted in ESR.
 * @size_bytes: 1-8.
 */
uint64_t lapic_mmio_read(struct lapic *lapic, uint32_t offset, uint32_t size_bytes,
			 uint64_t now_ns);
enum lapic_result lapic_mmio_write(struct lapic *lapic, uint32_t offset, uint32_t size_bytes,
				   uint64_t value, uint64_t now_ns);

/*
 * Does the access, of four bytes at a register, need nothing but this struct: none of lapic_ops, nor CR8, which the guest may
 * have changed?
 */
bool lapic_is_alone(const struct lapic *lapic, uint32_t offset, bool is_write, uint32_t value);

/*
 * @msr: in [LAPIC_MSR_BASE, LAPIC_MSR_END). #GP outside x2APIC mode, for registers that aren't there or can't
 * be read or written, and for reserved bits.
 */
MUST_CHECK enum lapic_result lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t now_ns,
					    uint64_t *value);
MUST_CHECK enum lapic_result lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value,
					     uint64_t now_ns);

/* Reads 0, and drops what is written, but in TSC-deadline mode. */
uint64_t lapic_tsc_deadline(const struct lapic *lapic);
void lapic_set_tsc_deadline(struct lapic *lapic, uint64_t guest_tsc);

enum lapic_base_change { LAPIC_BASE_REFUSED = -1, LAPIC_BASE_SAME, LAPIC_BASE_MOVED };

/**
 * lapic_set_base() - write IA32_APIC_BASE
 * @is_host: from ring 3, which may go from any mode to any; a guest gets from x2APIC mode to
 *	     xAPIC mode, and from disabled to x2APIC mode, only through the third
 *
 * An APIC that is enabled or disabled loses its state. Reserved bits and x2APIC without xAPIC are refused.
 * Returns whether the MMIO window moved, came or went, so that the caller can map it anew; REFUSED: #GP(0).
 */
MUST_CHECK enum lapic_base_change lapic_set_base(struct lapic *lapic, uint64_t value, bool is_host);

static inline bool lapic_is_enabled(const struct lapic *lapic)
{
	return lapic->base & LAPIC_BASE_ENABLED;
}

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
	return lapic->base & LAPIC_BASE_X2APIC;
}

/* Are there registers at lapic_window()? */
static inline bool lapic_has_window(const struct lapic *lapic)
{
	return lapic_is_enabled(lapic) && !lapic_is_x2apic(lapic);
}

static inline uint64_t lapic_window(const struct lapic *lapic)
{
	return lapic->base & ~UINT64_C(0xfff);
}

/* CR8 is the upper half of TPR. */
static inline uint8_t lapic_cr8(const struct lapic *lapic)
{
	return (uint8_t)(lapic->regs[LAPIC_TPR] >> 4);
}

void lapic_set_cr8(struct lapic *lapic, uint8_t cr8);

/* --- interrupts --- */

/* The vector that would be acknowledged now; -1: none. */
int lapic_pending(struct lapic *lapic);

/* Takes @vector, which is pending, into service. */
void lapic_take(struct lapic *lapic, uint8_t vector);

/* The same with the one that is pending now. Returns it; -1: none. */
int lapic_acknowledge(struct lapic *lapic);

/* ... if nothing else waits, posted or not; else -1. It calls none of lapic_ops. */
int lapic_acknowledge_only(struct lapic *lapic);

/* Must nobody but this APIC hear of the end of the interrupt in service? */
bool lapic_eoi_is_private(const struct lapic *lapic);

/* What writing 0 to EOI does: for guests that leave it to the hypervisor (PV EOI). */
enum lapic_result lapic_eoi(struct lapic *lapic);

/* Nothing is posted and nothing waits, whatever its priority: lapic_pending() would find none. */
static inline bool lapic_is_quiet(const struct lapic *lapic)
{
	return !__atomic_load_n(&lapic->is_posted, __ATOMIC_RELAXED) &&
	       vectors_are_empty(&lapic->irr);
}

/*
 * May the guest, by PV EOI, end the interrupt in service without telling at once? If it is the only
 * one, no other waits, and nobody but this APIC must hear of its end.
 */
bool lapic_eoi_may_be_skipped(struct lapic *lapic);

/*
 * VMX: the TPR threshold; SVM: intercept writes of CR8 while it isn't 0. The class of the highest pending vector
 * if it is TPR alone that holds it back, else 0.
 */
uint8_t lapic_tpr_threshold(struct lapic *lapic);

/* Does a vector from the PIC get through LINT0, or past an APIC that is switched off? */
bool lapic_accepts_extint(const struct lapic *lapic);

enum lapic_lvt {
	LAPIC_LVT_CMCI = 0x2f,
	LAPIC_LVT_TIMER = 0x32,
	LAPIC_LVT_THERMAL,
	LAPIC_LVT_PERFORMANCE,
	LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1,
	LAPIC_LVT_ERROR,
};

/* A local source fires: an edge. Whether and how it arrives is up to the guest's LVT. */
void lapic_raise(struct lapic *lapic, enum lapic_lvt source);

/* The timer that was armed is due. Too early or for nothing: no effect, except in TSC-deadline mode. */
void lapic_timer_expired(struct lapic *lapic, uint64_t now_ns);

/* From any CPU: a vector, 16-255. To decide who gets it is apic_map.h's. */
void lapic_post(struct lapic *lapic, uint8_t vector, bool is_level);

/* From any CPU: bits for ESR. */
void lapic_post_error(struct lapic *lapic, uint8_t bits);

/* The owner's short form of lapic_post(), without notification. */
void lapic_accept(struct lapic *lapic, uint8_t vector, bool is_level);

/* --- state --- */

/*
 * The registers as the manual lays them out. The id is in bits 31-24, but in x2APIC mode with
 * KVM_X2APIC_API_USE_32BIT_IDS all 32; ICR's upper half is in ICR2 always. Base and TSC deadline are MSRs apart.
 */
void lapic_get_state(struct lapic *lapic, uint64_t now_ns, struct kvm_lapic_state *state);

/**
 * lapic_set_state() - take over all registers, in the mode that the base says now
 * @state: the caller's copy; any bytes
 *
 * Reserved bits are dropped, and what is read-only is computed anew. The timer goes on from the current
 * count. A one-shot timer whose count is 0 goes off at once, since Linux may have saved it between the end
 * of the count and the interrupt: one too many is harmless, one too few hangs the guest.
 * Returns 0; -EINVAL: a 32-bit id that isn't this APIC's.
 */
MUST_CHECK int lapic_set_state(struct lapic *lapic, const struct kvm_lapic_state *state,
			       uint64_t now_ns);
