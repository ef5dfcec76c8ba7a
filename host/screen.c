/*
 * The status screen: see screen.h.
 */
#include <string.h>

#include "base/version.h"
#include "host/screen.h"
#include "host/size_text.h"

/* ---- traffic ---- */

static uint64_t counter(const json_t *device, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(device, name));

	return value > 0 ? (uint64_t)value : 0;
}

struct traffic traffic_from_stats(const json_t *stats)
{
	json_t *devices = json_object_get(stats, "devices");
	struct traffic traffic = { 0 };
	const char *id;
	json_t *device;

	/* A device has the counters of its kind alone: the others are 0. */
	json_object_foreach(devices, id, device) {
		traffic.disk_read_bytes += counter(device, "read_bytes");
		traffic.disk_written_bytes += counter(device, "written_bytes");
		traffic.net_received_bytes += counter(device, "rx_bytes");
		traffic.net_sent_bytes += counter(device, "tx_bytes");
	}
	return traffic;
}

/* ---- the host ---- */

static void print_host(FILE *out, const struct host_usage *usage)
{
	char uptime[SIZE_TEXT_BYTES], memory[SIZE_TEXT_BYTES], available[SIZE_TEXT_BYTES];

	fprintf(out, "Bulkhead %s on %s (%s %s)\n", BULKHEAD_VERSION, usage->names.nodename,
		usage->names.sysname, usage->names.release);
	fprintf(out, "up %s, %u CPUs, load %.2f %.2f %.2f, memory %s of which %s available\n",
		duration_text(usage->uptime_s, uptime), usage->nr_cpus, usage->loads[0],
		usage->loads[1], usage->loads[2], size_text(usage->memory_bytes, memory),
		size_text(usage->available_bytes, available));
}

/* ---- the VMs ---- */

#define VM_NAME_COLUMNS "%-16.16s"

/* "1.2M/312K" */
static void print_pair(FILE *out, uint64_t first, uint64_t second)
{
	char texts[2][SIZE_TEXT_BYTES], pair[2 * SIZE_TEXT_BYTES];

	snprintf(pair, sizeof(pair), "%s/%s", size_text(first, texts[0]),
		 size_text(second, texts[1]));
	fprintf(out, "  %10s", pair);
}

static void print_use(FILE *out, const struct vm *vm)
{
	char cpu_time[SIZE_TEXT_BYTES], resident[SIZE_TEXT_BYTES];
	struct process_usage usage;

	process_usage_read(vm->process.pid, &usage);
	fprintf(out, " %9s %5s/%-5s", duration_text(usage.cpu_ms / 1000, cpu_time),
		size_text(usage.resident_bytes, resident), vm_document_memory(&vm->document));
}

static void print_traffic(FILE *out, const struct vm *vm)
{
	struct traffic traffic = traffic_from_stats(vm->stats);

	print_pair(out, traffic.disk_read_bytes, traffic.disk_written_bytes);
	print_pair(out, traffic.net_received_bytes, traffic.net_sent_bytes);
}

static void print_vm(FILE *out, const struct vm *vm)
{
	char since[SIZE_TEXT_BYTES];

	fprintf(out, VM_NAME_COLUMNS " %-8s %9s", vm->name, vm_state_name(vm->state),
		duration_text((clock_now_ms() - vm->since_ms) / 1000, since));
	if (vm_has_monitor(vm))
		print_use(out, vm);
	if (vm_has_monitor(vm) && vm->stats)
		print_traffic(out, vm);
	if (vm->state == VM_FAILED)
		fprintf(out, "  %s", vm->why);
	fputc('\n', out);
}

void screen_print(FILE *out, const struct vm_list *list, const struct host_usage *usage)
{
	print_host(out, usage);
	fprintf(out, "\n" VM_NAME_COLUMNS " %-8s %9s %9s %5s/%-5s  %10s  %10s\n", "VM", "STATE",
		"FOR", "CPU TIME", "MEM", "OF", "DISK R/W", "NET R/T");
	for (size_t i = 0; i < list->nr_vms; i++)
		print_vm(out, list->vms[i]);
	if (!list->nr_vms)
		fprintf(out, "no VMs: put a document NAME.json into %s, then `reload`\n",
			list->folder);
}
