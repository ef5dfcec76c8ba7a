/*
 * Any document. What must hold: one that is taken is complete, and means the same when it is written out
 * and read again; one that is refused is refused with a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void claim(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_complete(const struct vm_config *config)
{
	claim(config->name && config->boot.kernel && config->boot.cmdline && config->console);
	claim(config->cpus >= 1 && config->cpus <= CONFIG_CPUS_MAX);
	claim(config->memory_bytes && !(config->memory_bytes & 0xfffff));
	claim(config->nr_disks <= CONFIG_DISKS_MAX && config->nr_nets <= CONFIG_NETS_MAX);
	for (uint32_t i = 0; i < config->nr_disks; i++)
		claim(config->disks[i].id && config->disks[i].path);
	for (uint32_t i = 0; i < config->nr_nets; i++)
		claim(config->nets[i].id && config->nets[i].tap && !(config->nets[i].mac[0] & 1));
}

static void check_round_trip(const struct vm_config *config)
{
	json_t *first = config_to_json(config), *second;
	char *text = json_dumps(first, 0);
	struct errmsg why = { 0 };
	struct vm_config again;

	claim(!config_parse(text, strlen(text), "again", &again, &why));
	second = config_to_json(&again);
	claim(json_equal(first, second));
	config_destroy(&again);
	json_decref(first);
	json_decref(second);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct errmsg why = { 0 };
	struct vm_config config;

	if (config_parse((const char *)bytes, n, "fuzz", &config, &why)) {
		claim(why.blame == BLAME_USER && !strncmp(why.text, "fuzz: ", 6));
		return 0;
	}
	check_complete(&config);
	check_round_trip(&config);
	config_destroy(&config);
	return 0;
}
