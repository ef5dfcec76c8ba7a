/*
 * The registers by which a driver sets a virtio device up: see common_config.h. One row per register.
 */
#include "vmm/virtio/common_config.h"

struct common_register {
	uint16_t offset, size;
	uint64_t (*read)(struct common_config *common);
	void (*write)(struct common_config *common, uint32_t value); /* NULL: read-only */
};

static struct virtq *selected_queue(struct common_config *common)
{
	uint16_t queue = common->state.queue_select;

	return queue < common->dev->nr_queues ? &common->dev->queues[queue] : NULL;
}

/* A queue may be set up until it is enabled; after that its registers stand. */
static struct virtq *selected_idle_queue(struct common_config *common)
{
	struct virtq *vq = selected_queue(common);

	return vq && !vq->state.is_enabled && !common->dev->is_live ? vq : NULL;
}

static uint64_t read_device_feature_select(struct common_config *common)
{
	return common->state.device_feature_select;
}

static void write_device_feature_select(struct common_config *common, uint32_t value)
{
	common->state.device_feature_select = value;
}

static uint64_t read_device_feature(struct common_config *common)
{
	uint32_t select = common->state.device_feature_select;

	return select < 2 ? common->dev->offered >> (32 * select) & UINT32_MAX : 0;
}

static uint64_t read_driver_feature_select(struct common_config *common)
{
	return common->state.driver_feature_select;
}

static void write_driver_feature_select(struct common_config *common, uint32_t value)
{
	common->state.driver_feature_select = value;
}

static uint64_t read_driver_feature(struct common_config *common)
{
	uint32_t select = common->state.driver_feature_select;

	return select < 2 ? common->dev->state.driver_features >> (32 * select) & UINT32_MAX : 0;
}

static void write_driver_feature(struct common_config *common, uint32_t value)
{
	struct virtio_dev_state *state = &common->dev->state;
	uint32_t shift = 32 * common->state.driver_feature_select;

	if (common->state.driver_feature_select > 1 ||
	    (virtio_dev_status(common->dev) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	state->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	state->driver_features |= (uint64_t)value << shift;
}

/* A vector that doesn't exist reads back as "none": that is how the driver learns. */
static uint16_t checked_vector(const struct common_config *common, uint32_t vector)
{
	return vector < common->nr_vectors ? (uint16_t)vector : VIRTIO_MSI_NO_VECTOR;
}

static uint64_t read_config_vector(struct common_config *common)
{
	return common->state.config_vector;
}

static void write_config_vector(struct common_config *common, uint32_t value)
{
	__atomic_store_n(&common->state.config_vector, checked_vector(common, value),
			 __ATOMIC_RELAXED);
}

static uint64_t read_nr_queues(struct common_config *common)
{
	return common->dev->nr_queues;
}

static uint64_t read_status(struct common_config *common)
{
	return virtio_dev_status(common->dev);
}

static void write_status(struct common_config *common, uint32_t value)
{
	virtio_dev_set_status(common->dev, (uint8_t)value);
}

static uint64_t read_config_generation(struct common_config *common)
{
	return common->dev->state.config_generation;
}

static uint64_t read_queue_select(struct common_config *common)
{
	return common->state.queue_select;
}

static void write_queue_select(struct common_config *common, uint32_t value)
{
	common->state.queue_select = (uint16_t)value;
}

static uint64_t read_queue_size(struct common_config *common)
{
	const struct virtq *vq = selected_queue(common);

	return vq ? vq->state.size : 0;
}

static void write_queue_size(struct common_config *common, uint32_t value)
{
	struct virtq *vq = selected_idle_queue(common);

	if (vq)
		vq->state.size = (uint16_t)value;
}

static uint64_t read_queue_vector(struct common_config *common)
{
	const struct virtq *vq = selected_queue(common);

	return vq ? vq->state.msix_vector : VIRTIO_MSI_NO_VECTOR;
}

static void write_queue_vector(struct common_config *common, uint32_t value)
{
	struct virtq *vq = selected_queue(common);

	if (vq)
		__atomic_store_n(&vq->state.msix_vector, checked_vector(common, value),
				 __ATOMIC_RELAXED);
}

static uint64_t read_queue_enable(struct common_config *common)
{
	const struct virtq *vq = selected_queue(common);

	return vq && vq->state.is_enabled;
}

static void write_queue_enable(struct common_config *common, uint32_t value)
{
	if (value == 1 && selected_idle_queue(common))
		virtio_dev_enable_queue(common->dev, common->state.queue_select);
}

static uint64_t read_queue_notify_off(struct common_config *common)
{
	return common->state.queue_select;
}

/* A ring's address is written as two halves. */
static void write_half(uint64_t *address, uint32_t value, bool is_high)
{
	uint64_t kept = is_high ? *address & UINT32_MAX : *address & ~(uint64_t)UINT32_MAX;

	*address = kept | (uint64_t)value << (is_high ? 32 : 0);
}

#define RING_REGISTER(ring)                                                                 \
	static uint64_t read_queue_##ring##_low(struct common_config *common)               \
	{                                                                                   \
		const struct virtq *vq = selected_queue(common);                            \
                                                                                            \
		return vq ? vq->state.ring & UINT32_MAX : 0;                                \
	}                                                                                   \
	static uint64_t read_queue_##ring##_high(struct common_config *common)              \
	{                                                                                   \
		const struct virtq *vq = selected_queue(common);                            \
                                                                                            \
		return vq ? vq->state.ring >> 32 : 0;                                       \
	}                                                                                   \
	static void write_queue_##ring##_low(struct common_config *common, uint32_t value)  \
	{                                                                                   \
		struct virtq *vq = selected_idle_queue(common);                             \
                                                                                            \
		if (vq)                                                                     \
			write_half(&vq->state.ring, value, false);                          \
	}                                                                                   \
	static void write_queue_##ring##_high(struct common_config *common, uint32_t value) \
	{                                                                                   \
		struct virtq *vq = selected_idle_queue(common);                             \
                                                                                            \
		if (vq)                                                                     \
			write_half(&vq->state.ring, value, true);                           \
	}

RING_REGISTER(desc)
RING_REGISTER(avail)
RING_REGISTER(used)

/* Ascending and without gaps: common_registers_are_complete() in the unit test holds it to that. */
static const struct common_register common_registers[] = {
	{ VIRTIO_PCI_COMMON_DFSELECT, 4, read_device_feature_select, write_device_feature_select },
	{ VIRTIO_PCI_COMMON_DF, 4, read_device_feature, NULL },
	{ VIRTIO_PCI_COMMON_GFSELECT, 4, read_driver_feature_select, write_driver_feature_select },
	{ VIRTIO_PCI_COMMON_GF, 4, read_driver_feature, write_driver_feature },
	{ VIRTIO_PCI_COMMON_MSIX, 2, read_config_vector, write_config_vector },
	{ VIRTIO_PCI_COMMON_NUMQ, 2, read_nr_queues, NULL },
	{ VIRTIO_PCI_COMMON_STATUS, 1, read_status, write_status },
	{ VIRTIO_PCI_COMMON_CFGGENERATION, 1, read_config_generation, NULL },
	{ VIRTIO_PCI_COMMON_Q_SELECT, 2, read_queue_select, write_queue_select },
	{ VIRTIO_PCI_COMMON_Q_SIZE, 2, read_queue_size, write_queue_size },
	{ VIRTIO_PCI_COMMON_Q_MSIX, 2, read_queue_vector, write_queue_vector },
	{ VIRTIO_PCI_COMMON_Q_ENABLE, 2, read_queue_enable, write_queue_enable },
	{ VIRTIO_PCI_COMMON_Q_NOFF, 2, read_queue_notify_off, NULL },
	{ VIRTIO_PCI_COMMON_Q_DESCLO, 4, read_queue_desc_low, write_queue_desc_low },
	{ VIRTIO_PCI_COMMON_Q_DESCHI, 4, read_queue_desc_high, write_queue_desc_high },
	{ VIRTIO_PCI_COMMON_Q_AVAILLO, 4, read_queue_avail_low, write_queue_avail_low },
	{ VIRTIO_PCI_COMMON_Q_AVAILHI, 4, read_queue_avail_high, write_queue_avail_high },
	{ VIRTIO_PCI_COMMON_Q_USEDLO, 4, read_queue_used_low, write_queue_used_low },
	{ VIRTIO_PCI_COMMON_Q_USEDHI, 4, read_queue_used_high, write_queue_used_high },
};

static const struct common_register *common_find(uint64_t offset, uint32_t size)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(common_registers); i++)
		if (common_registers[i].offset == offset && common_registers[i].size == size)
			return &common_registers[i];
	return NULL;
}

/* "The driver MUST access each field using the natural width"; a 64-bit field also as a whole. */
uint64_t common_config_read(struct common_config *common, uint64_t offset, uint32_t size)
{
	const struct common_register *reg;

	if (size == 8)
		return common_config_read(common, offset, 4) |
		       common_config_read(common, offset + 4, 4) << 32;
	reg = common_find(offset, size);
	return reg ? reg->read(common) : 0;
}

void common_config_write(struct common_config *common, uint64_t offset, uint64_t value,
			 uint32_t size)
{
	const struct common_register *reg;

	if (size == 8) {
		common_config_write(common, offset, value & UINT32_MAX, 4);
		common_config_write(common, offset + 4, value >> 32, 4);
		return;
	}
	reg = common_find(offset, size);
	if (reg && reg->write)
		reg->write(common, (uint32_t)value);
}

void common_config_init(struct common_config *common, struct virtio_dev *dev, uint32_t nr_vectors)
{
	*common = (struct common_config){ .dev = dev, .nr_vectors = nr_vectors };
	common_config_reset(common);
}

void common_config_forget_vector(struct common_config *common)
{
	__atomic_store_n(&common->state.config_vector, VIRTIO_MSI_NO_VECTOR, __ATOMIC_RELAXED);
}

void common_config_reset(struct common_config *common)
{
	common->state = (struct common_config_state){ .config_vector = VIRTIO_MSI_NO_VECTOR };
}
