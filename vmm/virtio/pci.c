/*
 * virtio over PCI: see virtio/pci.h.
 */
#include <errno.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio/pci.h"

enum {
	BAR_NOTIFY = 0,
	BAR_MEMORY = 1,
	NOTIFY_BYTES = 4, /* per queue */

	/* offsets in BAR 1 */
	COMMON_AT = 0x0000,
	ISR_AT = 0x1000,
	DEVICE_AT = 0x2000,
	MSIX_TABLE_AT = 0x3000,
	MSIX_PENDING_AT = 0x3800,
	MEMORY_BYTES = 0x4000,

	ISR_QUEUE = 1,
	ISR_CONFIG = 2,

	VENDOR_VIRTIO = 0x1af4,
	DEVICE_MODERN = 0x1040, /* plus the device type */
	REVISION_MODERN = 1,
};

/* --- interrupts --- */

static bool is_intx_disabled(const struct virtio_pci *vpci)
{
	return pci_config_get16(&vpci->function, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
}

/* Drives INTA# as the ISR says. Context: the holder of vm->lock. */
static void intx_update(struct virtio_pci *vpci)
{
	bool is_pending = !vpci->uses_msix && __atomic_load_n(&vpci->state.isr, __ATOMIC_RELAXED);
	uint16_t status = pci_config_get16(&vpci->function, PCI_STATUS);

	status = (uint16_t)(is_pending ? status | PCI_STATUS_INTERRUPT
				       : status & ~PCI_STATUS_INTERRUPT);
	pci_config_set16(&vpci->function, PCI_STATUS, status);
	irq_line_set(&vpci->function.intx, is_pending && !is_intx_disabled(vpci));
}

static void intx_wanted(void *context)
{
	struct virtio_pci *vpci = context;

	pthread_mutex_lock(vpci->lock);
	intx_update(vpci);
	pthread_mutex_unlock(vpci->lock);
}

/* The wire needs vm->lock, which a worker must not take: the main loop pulls it. */
static void interrupt(struct virtio_pci *vpci, uint8_t isr_bit, uint16_t vector)
{
	if (__atomic_load_n(&vpci->uses_msix, __ATOMIC_RELAXED)) {
		msix_fire(&vpci->msix, vector);
		return;
	}
	__atomic_fetch_or(&vpci->state.isr, isr_bit, __ATOMIC_RELAXED);
	wakeup_raise(&vpci->intx_wanted);
}

static void queue_interrupt(void *transport, const struct virtq *vq)
{
	interrupt(transport, ISR_QUEUE, __atomic_load_n(&vq->state.msix_vector, __ATOMIC_RELAXED));
}

static void config_interrupt(void *transport)
{
	struct virtio_pci *vpci = transport;

	interrupt(vpci, ISR_CONFIG,
		  __atomic_load_n(&vpci->common.state.config_vector, __ATOMIC_RELAXED));
}

/* "A device MUST NOT send notifications" after its reset, so nothing of before may come later. */
static void device_reset(void *transport)
{
	struct virtio_pci *vpci = transport;

	common_config_forget_vector(&vpci->common);
	vpci->state = (struct virtio_pci_state){ 0 };
	msix_forget_pending(&vpci->msix);
	intx_update(vpci);
}

static const struct virtio_transport_ops transport_ops = {
	.queue_interrupt = queue_interrupt,
	.config_interrupt = config_interrupt,
	.reset = device_reset,
};

/* --- BAR 0: notifications that no ioeventfd caught --- */

static uint64_t notify_read(void *device UNUSED, uint64_t offset UNUSED, uint32_t size UNUSED)
{
	return 0;
}

static void notify_write(void *device, uint64_t offset, uint64_t value UNUSED, uint32_t size UNUSED)
{
	struct virtio_pci *vpci = device;

	virtio_dev_notify(vpci->dev, (uint16_t)(offset / NOTIFY_BYTES));
}

static const struct bus_ops notify_ops = { .read = notify_read, .write = notify_write };

/* --- BAR 1 --- */

static uint64_t device_config_read(const struct virtio_dev *dev, uint64_t offset, uint32_t size)
{
	uint64_t value = 0;

	if (offset < dev->config_bytes)
		memcpy(&value, (const uint8_t *)dev->config + offset,
		       min_u64(size, dev->config_bytes - offset));
	return value;
}

static void device_config_write(struct virtio_dev *dev, uint64_t offset, uint64_t value,
				uint32_t size)
{
	if (!dev->ops->config_write || offset >= dev->config_bytes ||
	    size > dev->config_bytes - offset)
		return;
	virtio_dev_pause(dev);
	dev->ops->config_write(dev, (uint32_t)offset, &value, size);
	virtio_dev_resume(dev);
}

/* Reading the ISR acknowledges it. */
static uint64_t isr_read(struct virtio_pci *vpci)
{
	uint8_t isr = __atomic_exchange_n(&vpci->state.isr, 0, __ATOMIC_RELAXED);

	intx_update(vpci);
	return isr;
}

static uint64_t memory_bar_read(void *device, uint64_t offset, uint32_t size)
{
	struct virtio_pci *vpci = device;

	if (offset >= MSIX_PENDING_AT)
		return msix_pending_read(&vpci->msix, offset - MSIX_PENDING_AT, size);
	if (offset >= MSIX_TABLE_AT)
		return msix_table_read(&vpci->msix, offset - MSIX_TABLE_AT, size);
	if (offset >= DEVICE_AT)
		return device_config_read(vpci->dev, offset - DEVICE_AT, size);
	if (offset >= ISR_AT)
		return offset == ISR_AT ? isr_read(vpci) : 0;
	return common_config_read(&vpci->common, offset - COMMON_AT, size);
}

static void memory_bar_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	struct virtio_pci *vpci = device;

	if (offset >= MSIX_PENDING_AT)
		return;
	if (offset >= MSIX_TABLE_AT)
		msix_table_write(&vpci->msix, offset - MSIX_TABLE_AT, value, size);
	else if (offset >= DEVICE_AT)
		device_config_write(vpci->dev, offset - DEVICE_AT, value, size);
	else if (offset < ISR_AT)
		common_config_write(&vpci->common, offset - COMMON_AT, value, size);
}

static const struct bus_ops memory_ops = { .read = memory_bar_read, .write = memory_bar_write };

/* --- configuration space --- */

/* The window of 4.1.4.9 "PCI configuration access capability": BAR accesses for those who can't map BARs. */
static bool config_access(struct virtio_pci *vpci, const struct bus_ops **ops, uint64_t *offset,
			  uint32_t *size)
{
	const uint8_t *capability = &vpci->function.state.config[vpci->config_access];
	uint8_t bar = capability[offsetof(struct virtio_pci_cap, bar)];
	uint64_t bar_bytes;

	if (bar > BAR_MEMORY)
		return false;
	bar_bytes = vpci->function.bars[bar].size;
	*ops = bar == BAR_NOTIFY ? &notify_ops : &memory_ops;
	*offset = pci_config_get32(&vpci->function,
				   vpci->config_access + offsetof(struct virtio_pci_cap, offset));
	*size = pci_config_get32(&vpci->function,
				 vpci->config_access + offsetof(struct virtio_pci_cap, length));
	return (*size == 1 || *size == 2 || *size == 4) && !(*offset % *size) &&
	       *offset < bar_bytes && *size <= bar_bytes - *offset;
}

static bool touches_config_access(const struct virtio_pci *vpci, uint32_t offset, uint32_t size)
{
	uint32_t data = vpci->config_access + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	return offset < data + 4 && offset + size > data;
}

static void config_reading(struct pci_function *function, uint32_t offset, uint32_t size)
{
	struct virtio_pci *vpci = function->device;
	uint32_t data = vpci->config_access + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
	const struct bus_ops *ops;
	uint64_t at;
	uint32_t width;

	if (touches_config_access(vpci, offset, size) && config_access(vpci, &ops, &at, &width))
		pci_config_set32(function, data, (uint32_t)ops->read(vpci, at, width));
}

static void config_written(struct pci_function *function, uint32_t offset, uint32_t size)
{
	struct virtio_pci *vpci = function->device;
	uint32_t data = vpci->config_access + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
	const struct bus_ops *ops;
	uint64_t at;
	uint32_t width;

	msix_config_written(&vpci->msix, offset, size);
	__atomic_store_n(&vpci->uses_msix, msix_is_enabled(&vpci->msix), __ATOMIC_RELAXED);
	intx_update(vpci);
	/* A whole-space write is a reset, not an access through the window. */
	if (size <= 4 && touches_config_access(vpci, offset, size) &&
	    config_access(vpci, &ops, &at, &width))
		ops->write(vpci, at, pci_config_get32(function, data), width);
}

/* The kicks' ports follow BAR 0. */
static void bar_changed(struct pci_function *function, uint32_t bar)
{
	struct virtio_pci *vpci = function->device;
	const struct pci_bar *b = &function->bars[bar];

	if (bar != BAR_NOTIFY)
		return;
	for (uint16_t queue = 0; queue < vpci->dev->nr_queues; queue++) {
		uint16_t port = (uint16_t)(b->base + queue * NOTIFY_BYTES);
		int fd = vpci->dev->kicks[queue].source.fd;

		/* Where no ioeventfd can be had, notify_write() does the same, slower. */
		if (b->is_mapped)
			(void)vpci->kicks->attach(vpci->kicks->context, port, fd);
		else
			vpci->kicks->detach(vpci->kicks->context, port, fd);
	}
}

static const struct pci_function_ops function_ops = {
	.config_written = config_written,
	.config_reading = config_reading,
	.bar_changed = bar_changed,
};

struct capability_row {
	uint8_t type, bar;
	uint32_t offset, length;
};

static uint32_t add_virtio_capability(struct pci_function *function,
				      const struct capability_row *row, uint32_t extra_bytes)
{
	uint32_t size = (uint32_t)sizeof(struct virtio_pci_cap) + extra_bytes;
	uint32_t at = pci_function_add_capability(function, PCI_CAP_ID_VNDR, size);
	uint8_t *config = function->state.config;

	config[at + offsetof(struct virtio_pci_cap, cap_len)] = (uint8_t)size;
	config[at + offsetof(struct virtio_pci_cap, cfg_type)] = row->type;
	config[at + offsetof(struct virtio_pci_cap, bar)] = row->bar;
	pci_config_set32(function, at + offsetof(struct virtio_pci_cap, offset), row->offset);
	pci_config_set32(function, at + offsetof(struct virtio_pci_cap, length), row->length);
	return at;
}

static uint32_t notify_bytes(const struct virtio_dev *dev)
{
	uint32_t bytes = NOTIFY_BYTES;

	while (bytes < dev->nr_queues * (uint32_t)NOTIFY_BYTES)
		bytes *= 2;
	return bytes;
}

static void add_capabilities(struct virtio_pci *vpci)
{
	static const struct capability_row in_memory[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, BAR_MEMORY, COMMON_AT, COMMON_CONFIG_BYTES },
		{ VIRTIO_PCI_CAP_ISR_CFG, BAR_MEMORY, ISR_AT, 1 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, BAR_MEMORY, DEVICE_AT, 0x1000 },
	};
	const struct capability_row notify = { VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_NOTIFY, 0,
					       notify_bytes(vpci->dev) };
	const struct capability_row access = { VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0 };
	struct pci_function *function = &vpci->function;
	uint32_t at;

	for (uint32_t i = 0; i < ARRAY_SIZE(in_memory); i++)
		add_virtio_capability(function, &in_memory[i], 0);

	at = add_virtio_capability(function, &notify, 4);
	pci_config_set32(function,
			 at + offsetof(struct virtio_pci_notify_cap, notify_off_multiplier),
			 NOTIFY_BYTES);

	at = add_virtio_capability(function, &access, 4);
	pci_function_allow(function, at + offsetof(struct virtio_pci_cap, bar), 1, 0xff);
	pci_function_allow(function, at + offsetof(struct virtio_pci_cap, offset), 4, UINT32_MAX);
	pci_function_allow(function, at + offsetof(struct virtio_pci_cap, length), 4, UINT32_MAX);
	pci_function_allow(function, at + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data), 4,
			   UINT32_MAX);
	vpci->config_access = at;
}

static void describe_function(struct virtio_pci *vpci)
{
	const struct virtio_dev *dev = vpci->dev;
	struct pci_id id = {
		.vendor = VENDOR_VIRTIO,
		.device = (uint16_t)(DEVICE_MODERN + dev->ops->device_id),
		.subsystem_vendor = VENDOR_VIRTIO,
		.subsystem = (uint16_t)(DEVICE_MODERN + dev->ops->device_id),
		.class_code = dev->ops->class_code,
		.revision = REVISION_MODERN,
	};
	struct pci_bar notify = { .size = notify_bytes(dev), .is_io = true, .ops = &notify_ops };
	struct pci_bar memory = { .size = MEMORY_BYTES, .ops = &memory_ops };

	pci_function_init(&vpci->function, dev->id, &id, &function_ops, vpci);
	pci_function_set_bar(&vpci->function, BAR_NOTIFY, &notify);
	pci_function_set_bar(&vpci->function, BAR_MEMORY, &memory);
}

int virtio_pci_create(struct virtio_dev *dev, const struct virtio_pci_host *host, uint32_t slot,
		      struct virtio_pci **out, struct errmsg *why)
{
	struct virtio_pci *vpci = calloc(1, sizeof(*vpci));
	uint32_t nr_vectors = dev->ops->nr_vectors + 1u; /* one for configuration changes */
	int err = -ENOMEM;

	if (!vpci)
		goto err_dev;
	vpci->dev = dev;
	vpci->kicks = host->kicks;
	vpci->lock = host->lock;
	common_config_init(&vpci->common, dev, nr_vectors);
	dev->transport = vpci;
	dev->transport_ops = &transport_ops;

	describe_function(vpci);
	vpci->function.intx = host->intx;
	err = wakeup_create(&vpci->intx_wanted, host->loop, intx_wanted, vpci);
	if (err)
		goto err_free;
	err = msix_create(&vpci->msix, &vpci->function, host->msis, nr_vectors, BAR_MEMORY,
			  MSIX_TABLE_AT, MSIX_PENDING_AT);
	if (err)
		goto err_intx;
	add_capabilities(vpci);
	err = pci_add(host->bus, slot, &vpci->function, why);
	if (err)
		goto err_msix;
	*out = vpci;
	return 0;

err_msix:
	msix_destroy(&vpci->msix);
err_intx:
	wakeup_destroy(&vpci->intx_wanted);
err_free:
	free(vpci);
err_dev:
	err = errmsg_system(why, err, "%s: cannot be put on the PCI bus: %s", dev->id,
			    strerror(-err));
	dev->ops->destroy(dev);
	return err;
}

void virtio_pci_destroy(struct virtio_pci *vpci)
{
	virtio_dev_reset(vpci->dev);
	pci_remove(&vpci->function);
	vpci->dev->ops->destroy(vpci->dev);
	msix_destroy(&vpci->msix);
	wakeup_destroy(&vpci->intx_wanted);
	free(vpci);
}

void virtio_pci_reset(struct virtio_pci *vpci)
{
	virtio_dev_reset(vpci->dev);
	common_config_reset(&vpci->common);
	msix_reset(&vpci->msix);
	pci_function_reset(&vpci->function);
}
