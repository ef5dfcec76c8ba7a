/*
 * The control protocol's hands: what each command of api.h does to a VM.
 */
#pragma once

#include "vmm/api_server.h"
#include "vmm/vm.h"

/* The `vm` that these functions get is a struct vm. */
extern const struct api_ops control_ops;

/* Tells subscribers of every change of state from now on. @server is borrowed; NULL: nobody any more. */
void control_watch(struct vm *vm, struct api_server *server);
