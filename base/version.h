/*
 * The one version of all that is Bulkhead: what `--version` and the control socket's "version" say.
 */
#pragma once

#define BULKHEAD_VERSION "0.1.0"
