/*
 * Carrying out an instruction that the processor leaves to us: an access to a device's memory, or a string instruction
 * with a port.
 *
 * Each step of the instruction (virt/insn.h) is an access of a few bytes, which may cross a page, and lie in memory, in the
 * local APIC's window, or with ring 3. In the last case KVM_RUN returns; emulate_go_on() takes the answer. Nothing of the
 * guest's registers changes before the last step.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kvm/memslot.h"
#include "kernel/virt/insn.h"
#include "kernel/virt/ops.h"

struct vcpu;

enum emulation_state {
	EMULATION_NONE,
	EMULATION_PORT_IN, /* no instruction: its answer goes into RAX, and it is done */
	EMULATION_STEP,	   /* ring 3 has carried out a piece of exec's step */
};

enum { EMULATION_MEMOS_LOG2 = 3 };

/* An instruction's bytes, zeroes behind them, and their number as the last byte. */
union emulation_code {
	uint8_t bytes[INSN_BYTES_MAX + 1];
	uint64_t words[2];
};

/* What they were decoded to: that depends on nothing but them and the mode. A device's drivers come back to the same few. */
struct emulation_memo {
	union emulation_code code; /* without bytes: nothing */
	uint32_t mode;
	struct insn insn;
};

/* Fields: [L] vcpu->lock. @exec points into it: it must not move. */
struct emulation {
	uint8_t state; /* enum emulation_state */
	uint8_t port_bytes;
	uint8_t step;	/* enum insn_step that is being carried out */
	uint8_t done;	/* its bytes that are done */
	uint8_t piece;	/* its bytes that ring 3 was asked for */
	gpa_t fault_at; /* what the processor has translated already */
	bool has_fault;
	struct virt_mode mode;
	const struct insn *insn; /* in one of the memos */
	struct emulation_memo memos[1 << EMULATION_MEMOS_LOG2];
	struct memslot slot; /* that was read from last, since the guest was left; .end 0: none */
	struct insn_regs regs;
	struct insn_exec exec;
};
