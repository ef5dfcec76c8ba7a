/*
 * The status screen: this host and its VMs, in 80 columns.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "host/usage.h"
#include "host/vm_list.h"

/* What a VM's devices moved, from the "stats" of the control socket. */
struct traffic {
	uint64_t disk_read_bytes, disk_written_bytes;
	uint64_t net_received_bytes, net_sent_bytes;
};

/* @stats may be NULL, or anything: what isn't there counts 0. */
struct traffic traffic_from_stats(const json_t *stats);

void screen_print(FILE *out, const struct vm_list *list, const struct host_usage *usage);
