# Bulkhead: one non-recursive makefile. `make help` lists what can be asked of it.
#
#   mk/flavours.mk   how a C file becomes an object: ring 3, unit (sanitizers), fuzz
#   mk/programs.mk   which sources make which program
#   mk/kernel.mk     the bare-metal kernel
#   mk/images.mk     the emulated server's Linux image and the guests' root disks
#   mk/iso.mk        the ISO for bare machines
#   mk/run.mk        an emulated server with two guests, to look at
#   mk/tests.mk      unit, fuzz, system
#   mk/bench.mk      figures beside peers
#   mk/lint.mk       clang-format, clang-tidy, cppcheck, dependency direction

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

SHELL := /bin/bash -o pipefail
BUILD := build

# Where downloaded and slowly built things (guest disks) are kept between builds and clones.
CACHE := $(or $(BULKHEAD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bulkhead)

# `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

PYTHON := /usr/bin/python3

# What a target needs from Debian is asked for once per change of the list. Before the rest, which names it.
packages := $(BUILD)/packages.stamp
$(packages): tools/packages.txt tools/ensure-packages
	@tools/ensure-packages $@

include mk/flavours.mk
include mk/programs.mk
include mk/kernel.mk
include mk/images.mk
include mk/iso.mk
include mk/run.mk
include mk/tests.mk
include mk/bench.mk
include mk/lint.mk

.PHONY: all help ide clean
all: $(programs)

help:
	@echo 'make          build the programs into $(BUILD)/'
	@echo 'make run      start an emulated server on Bulkhead, and two Debian guests on it'
	@echo 'make run-hosted  ... on Linux with KVM'
	@echo 'make run-fresh ... with new disks'
	@echo 'make iso      $(BUILD)/bulkhead.iso: boots on bare machines, BIOS and UEFI'
	@echo 'make check    every test that fits into 15 minutes'
	@echo 'make check-long   ... and those that do not'
	@echo 'make guest    payloads on Linux/KVM and on the kernel, compared'
	@echo 'make bench    figures beside QEMU on the same KVM'
	@echo 'make lint     formatting, static analysis, dependency direction'
	@echo 'make ide      compile_commands.json'
	@echo 'make clean    remove $(BUILD)/ (the cache $(CACHE) stays)'

clean:
	rm -rf $(BUILD)
