# Figures on Bulkhead, and beside QEMU's on Linux's KVM, in the emulated server, counted in instructions.
#
#   make bench                      all of them; build/bench/results.json keeps them
#   make bench MONITORS=bare        only this monitor's (or host's: bulkhead, linux), beside the others' of last time
#   make bench-doc                  docs/performance.md from what was measured last
#
# tests/perf/ has what is run: payload/ and guest/ in the VM, server/ beside the monitor.

bench := $(BUILD)/bench

.PHONY: bench bench-doc
bench: bench-parts
	$(Q)$(PYTHON) tests/perf/bench.py $(if $(MONITORS),--only $(MONITORS))

bench-doc:
	$(Q)$(PYTHON) tests/perf/bench.py --render docs/performance.md

.PHONY: bench-parts
bench-parts: host-image $(emulator) $(bench)/qemu.cpio \
	$(bench)/payload.elf $(bench)/guest.cpio $(bench)/launch $(bench)/steps $(bench)/tcp-peer $(bench)/first-process \
	$(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio

# The bare payload: no library, no SSE (its interrupt handler saves no such registers).
bench_payload_flags := -std=gnu11 -I. -g -O2 $(WARNINGS) -MMD -MP -ffreestanding \
	-fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none
bench_payload_sources := $(wildcard tests/perf/payload/*.c tests/perf/payload/*.S)
bench_payload_objects := $(patsubst %,$(bench)/%.o,$(bench_payload_sources))

$(bench)/%.c.o: %.c | $(packages)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(bench_payload_flags) -c $< -o $@

$(bench)/%.S.o: %.S | $(packages)
	$(call say,AS,$<)mkdir -p $(@D) && $(CC) $(bench_payload_flags) -c $< -o $@

$(bench)/payload.elf: $(bench_payload_objects) tests/perf/payload/payload.ld
	$(call say,LD,$@)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
		-Wl,--no-warn-rwx-segments -T tests/perf/payload/payload.ld $(bench_payload_objects) -o $@

# Programs of the guest and the server.
$(bench)/guest-init: $(call ring3_objects,$(wildcard tests/perf/guest/*.c) tests/perf/peer.c)
	$(call say,LD,$@)$(CC) -static $^ -o $@

$(bench)/launch $(bench)/steps $(bench)/tcp-peer $(bench)/first-process: $(bench)/%: $(BUILD)/ring3/tests/perf/server/%.o
	$(call say,LD,$@)$(CC) -static $^ -o $@

$(bench)/tcp-peer: $(BUILD)/ring3/tests/perf/peer.o

# The guest's initramfs: that one program, and the modules that it loads.
$(bench)/guest.cpio: $(bench)/guest-init tests/perf/guest/modules images/copy-modules \
		tools/make-cpio tools/newc.py $(kernel).stamp
	$(call say,IMAGE,$@)rm -rf $(bench)/guest && mkdir -p $(bench)/guest/dev && \
	images/copy-modules $(kernel) tests/perf/guest/modules $(bench)/guest && \
	strip $(bench)/guest-init -o $(bench)/guest/init && \
	tools/make-cpio $@ $(bench)/guest

$(bench)/qemu.cpio: tests/perf/lay-out-qemu tools/make-cpio tools/newc.py | $(packages)
	$(call say,IMAGE,$@)mkdir -p $(@D) && tests/perf/lay-out-qemu $(bench)/qemu && \
	tools/make-cpio $@ $(bench)/qemu
