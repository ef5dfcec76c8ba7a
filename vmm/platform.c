/*
 * The fixed part of the machine: see platform.h.
 */
#include <errno.h>
#include <string.h>

#include "vmm/boot/layout.h"
#include "vmm/platform.h"

enum { PIT_GSI = 0 };

/* Where everything is. One row per region. */
static int map_regions(struct platform *platform, const struct platform_host *host)
{
	struct interrupts *interrupts = host->interrupts;
	const struct {
		struct bus *bus;
		struct bus_region region;
	} map[] = {
#define PORTS(at, size, name, ops, device)          \
	{                                           \
		host->io,                           \
		{                                   \
			at, size, name, ops, device \
		}                                   \
	}
#define MMIO(at, size, name, ops, device)           \
	{                                           \
		host->mmio,                         \
		{                                   \
			at, size, name, ops, device \
		}                                   \
	}
		PORTS(PIC_MASTER_PORT, PIC_PORTS, "pic", &pic_master_ops, &interrupts->pic),
		PORTS(PIC_SLAVE_PORT, PIC_PORTS, "pic", &pic_slave_ops, &interrupts->pic),
		PORTS(PIC_ELCR_PORT, PIC_PORTS, "elcr", &pic_elcr_ops, &interrupts->pic),
		PORTS(PIT_PORT, PIT_PORTS, "pit", &pit_ops, &platform->pit),
		PORTS(PIT_SPEAKER_PORT, 1, "speaker", &pit_speaker_ops, &platform->pit),
		PORTS(RTC_PORT, RTC_PORTS, "rtc", &rtc_ops, &platform->rtc),
		PORTS(UART_COM1_PORT, UART_PORTS, "com1", &uart_ops, &platform->com1),
		PORTS(PM_PORT, PM_PORTS, "pm", &pm_ops, &platform->pm),
		PORTS(RESET_I8042_DATA_PORT, 1, "i8042", &reset_i8042_data_ops, &platform->reset),
		PORTS(RESET_I8042_COMMAND_PORT, 1, "i8042", &reset_i8042_command_ops,
		      &platform->reset),
		PORTS(RESET_PORT92_PORT, 1, "port92", &reset_port92_ops, &platform->reset),
		PORTS(PORT_PCI_CONFIG, 8, "pci", &pci_ports_ops, &platform->pci),
		MMIO(PCI_ECAM_AT, PCI_ECAM_BYTES, "ecam", &pci_ecam_ops, &platform->pci),
		MMIO(IOAPIC_BASE, IOAPIC_MMIO_BYTES, "ioapic", &ioapic_ops, &interrupts->ioapic),
#undef PORTS
#undef MMIO
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(map); i++) {
		int err = bus_add(map[i].bus, &map[i].region);

		if (err)
			return err;
	}
	return 0;
}

static uint8_t reset_port_read(void *context)
{
	return reset_control_read(context);
}

static void reset_port_write(void *context, uint8_t value)
{
	reset_control_write(context, value);
}

static int create_pci(struct platform *platform, const struct platform_host *host,
		      struct errmsg *why)
{
	static const struct pci_windows windows = {
		.io_start = PORT_PCI_START,
		.io_end = PORT_PCI_END,
		.mem32_start = PCI_MEM32_START,
		.mem32_end = PCI_MEM32_END,
	};

	pci_bus_init(&platform->pci, host->io, host->mmio, &windows);
	platform->pci.reset_control = (struct pci_reset_control){
		.read = reset_port_read,
		.write = reset_port_write,
		.context = &platform->reset,
	};
	host_bridge_init(&platform->host_bridge);
	return pci_add(&platform->pci, 0, &platform->host_bridge, why);
}

static int create_timers(struct platform *platform, const struct platform_host *host)
{
	const struct irq_line com1_irq = interrupts_line(host->interrupts, UART_COM1_IRQ);
	const struct irq_line rtc_irq = interrupts_line(host->interrupts, RTC_IRQ);
	const struct irq_line pit_irq = interrupts_line(host->interrupts, PIT_GSI);
	const struct irq_line sci = interrupts_line(host->interrupts, PM_SCI_GSI);
	const struct rtc_memory sizes = {
		.below_4g_bytes = memory_low_end(host->memory),
		.above_4g_bytes = host->memory->size_bytes - memory_low_end(host->memory),
	};
	int err;

	err = uart_create(&platform->com1, host->loop, host->clock, host->lock, &com1_irq,
			  &host->console);
	if (err)
		return err;
	err = rtc_create(&platform->rtc, host->loop, host->clock, host->lock, &rtc_irq, &sizes);
	if (err)
		goto err_com1;
	err = pit_create(&platform->pit, host->loop, host->clock, host->lock, &pit_irq);
	if (err)
		goto err_rtc;
	err = pm_create(&platform->pm, host->loop, host->clock, host->lock, &sci, &host->power);
	if (err)
		goto err_pit;
	return 0;

err_pit:
	pit_destroy(&platform->pit);
err_rtc:
	rtc_destroy(&platform->rtc);
err_com1:
	uart_destroy(&platform->com1);
	return err;
}

int platform_create(struct platform *platform, const struct platform_host *host, struct errmsg *why)
{
	int err;

	reset_init(&platform->reset, &host->power);
	err = create_timers(platform, host);
	if (err)
		return errmsg_system(why, err, "the machine's clocks cannot be made: %s",
				     strerror(-err));
	err = map_regions(platform, host);
	if (!err)
		err = create_pci(platform, host, why);
	if (err) {
		platform_destroy(platform);
		return errmsg_system(why, err, "the machine's devices cannot be put together: %s",
				     strerror(-err));
	}
	return 0;
}

void platform_destroy(struct platform *platform)
{
	pm_destroy(&platform->pm);
	pit_destroy(&platform->pit);
	rtc_destroy(&platform->rtc);
	uart_destroy(&platform->com1);
}

void platform_reset(struct platform *platform)
{
	uart_reset(&platform->com1);
	rtc_reset(&platform->rtc);
	pit_reset(&platform->pit);
	pm_reset(&platform->pm);
	reset_reset(&platform->reset);
	pci_function_reset(&platform->host_bridge);
	platform->pci.address = 0;
}

void platform_resume(struct platform *platform)
{
	uart_resume(&platform->com1);
	rtc_resume(&platform->rtc);
	pit_resume(&platform->pit);
	pm_resume(&platform->pm);
}
