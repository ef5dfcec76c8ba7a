/*
 * What `bhvm --version` and the control socket's "version" say.
 */
#pragma once

#define BHVM_VERSION "0.1.0"
