/*
 * One virtqueue in memory that changes under it. What must hold: every buffer lies inside the guest's
 * memory, no chain has more than the queue has descriptors, and used elements are written in order.
 */
#include <string.h>

#include "tests/support/fuzz_script.h"
#include "tests/support/ring.h"
#include "vmm/virtio/virtq.h"

enum { MEMORY_BYTES = 1 << 20, RING_AT = 0x10000, WIPED_BYTES = 0x20000, STEPS_MAX = 500 };

struct bench {
	struct ring ring;
	struct virtq vq;
	struct virtq_chain chain;
	uint16_t nr_popped; /* and not pushed yet */
};

static const struct guest_memory *memory(void)
{
	static struct guest_memory memory;
	struct errmsg why = { 0 };

	if (!memory.mapping)
		fuzz_claim(!memory_create(MEMORY_BYTES, &memory, &why));
	return &memory;
}

static void check_buffers(const struct iov_list *list)
{
	const char *start = memory()->mapping;

	for (uint32_t i = 0; i < list->count; i++) {
		const char *base = list->at[i].iov_base;

		fuzz_claim(list->at[i].iov_len > 0);
		fuzz_claim(base >= start && base < start + MEMORY_BYTES);
		fuzz_claim(list->at[i].iov_len <= (size_t)(start + MEMORY_BYTES - base));
	}
}

static void pop(struct bench *bench)
{
	int got = virtq_pop(&bench->vq, &bench->chain);

	fuzz_claim(got == 0 || got == 1 || bench->vq.state.is_broken);
	if (got != 1)
		return;
	fuzz_claim(bench->chain.out.count + bench->chain.in.count <= bench->vq.state.size);
	check_buffers(&bench->chain.out);
	check_buffers(&bench->chain.in);
	bench->nr_popped++;
}

static void push(struct bench *bench, struct fuzz_script *script)
{
	uint16_t before = bench->vq.state.next_used;

	if (!bench->nr_popped)
		return;
	bench->nr_popped--;
	virtq_push(&bench->vq, bench->chain.head, (uint32_t)fuzz_take(script, 2));
	fuzz_claim(bench->vq.state.next_used == (uint16_t)(before + 1));
	fuzz_claim(bench->ring.used->idx == bench->vq.state.next_used);
}

static void unpop(struct bench *bench, struct fuzz_script *script)
{
	uint16_t count = (uint16_t)(fuzz_take(script, 1) % (bench->nr_popped + 1u));

	virtq_unpop(&bench->vq, count);
	bench->nr_popped = (uint16_t)(bench->nr_popped - count);
}

static uint64_t take_address(struct fuzz_script *script)
{
	switch (fuzz_take(script, 1) % 4) {
	case 0:
		return fuzz_take(script, 8);
	case 1:
		return MEMORY_BYTES - fuzz_take(script, 2);
	default:
		return RING_AT + fuzz_take(script, 2);
	}
}

static void set_descriptor(struct bench *bench, struct fuzz_script *script)
{
	uint16_t index = (uint16_t)(fuzz_take(script, 1) % bench->ring.size);
	uint64_t address = take_address(script);
	uint8_t how = (uint8_t)fuzz_take(script, 1);

	ring_set_desc(&bench->ring, index, address, (uint32_t)fuzz_take(script, how & 0x80 ? 4 : 1),
		      how & 7, (uint16_t)fuzz_take(script, 1));
}

static void spoil(struct fuzz_script *script)
{
	uint64_t address = take_address(script), value = fuzz_take(script, 8);

	if (memory_write(memory(), gpa(address), &value, sizeof(value)))
		return;
}

static void step(struct bench *bench, struct fuzz_script *script)
{
	switch (fuzz_take(script, 1) % 10) {
	case 0:
	case 1:
		set_descriptor(bench, script);
		break;
	case 2:
		ring_offer(&bench->ring, (uint16_t)fuzz_take(script, 1));
		break;
	case 3:
		ring_advance(&bench->ring, (uint16_t)fuzz_take(script, 1));
		break;
	case 4:
	case 5:
		pop(bench);
		break;
	case 6:
		push(bench, script);
		break;
	case 7:
		unpop(bench, script);
		break;
	case 8:
		spoil(script);
		break;
	default:
		virtq_disarm(&bench->vq);
		(void)virtq_wants_interrupt(&bench->vq);
		(void)virtq_rearm(&bench->vq, bench->nr_popped);
	}
}

/* Good rings of the script's size, or what it makes of them. */
static void enable(struct bench *bench, struct fuzz_script *script)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);

	memset(memory_at(memory(), gpa(RING_AT), WIPED_BYTES), 0, WIPED_BYTES);
	ring_init(&bench->ring, memory(), RING_AT, (uint16_t)(1u << how % 9));
	virtq_init(&bench->vq, memory(), VIRTQ_SIZE_MAX);
	bench->vq.state.size = bench->ring.size;
	bench->vq.state.desc = bench->ring.desc_at;
	bench->vq.state.avail = bench->ring.avail_at;
	bench->vq.state.used = bench->ring.used_at;
	if (how & 0x10) {
		bench->vq.state.size = (uint16_t)fuzz_take(script, 2);
		bench->vq.state.desc = take_address(script);
		bench->vq.state.avail = take_address(script);
		bench->vq.state.used = take_address(script);
	}
	if (virtq_enable(&bench->vq, how & 0x20))
		fuzz_claim(!bench->vq.state.is_enabled);
	/* Rings that lie elsewhere than ours: the driver's index is not where we look. */
	if (bench->vq.state.is_enabled && bench->vq.state.used != bench->ring.used_at)
		virtq_reset(&bench->vq);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct bench bench;
	struct fuzz_script script = { bytes, n };

	bench.nr_popped = 0;
	enable(&bench, &script);
	for (unsigned i = 0; i < STEPS_MAX && fuzz_has_more(&script); i++)
		step(&bench, &script);
	return 0;
}
