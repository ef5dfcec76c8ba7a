/*
 * MSI-X: see msix.h.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/pci/msix.h"

static bool is_function_masked(const struct msix *msix)
{
	uint16_t flags = pci_config_get16(msix->function, msix->capability + PCI_MSIX_FLAGS);

	return !(flags & PCI_MSIX_FLAGS_ENABLE) || (flags & PCI_MSIX_FLAGS_MASKALL);
}

bool msix_is_enabled(const struct msix *msix)
{
	return pci_config_get16(msix->function, msix->capability + PCI_MSIX_FLAGS) &
	       PCI_MSIX_FLAGS_ENABLE;
}

static void vector_detach(struct msix *msix, uint32_t index)
{
	struct msix_vector *vector = &msix->vectors[index];

	if (!vector->is_attached)
		return;
	msix->router->detach(msix->router->context, vector->fd, vector->gsi);
	vector->is_attached = false;
}

static void vector_drain(const struct msix_vector *vector)
{
	uint64_t count;

	if (read(vector->fd, &count, sizeof(count)) < 0)
		return; /* nothing was */
}

static void vector_attach(struct msix *msix, uint32_t index)
{
	static struct log_limit limit;
	const struct msix_entry *entry = &msix->state.entries[index];
	struct msix_vector *vector = &msix->vectors[index];
	int err;

	if (vector->is_attached)
		return;
	err = msix->router->attach(msix->router->context, vector->fd,
				   entry->address_low | (uint64_t)entry->address_high << 32,
				   entry->data, &vector->gsi);
	if (err)
		log_limited(&limit, "%s: MSI-X vector %u cannot be routed (error %d)",
			    msix->function->name, index, -err);
	vector->is_attached = !err;
	/* The router has sent what was pending; left in the eventfd, the next unmasking would send it again. */
	if (!err)
		vector_drain(vector);
}

/* Makes the vector's route follow the table and the masks. */
static void vector_update(struct msix *msix, uint32_t index)
{
	bool is_masked = msix->state.entries[index].control & PCI_MSIX_ENTRY_CTRL_MASKBIT;

	if (is_masked || is_function_masked(msix))
		vector_detach(msix, index);
	else
		vector_attach(msix, index);
}

int msix_create(struct msix *msix, struct pci_function *function, const struct msi_router *router,
		uint32_t nr_vectors, uint32_t bar, uint32_t table, uint32_t pending)
{
	uint32_t i;

	assert(nr_vectors && nr_vectors <= MSIX_VECTOR_MAX);
	*msix = (struct msix){ .function = function, .router = router, .nr_vectors = nr_vectors };
	for (i = 0; i < nr_vectors; i++) {
		msix->vectors[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (msix->vectors[i].fd < 0)
			goto err_close;
		msix->state.entries[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}

	msix->capability =
		pci_function_add_capability(function, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	pci_config_set16(function, msix->capability + PCI_MSIX_FLAGS, (uint16_t)(nr_vectors - 1));
	pci_config_set32(function, msix->capability + PCI_MSIX_TABLE, table | bar);
	pci_config_set32(function, msix->capability + PCI_MSIX_PBA, pending | bar);
	pci_function_allow(function, msix->capability + PCI_MSIX_FLAGS, 2,
			   PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	return 0;

err_close:
	while (i--)
		close(msix->vectors[i].fd);
	return -EMFILE;
}

void msix_destroy(struct msix *msix)
{
	for (uint32_t i = 0; i < msix->nr_vectors; i++) {
		vector_detach(msix, i);
		close(msix->vectors[i].fd);
	}
	msix->nr_vectors = 0;
}

void msix_forget_pending(struct msix *msix)
{
	for (uint32_t i = 0; i < msix->nr_vectors; i++)
		vector_drain(&msix->vectors[i]);
}

/* Forgets what is pending too. The function's own reset clears the enable bit. */
void msix_reset(struct msix *msix)
{
	for (uint32_t i = 0; i < msix->nr_vectors; i++) {
		vector_detach(msix, i);
		msix->state.entries[i] =
			(struct msix_entry){ .control = PCI_MSIX_ENTRY_CTRL_MASKBIT };
	}
	msix_forget_pending(msix);
}

void msix_fire(struct msix *msix, uint32_t vector)
{
	uint64_t one = 1;

	if (vector >= msix->nr_vectors)
		return;
	if (write(msix->vectors[vector].fd, &one, sizeof(one)) < 0)
		return; /* a full counter is pending already */
}

void msix_config_written(struct msix *msix, uint32_t offset, uint32_t size)
{
	uint32_t flags = msix->capability + PCI_MSIX_FLAGS;

	if (offset >= flags + 2 || offset + size <= flags)
		return;
	for (uint32_t i = 0; i < msix->nr_vectors; i++)
		vector_update(msix, i);
}

/* "Software must use DWORD or QWORD accesses": others read as ones and write nothing. */
static bool is_table_access(const struct msix *msix, uint64_t offset, uint32_t size)
{
	uint64_t bytes = msix->nr_vectors * (uint64_t)MSIX_ENTRY_BYTES;

	return size >= 4 && !(offset % size) && offset < bytes && size <= bytes - offset;
}

uint64_t msix_table_read(const struct msix *msix, uint64_t offset, uint32_t size)
{
	uint64_t value = 0;

	if (!is_table_access(msix, offset, size))
		return UINT64_MAX;
	memcpy(&value, (const uint8_t *)msix->state.entries + offset, size);
	return value;
}

void msix_table_write(struct msix *msix, uint64_t offset, uint64_t value, uint32_t size)
{
	uint32_t index = (uint32_t)(offset / MSIX_ENTRY_BYTES);

	if (!is_table_access(msix, offset, size))
		return;
	/* A message that changes under a live vector takes effect at once: route it anew. */
	vector_detach(msix, index);
	memcpy((uint8_t *)msix->state.entries + offset, &value, size);
	vector_update(msix, index);
}

static bool vector_is_pending(const struct msix_vector *vector)
{
	struct pollfd poll_fd = { .fd = vector->fd, .events = POLLIN };

	return !vector->is_attached && poll(&poll_fd, 1, 0) == 1;
}

uint64_t msix_pending_read(const struct msix *msix, uint64_t offset, uint32_t size)
{
	uint64_t value = 0;

	for (uint32_t bit = 0; bit < 8 * size; bit++) {
		uint64_t vector = 8 * offset + bit;

		if (vector < msix->nr_vectors && vector_is_pending(&msix->vectors[vector]))
			value |= UINT64_C(1) << bit;
	}
	return value;
}
