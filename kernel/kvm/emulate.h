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

#include "kernel/mem/user.h"
#include "kernel/virt/insn.h"
#include "kernel/virt/ops.h"

struct vcpu;

enum emulation_state {
	EMULATION_NONE,
	EMULATION_PORT_IN, /* no instruction: its answer goes into RAX, and it is done */
	EMULATION_STEP,	   /* ring 3 has carried out a piece of exec's step */
};

enum {
	EMULATION_MEMOS_LOG2 = 3,
	EMULATION_WORDS = 6, /* four tables' entries, and the instruction's bytes */
};

/*
 * An instruction of 64-bit code, and all that was read of the guest's memory on the way to it. As long as that reads the same
 * the instruction is the same, and a guest that changes its tables or its code gets what it has changed them to. Whether it
 * may be fetched isn't asked again: the guest's processor has just done so.
 */
struct emulation_memo {
	uint64_t rip, cr3;
	uint64_t slots_version; /* the VM's, which the words' addresses are good for */
	uint32_t nr_words;	/* 0: nothing is remembered */
	struct user_word words[EMULATION_WORDS];
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
	struct emulation_memo memos[1 << EMULATION_MEMOS_LOG2];
	struct emulation_memo *memo; /* the one with the instruction that is carried out */
	bool is_fetching;	     /* it, so that what is read is remembered */
	struct insn_regs regs;
	struct insn_exec exec;
};
