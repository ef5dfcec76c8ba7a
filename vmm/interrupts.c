/*
 * The VM's interrupt controllers outside its processors: see interrupts.h.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/interrupts.h"
#include "base/log.h"

enum {
	PIT_GSI = 0,
	PIT_PIN = 2, /* the MADT's override */
};

/* --- the kernel's table of routes --- */

static int routes_commit(struct interrupts *interrupts)
{
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entries[ROUTES_MAX];
	} table; /* large: no more of it is touched than there are routes */

	table.header = (struct kvm_irq_routing){ 0 };
	for (uint32_t gsi = 0; gsi < ROUTES_MAX; gsi++) {
		const struct route *route = &interrupts->routes[gsi];

		if (!route->is_live)
			continue;
		table.entries[table.header.nr++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = (uint32_t)route->address,
				   .address_hi = (uint32_t)(route->address >> 32),
				   .data = route->data },
		};
	}
	return kvm_call(interrupts->kvm->vm_fd, KVM_SET_GSI_ROUTING, &table, "routing", NULL);
}

static int irqfd_set(struct interrupts *interrupts, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = gsi, .flags = flags };

	return kvm_call(interrupts->kvm->vm_fd, KVM_IRQFD, &irqfd, "irqfd", NULL);
}

static int find_free_gsi(const struct interrupts *interrupts, uint32_t *out)
{
	for (uint32_t gsi = IOAPIC_PINS; gsi < ROUTES_MAX; gsi++)
		if (!interrupts->routes[gsi].is_live) {
			*out = gsi;
			return 0;
		}
	return -ENOSPC;
}

static int msi_attach(void *context, int fd, uint64_t address, uint32_t data, uint32_t *gsi)
{
	struct interrupts *interrupts = context;
	uint32_t free_gsi;
	int err;

	err = find_free_gsi(interrupts, &free_gsi);
	if (err)
		return err;
	interrupts->routes[free_gsi] =
		(struct route){ .is_live = true, .address = address, .data = data };
	err = routes_commit(interrupts);
	if (!err)
		err = irqfd_set(interrupts, fd, free_gsi, 0);
	if (err) {
		interrupts->routes[free_gsi].is_live = false;
		return err;
	}
	*gsi = free_gsi;
	return 0;
}

/* The route stays in the kernel's table until the next change: nothing triggers it any more. */
static void msi_detach(void *context, int fd, uint32_t gsi)
{
	struct interrupts *interrupts = context;

	(void)irqfd_set(interrupts, fd, gsi, KVM_IRQFD_FLAG_DEASSIGN);
	interrupts->routes[gsi].is_live = false;
}

/* --- the I/O APIC's way out --- */

static void ioapic_deliver(void *context, uint64_t address, uint32_t data)
{
	static struct log_limit limit;
	struct interrupts *interrupts = context;
	struct kvm_msi msi = {
		.address_lo = (uint32_t)address,
		.address_hi = (uint32_t)(address >> 32),
		.data = data,
	};
	int result = kvm_call(interrupts->kvm->vm_fd, KVM_SIGNAL_MSI, &msi, "MSI", NULL);

	/* 0 means that no APIC was there to take it: the guest's business. */
	if (result < 0)
		log_limited(&limit, "an interrupt message was refused: address %#llx, data %#x",
			    (unsigned long long)address, data);
}

static void ioapic_route_changed(void *context, uint32_t pin, bool is_live, uint64_t address,
				 uint32_t data)
{
	struct interrupts *interrupts = context;

	interrupts->routes[pin] =
		(struct route){ .is_live = is_live, .address = address, .data = data };
	if (routes_commit(interrupts) < 0)
		log_warn("the kernel refuses the route of interrupt pin %u", pin);
}

/* --- the PIC's way out --- */

static void pic_output(void *context, bool level)
{
	struct interrupts *interrupts = context;

	__atomic_store_n(&interrupts->has_extint, level, __ATOMIC_RELEASE);
	if (level)
		interrupts->extint_raised(interrupts->context);
}

/* --- the devices' way in --- */

static void line_set(void *chip, uint32_t gsi, bool level)
{
	struct interrupts *interrupts = chip;

	pic_set_irq(&interrupts->pic, gsi, level);
	ioapic_set_irq(&interrupts->ioapic, gsi == PIT_GSI ? PIT_PIN : gsi, level);
}

struct irq_line interrupts_line(struct interrupts *interrupts, uint32_t gsi)
{
	return (struct irq_line){ .set = line_set, .chip = interrupts, .gsi = gsi };
}

/* --- notifications of virtqueues --- */

static int ioeventfd_set(struct interrupts *interrupts, uint16_t port, int fd, uint32_t flags)
{
	struct kvm_ioeventfd ioeventfd = {
		.addr = port,
		.len = 2,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_PIO | flags,
	};

	return kvm_call(interrupts->kvm->vm_fd, KVM_IOEVENTFD, &ioeventfd, "ioeventfd", NULL);
}

static int kick_attach(void *context, uint16_t port, int fd)
{
	return ioeventfd_set(context, port, fd, 0);
}

static void kick_detach(void *context, uint16_t port, int fd)
{
	(void)ioeventfd_set(context, port, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

void interrupts_init(struct interrupts *interrupts, const struct kvm *kvm,
		     void (*extint_raised)(void *context), void *context)
{
	const struct ioapic_sink sink = {
		.deliver = ioapic_deliver,
		.route_changed = ioapic_route_changed,
		.context = interrupts,
	};

	*interrupts = (struct interrupts){
		.kvm = kvm,
		.extint_raised = extint_raised,
		.context = context,
		.msis = { .attach = msi_attach, .detach = msi_detach, .context = interrupts },
		.kicks = { .attach = kick_attach, .detach = kick_detach, .context = interrupts },
	};
	ioapic_init(&interrupts->ioapic, &sink);
	pic_init(&interrupts->pic, pic_output, interrupts);
}

void interrupts_reset(struct interrupts *interrupts)
{
	ioapic_reset(&interrupts->ioapic);
	pic_reset(&interrupts->pic);
}
