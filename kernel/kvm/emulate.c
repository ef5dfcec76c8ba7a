/*
 * Carrying out an instruction that the processor leaves to us: see emulate.h.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/user.h"
#include "kernel/virt/walk.h"

enum {
	MMIO_BYTES_MAX = 8, /* of one KVM_EXIT_MMIO */
	SET_TRIES = 8,
	FETCH_BYTES = 16, /* an instruction's, and what makes it two words */
};

/* What came of one step. */
enum access {
	ACCESS_DONE,
	ACCESS_AWAITED, /* ring 3 is asked */
	ACCESS_FAULTED, /* an exception is raised: the instruction hasn't happened */
	ACCESS_FAILED,	/* the VM can't go on */
};

static uint8_t *port_data(struct vcpu *vcpu)
{
	return (uint8_t *)vcpu->run + VCPU_PORT_DATA_AT;
}

/* --- paging --- */

static void remember(struct emulation *emulation, uint64_t hva, const uint8_t *data, uint32_t bytes)
{
	struct emulation_memo *memo = emulation->memo;

	if (bytes % 8 || bytes / 8 > EMULATION_WORDS - memo->nr_words) {
		memo->nr_words = 0;
		emulation->is_fetching = false;
		return;
	}
	for (; bytes; bytes -= 8, hva += 8, data += 8) {
		struct user_word *word = &memo->words[memo->nr_words++];

		word->at = hva;
		memcpy(&word->value, data, sizeof(word->value));
	}
}

static int read_guest(struct vcpu *vcpu, gpa_t at, void *data, uint32_t bytes)
{
	uint64_t hva;

	if (!vm_find_hva(vcpu->vm, at, bytes, false, &hva) || copy_from_user(data, hva, bytes))
		return -EFAULT;
	if (vcpu->emulation.is_fetching)
		remember(&vcpu->emulation, hva, data, bytes);
	return 0;
}

static int load_entry(void *context, gpa_t at, uint32_t bytes, uint64_t *value)
{
	*value = 0;
	return read_guest(context, at, value, bytes);
}

/* Accessed and dirty bits, which are in the lower half; other processors may be setting them too. */
static int set_bits(void *context, gpa_t at, uint32_t bytes UNUSED, uint64_t bits)
{
	struct vcpu *vcpu = context;
	struct memslot slot;
	uint32_t word;
	uint64_t hva;

	if (!vm_find_slot(vcpu->vm, at, &slot) || (slot.flags & KVM_MEM_READONLY))
		return -EFAULT;
	hva = slot.hva + (at.v - slot.start);
	for (uint32_t i = 0; i < SET_TRIES; i++) {
		uint32_t found;

		/* The owner's page may have to be fetched, or to be made its own. */
		if (user_word_load(&word, hva) ||
		    user_word_exchange(hva, word, word | (uint32_t)bits, &found)) {
			if (mm_fault(vcpu->vm->mm, hva, true, false))
				return -EFAULT;
		} else if (found == word) {
			vm_note_write(vcpu->vm, at);
			return 0;
		}
	}
	return -EFAULT;
}

static int translate(struct vcpu *vcpu, const struct virt_mode *mode, uint64_t linear,
		     uint32_t access, gpa_t *out, uint32_t *error)
{
	const struct walk_mode walk_mode = { .cr0 = mode->cr0,
					     .cr3 = mode->cr3,
					     .cr4 = mode->cr4,
					     .efer = mode->efer,
					     .physical_bits = cpuid_phys_bits(vcpu) };
	const struct walk_memory memory = { load_entry, set_bits, vcpu };

	return walk(&walk_mode, &memory, linear, access, out, error);
}

int emulate_translate(struct vcpu *vcpu, uint64_t linear, uint32_t access, gpa_t *out,
		      uint32_t *error)
{
	struct virt_mode mode;

	virt->get_mode(vcpu->virt, &mode);
	return translate(vcpu, &mode, linear, access, out, error);
}

static uint32_t rights_of(const struct vcpu *vcpu)
{
	const struct emulation *emulation = &vcpu->emulation;

	return (emulation->mode.cpl == 3 ? WALK_USER : 0u) |
	       (vcpu->virt->rflags & X86_EFLAGS_AC ? WALK_AC : 0u);
}

static enum access translate_or_fault(struct vcpu *vcpu, uint64_t linear, uint32_t access,
				      gpa_t *out)
{
	uint32_t error = 0;

	switch (translate(vcpu, &vcpu->emulation.mode, linear, access | rights_of(vcpu), out,
			  &error)) {
	case 0:
		return ACCESS_DONE;
	case -EFAULT:
		virt->set_cr2(vcpu->virt, linear);
		vcpu_raise_error(vcpu, TRAP_PAGE_FAULT, error);
		return ACCESS_FAULTED;
	default:
		return ACCESS_FAILED;
	}
}

/* --- memory --- */

/* Does the instruction touch memory in one place only? Then the processor's translation of it is the one. */
static bool is_at_fault(const struct emulation *emulation, uint64_t linear)
{
	const struct insn *insn = &emulation->memo->insn;
	bool has_dst = insn->dst.kind == INSN_OPERAND_MEMORY,
	     has_src = insn->src.kind == INSN_OPERAND_MEMORY;

	return emulation->has_fault && !emulation->done && has_dst != has_src &&
	       linear % PAGE_BYTES == emulation->fault_at.v % PAGE_BYTES;
}

static bool is_in_apic(const struct vcpu *vcpu, gpa_t at)
{
	return vm_has_irqchip(vcpu->vm) && at.v - lapic_window(&vcpu->lapic) < LAPIC_WINDOW_BYTES;
}

static void write_apic(struct vcpu *vcpu, uint32_t offset, uint32_t bytes, uint64_t value)
{
	vcpu_apic_result(vcpu,
			 (int)lapic_mmio_write(&vcpu->lapic, offset, bytes, value, clock_ns()));
}

static void access_apic(struct vcpu *vcpu, gpa_t at, void *data, uint32_t bytes, bool is_write)
{
	uint32_t offset = (uint32_t)(at.v % LAPIC_WINDOW_BYTES);
	uint64_t value = 0;

	/* Where it would be, but for its mode, there is nothing, and nobody. */
	if (!lapic_has_window(&vcpu->lapic)) {
		if (!is_write)
			memset(data, 0xff, bytes);
		return;
	}
	if (is_write) {
		memcpy(&value, data, bytes);
		write_apic(vcpu, offset, bytes, value);
	} else {
		value = lapic_mmio_read(&vcpu->lapic, offset, bytes, clock_ns());
		memcpy(data, &value, bytes);
	}
}

static enum access ask_for_memory(struct vcpu *vcpu, gpa_t at, const void *data, uint32_t bytes,
				  bool is_write)
{
	struct kvm_run *run = vcpu->run;
	uint64_t value = 0;

	if (is_write) {
		memcpy(&value, data, bytes);
		if (vm_ioeventfd_signal(vcpu->vm, false, at.v, bytes, value))
			return ACCESS_DONE;
	}
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = at.v;
	run->mmio.len = bytes;
	run->mmio.is_write = is_write;
	memcpy(run->mmio.data, &value, sizeof(value));
	vcpu->emulation.state = EMULATION_STEP;
	vcpu->emulation.piece = (uint8_t)bytes;
	return ACCESS_AWAITED;
}

static enum access access_physical(struct vcpu *vcpu, gpa_t at, void *data, uint32_t bytes,
				   bool is_write)
{
	struct memslot slot;
	int err;

	if (is_in_apic(vcpu, at)) {
		access_apic(vcpu, at, data, bytes, is_write);
		return ACCESS_DONE;
	}
	if (!vm_find_slot(vcpu->vm, at, &slot) || (is_write && (slot.flags & KVM_MEM_READONLY)))
		return ask_for_memory(vcpu, at, data, bytes, is_write);
	err = is_write ? vm_write_guest(vcpu->vm, at, data, bytes)
		       : vm_read_guest(vcpu->vm, at, data, bytes);
	return err ? ACCESS_FAILED : ACCESS_DONE;
}

/* What is left of the step's bytes, in pieces within a page and of what a register holds. */
static enum access access_memory(struct vcpu *vcpu, bool is_write)
{
	struct emulation *emulation = &vcpu->emulation;
	struct insn_exec *exec = &emulation->exec;
	enum access access = ACCESS_DONE;

	while (emulation->done < exec->bytes && access == ACCESS_DONE) {
		uint64_t linear = exec->address + emulation->done, bytes;
		gpa_t at = emulation->fault_at;

		if (!is_at_fault(emulation, linear))
			access = translate_or_fault(vcpu, linear, is_write ? WALK_WRITE : WALK_READ,
						    &at);
		if (access != ACCESS_DONE)
			break;
		bytes = min_u64(exec->bytes - emulation->done, PAGE_BYTES - at.v % PAGE_BYTES);
		bytes = min_u64(bytes, MMIO_BYTES_MAX);
		access = access_physical(vcpu, at, (uint8_t *)exec->value + emulation->done,
					 (uint32_t)bytes, is_write);
		if (access == ACCESS_DONE)
			emulation->done = (uint8_t)(emulation->done + bytes);
	}
	return access;
}

/* --- ports --- */

static void ask_for_port(struct vcpu *vcpu, uint16_t port, uint32_t bytes, bool is_in,
			 const void *data)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = is_in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = (uint8_t)bytes;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = VCPU_PORT_DATA_AT;
	if (!is_in)
		memcpy(port_data(vcpu), data, bytes);
}

static enum access access_port(struct vcpu *vcpu, bool is_in)
{
	struct emulation *emulation = &vcpu->emulation;
	const struct insn_exec *exec = &emulation->exec;
	uint16_t port = (uint16_t)exec->address;

	if (emulation->done == exec->bytes)
		return ACCESS_DONE;
	if (!is_in && vm_ioeventfd_signal(vcpu->vm, true, port, exec->bytes, exec->value->word[0]))
		return ACCESS_DONE;
	ask_for_port(vcpu, port, exec->bytes, is_in, exec->value);
	emulation->state = EMULATION_STEP;
	emulation->piece = exec->bytes;
	return ACCESS_AWAITED;
}

/* Not a string instruction: RIP is behind it, and there is nothing to decode. */
enum vcpu_step emulate_port(struct vcpu *vcpu, const struct virt_exit *exit)
{
	if (exit->port.is_string)
		return emulate_begin(vcpu, NULL);
	/* A write is over for the guest, whoever gets it; a read when its value has come. */
	if (!exit->port.is_in)
		vcpu_finish_instruction(vcpu, vcpu->virt->rip);
	if (!exit->port.is_in && vm_ioeventfd_signal(vcpu->vm, true, exit->port.number,
						     exit->port.bytes, exit->port.value))
		return VCPU_RESUME;
	ask_for_port(vcpu, exit->port.number, exit->port.bytes, exit->port.is_in,
		     &exit->port.value);
	if (exit->port.is_in) {
		vcpu->emulation.state = EMULATION_PORT_IN;
		vcpu->emulation.port_bytes = exit->port.bytes;
	}
	return VCPU_TO_USER;
}

static void finish_port_in(struct vcpu *vcpu)
{
	uint64_t *rax = &vcpu->virt->general[VIRT_RAX];
	uint32_t bytes = vcpu->emulation.port_bytes;

	/* A write to a 32-bit register clears the upper half; narrower ones leave the rest. */
	if (bytes == 4)
		*rax = 0;
	memcpy(rax, port_data(vcpu), bytes);
	vcpu_finish_instruction(vcpu, vcpu->virt->rip);
}

/* --- vector registers --- */

static enum access access_vector(struct vcpu *vcpu, bool is_write)
{
	struct emulation *emulation = &vcpu->emulation;
	const struct insn_exec *exec = &emulation->exec;

	irq_disable();
	vcpu_put(vcpu); /* the next entry loads it again */
	irq_enable();
	if (is_write)
		fpu_set_vector(vcpu->fpu, (uint32_t)exec->address, exec->value, exec->bytes);
	else
		fpu_get_vector(vcpu->fpu, (uint32_t)exec->address, exec->value, exec->bytes);
	return ACCESS_DONE;
}

/* --- instructions --- */

static enum access carry_out_step(struct vcpu *vcpu)
{
	switch (vcpu->emulation.step) {
	case INSN_STEP_READ_MEMORY:
		return access_memory(vcpu, false);
	case INSN_STEP_WRITE_MEMORY:
		return access_memory(vcpu, true);
	case INSN_STEP_READ_PORT:
		return access_port(vcpu, true);
	case INSN_STEP_WRITE_PORT:
		return access_port(vcpu, false);
	case INSN_STEP_READ_VECTOR:
		return access_vector(vcpu, false);
	case INSN_STEP_WRITE_VECTOR:
		return access_vector(vcpu, true);
	case INSN_STEP_DIVIDE_ERROR:
		vcpu_raise(vcpu, TRAP_DIVIDE);
		return ACCESS_FAULTED;
	default:
		return ACCESS_FAILED;
	}
}

/* RIP has moved, unless a string instruction goes on. */
static void commit(struct vcpu *vcpu)
{
	const struct insn_regs *regs = &vcpu->emulation.regs;
	uint64_t rip = regs->rip;

	memcpy(vcpu->virt->general, regs->general, sizeof(regs->general));
	vcpu->virt->rflags = regs->rflags;
	vcpu_finish_instruction(vcpu, rip);
}

/* What ring 3 can do about it, it does with the instruction's bytes at hand. */
static enum vcpu_step fail(struct vcpu *vcpu)
{
	return vcpu_fail(vcpu, KVM_INTERNAL_ERROR_EMULATION);
}

static enum vcpu_step advance(struct vcpu *vcpu)
{
	struct emulation *emulation = &vcpu->emulation;

	while (emulation->step != INSN_STEP_DONE) {
		switch (carry_out_step(vcpu)) {
		case ACCESS_DONE:
			break;
		case ACCESS_AWAITED:
			return VCPU_TO_USER;
		case ACCESS_FAULTED:
			return VCPU_RESUME;
		case ACCESS_FAILED:
			return fail(vcpu);
		}
		emulation->done = 0;
		emulation->step = (uint8_t)insn_resume(&emulation->exec);
	}
	commit(vcpu);
	return VCPU_RESUME;
}

static void take_answer(struct vcpu *vcpu)
{
	struct emulation *emulation = &vcpu->emulation;
	uint8_t *value = (uint8_t *)emulation->exec.value + emulation->done;

	if (emulation->step == INSN_STEP_READ_MEMORY)
		memcpy(value, vcpu->run->mmio.data, emulation->piece);
	else if (emulation->step == INSN_STEP_READ_PORT)
		memcpy(value, port_data(vcpu), emulation->piece);
	emulation->done = (uint8_t)(emulation->done + emulation->piece);
}

enum vcpu_step emulate_go_on(struct vcpu *vcpu)
{
	uint8_t state = vcpu->emulation.state;

	vcpu->emulation.state = EMULATION_NONE;
	switch (state) {
	case EMULATION_PORT_IN:
		finish_port_in(vcpu);
		return VCPU_RESUME;
	case EMULATION_STEP:
		take_answer(vcpu);
		return advance(vcpu);
	default:
		return VCPU_RESUME;
	}
}

/* --- fetching --- */

static enum access fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, uint32_t bytes)
{
	gpa_t at;
	enum access access = translate_or_fault(vcpu, linear, WALK_FETCH, &at);

	if (access != ACCESS_DONE)
		return access;
	return read_guest(vcpu, at, to, bytes) ? ACCESS_FAILED : ACCESS_DONE;
}

static uint64_t fetch_address(const struct emulation *emulation)
{
	uint64_t rip = emulation->regs.rip;

	return emulation->mode.code_bytes == 8
		       ? rip
		       : (uint32_t)(emulation->mode.segment_base[INSN_CS] + rip);
}

static int decode(struct vcpu *vcpu, const uint8_t *bytes, uint32_t count)
{
	struct emulation *emulation = &vcpu->emulation;
	const struct insn_mode mode = { .code_bytes = emulation->mode.code_bytes,
					.stack_bytes = emulation->mode.stack_bytes,
					.is_real = !(emulation->mode.cr0 & X86_CR0_PE) ||
						   emulation->mode.is_virtual_8086 };

	return insn_decode(bytes, count, &mode, &emulation->memo->insn);
}

/* The second page is touched only if the instruction goes on there. */
static enum access fetch_and_decode(struct vcpu *vcpu, int *err)
{
	uint64_t linear = fetch_address(&vcpu->emulation);
	uint32_t first = (uint32_t)min_u64(FETCH_BYTES, PAGE_BYTES - linear % PAGE_BYTES);
	uint8_t bytes[FETCH_BYTES];
	enum access access = fetch(vcpu, linear, bytes, first);

	if (access != ACCESS_DONE)
		return access;
	*err = decode(vcpu, bytes, first);
	if (*err != -EAGAIN || first >= INSN_BYTES_MAX)
		return ACCESS_DONE;
	access = fetch(vcpu, linear + first, bytes + first, FETCH_BYTES - first);
	if (access == ACCESS_DONE)
		*err = decode(vcpu, bytes, FETCH_BYTES);
	return access;
}

/* By RIP, so that different ones seldom take each other's place. */
static struct emulation_memo *memo_of(struct vcpu *vcpu)
{
	uint64_t mixed = vcpu->virt->rip * UINT64_C(0x9e3779b97f4a7c15);

	return &vcpu->emulation.memos[mixed >> (64 - EMULATION_MEMOS_LOG2)];
}

/* Does it hold the instruction at RIP? */
static bool is_current(struct vcpu *vcpu, const struct emulation_memo *memo)
{
	struct virt_level level;

	if (memo->rip != vcpu->virt->rip || memo->slots_version != vm_slots_version(vcpu->vm))
		return false;
	level = virt->get_level(vcpu->virt);
	return level.is_64 && level.cr3 == memo->cr3 && memo->nr_words &&
	       user_words_hold(memo->words, memo->nr_words);
}

static enum access find_instruction(struct vcpu *vcpu, int *err)
{
	struct emulation *emulation = &vcpu->emulation;
	struct emulation_memo *memo = emulation->memo = memo_of(vcpu);
	enum access access;

	if (is_current(vcpu, memo))
		return ACCESS_DONE;
	memo->rip = vcpu->virt->rip;
	memo->cr3 = emulation->mode.cr3;
	memo->slots_version = vm_slots_version(vcpu->vm);
	memo->nr_words = 0;
	emulation->is_fetching = true;
	access = fetch_and_decode(vcpu, err);
	emulation->is_fetching = false;
	if (access != ACCESS_DONE || *err || emulation->mode.code_bytes != 8)
		memo->nr_words = 0;
	return access;
}

/* --- the local APIC --- */

static uint64_t value_of(const struct insn *insn, const uint64_t *general)
{
	return insn->src.kind == INSN_OPERAND_GENERAL ? general[insn->src.reg] : insn->immediate;
}

/*
 * A MOV of 32 bits from or to one of its registers, as nearly all accesses are, at one of the addresses that registers have.
 * (What reaches into the window from the page before seems to be at its start.)
 */
bool emulate_apic(struct vcpu *vcpu, gpa_t at, bool is_straight)
{
	const struct emulation_memo *memo = memo_of(vcpu);
	const struct insn *insn = &memo->insn;
	uint64_t *general = vcpu->virt->general;
	uint32_t offset = at.v % PAGE_BYTES;

	if (!offset || offset % 16 || insn->op != INSN_MOV || insn->dst.bytes != 4)
		return false;
	if (is_straight &&
	    !lapic_is_alone(&vcpu->lapic, offset, insn->dst.kind == INSN_OPERAND_MEMORY,
			    (uint32_t)value_of(insn, general)))
		return false;
	if (!is_current(vcpu, memo))
		return false;
	if (insn->dst.kind == INSN_OPERAND_MEMORY)
		write_apic(vcpu, offset, 4, value_of(insn, general));
	else
		general[insn->dst.reg] = lapic_mmio_read(&vcpu->lapic, offset, 4, clock_ns());
	vcpu->virt->rflags &= ~(uint64_t)X86_EFLAGS_RF;
	vcpu_finish_instruction(vcpu, memo->rip + insn->length);
	return true;
}

/* --- all --- */

static void prepare(struct vcpu *vcpu, const struct virt_exit *fault)
{
	struct emulation *emulation = &vcpu->emulation;

	virt->get_mode(vcpu->virt, &emulation->mode);
	memcpy(emulation->regs.general, vcpu->virt->general, sizeof(emulation->regs.general));
	memcpy(emulation->regs.segment_base, emulation->mode.segment_base,
	       sizeof(emulation->regs.segment_base));
	emulation->regs.rip = vcpu->virt->rip;
	emulation->regs.rflags = vcpu->virt->rflags;
	emulation->has_fault = fault && !fault->memory.is_walk;
	if (fault)
		emulation->fault_at = fault->memory.at;
	emulation->done = 0;
}

static enum vcpu_step begin(struct vcpu *vcpu)
{
	struct emulation *emulation = &vcpu->emulation;

	const struct insn *insn = &emulation->memo->insn;

	if (insn->op == INSN_MOV_TO_CR || insn->op == INSN_LMSW)
		return control_write(vcpu, insn);
	emulation->step = (uint8_t)insn_begin(&emulation->exec, insn, &emulation->regs);
	return advance(vcpu);
}

enum vcpu_step emulate_begin(struct vcpu *vcpu, const struct virt_exit *fault)
{
	int err = 0;

	prepare(vcpu, fault);
	switch (find_instruction(vcpu, &err)) {
	case ACCESS_DONE:
		break;
	case ACCESS_FAULTED:
		return VCPU_RESUME;
	default:
		return fail(vcpu);
	}
	switch (err) {
	case 0:
		return begin(vcpu);
	case -EINVAL:
		vcpu_raise(vcpu, TRAP_INVALID_OPCODE);
		return VCPU_RESUME;
	case -E2BIG:
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
		return VCPU_RESUME;
	default:
		return fail(vcpu);
	}
}
