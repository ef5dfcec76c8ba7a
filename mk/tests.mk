# Tests: unit, fuzz, system. Every file is found by its place and its name; there are no lists to keep.
#   tests/unit/**/NAME_test.c   one cmocka program each
#   tests/fuzz/NAME_fuzz.c      one libFuzzer target each, its seeds in tests/fuzz/corpus/NAME/
#   tests/support/              what they share
# Those of tests/unit/host/, and tests/fuzz/host_NAME_fuzz.c, are linked with host/ instead of vmm/.

tests_link := $(vmm_testable) $(wildcard tests/support/*.c)

# ---- unit ----
unit_tests    := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
unit_programs := $(patsubst %.c,$(BUILD)/unit/%,$(unit_tests))

$(BUILD)/unit/vmm.a: $(call unit_objects,$(tests_link))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/host.a: $(call unit_objects,$(host_testable))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/kernel.a: $(call unit_objects,$(kernel_testable) $(lib_sources))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

# A test links what it tests: the daemon, the kernel's pure parts, or the monitor.
unit_programs_of_host   := $(filter $(BUILD)/unit/tests/unit/host/%,$(unit_programs))
unit_programs_of_kernel := $(filter $(BUILD)/unit/tests/unit/kernel/%,$(unit_programs))
$(unit_programs_of_host): $(BUILD)/unit/host.a
$(unit_programs_of_kernel): $(BUILD)/unit/kernel.a
$(filter-out $(unit_programs_of_host) $(unit_programs_of_kernel),$(unit_programs)): $(BUILD)/unit/vmm.a

$(unit_programs): $(BUILD)/unit/%: $(BUILD)/unit/%.o
	$(call say,LD,$@)$(CC) $(sanitize) $^ -lcmocka -ljansson -lpthread -o $@

.PHONY: unit
unit: $(unit_programs)
	$(Q)$(PYTHON) tools/run-unit-tests $(unit_programs)

# The same tests under other instruments, in build folders of their own: races between threads (TSan knows
# nothing of fences, but ours order things between driver and device only); lines that were never run.
# (Instrumented, the code looks to the compiler as if what memory_at() returns were used unchecked.)
.PHONY: unit-tsan coverage
unit-tsan:
	$(Q)$(MAKE) BUILD=$(BUILD)/tsan sanitize='-fsanitize=thread -Wno-tsan -Wno-null-dereference -fno-omit-frame-pointer' unit

coverage:
	$(Q)find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) BUILD=$(BUILD)/coverage sanitize=--coverage unit
	$(Q)$(PYTHON) tools/line-coverage $(BUILD)/coverage/unit

# ---- fuzz ----
# `make fuzz TARGET=uart SECONDS=600` looks for new inputs, in $(BUILD)/fuzz/corpus/uart.
fuzz_names    := $(patsubst tests/fuzz/%_fuzz.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
fuzz_programs := $(patsubst %,$(BUILD)/fuzz/tests/fuzz/%_fuzz,$(fuzz_names))
fuzz_bounds   := -runs=20000 -max_total_time=10 -timeout=5 -rss_limit_mb=1024

$(BUILD)/fuzz/vmm.a: $(call fuzz_objects,$(tests_link))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/host.a: $(call fuzz_objects,$(host_testable))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/kernel.a: $(call fuzz_objects,$(kernel_testable) $(lib_sources))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

fuzz_programs_of_host   := $(filter $(BUILD)/fuzz/tests/fuzz/host_%,$(fuzz_programs))
fuzz_targets_of_kernel  := kvm_% insn_% lapic_% acpi_% gpt_% bpf_% net_%
fuzz_programs_of_kernel := $(filter $(addprefix $(BUILD)/fuzz/tests/fuzz/,$(fuzz_targets_of_kernel)),$(fuzz_programs))
$(fuzz_programs_of_host): $(BUILD)/fuzz/host.a
$(fuzz_programs_of_kernel): $(BUILD)/fuzz/kernel.a
$(filter-out $(fuzz_programs_of_host) $(fuzz_programs_of_kernel),$(fuzz_programs)): $(BUILD)/fuzz/vmm.a

# The decoder is compared with a disassembler.
$(BUILD)/fuzz/tests/fuzz/insn_decode_fuzz: fuzz_libraries := -lZydis

$(fuzz_programs): $(BUILD)/fuzz/%: $(BUILD)/fuzz/%.o
	$(call say,LD,$@)$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(fuzz_libraries) -ljansson -lpthread -o $@

.PHONY: fuzz-smoke fuzz
fuzz-smoke: $(fuzz_programs)
	$(Q)tools/run-fuzz-smoke $(BUILD)/fuzz "$(fuzz_bounds)" $(fuzz_names)

fuzz: $(BUILD)/fuzz/tests/fuzz/$(TARGET)_fuzz
	$(Q)mkdir -p $(BUILD)/fuzz/corpus/$(TARGET)
	$(Q)$< -max_total_time=$(or $(SECONDS),60) -timeout=5 -artifact_prefix=$(BUILD)/fuzz/ \
		$(BUILD)/fuzz/corpus/$(TARGET) $(wildcard tests/fuzz/corpus/$(TARGET))

# ---- abi ----
# The same program on this Linux and on the Bulkhead kernel in the emulator. `make abi GROUPS="files threads"` shows only these.
# `make abi-kvm` is the same for KVM and block devices: both in the emulator, since few machines' own KVM can be relied on, and
# nobody's disks.
object_counts   := $(call ring3_objects,tests/support/object_counts.c)
abi_objects     := $(call ring3_objects,$(wildcard tests/abi/*.c))
abi_kvm_objects := $(call ring3_objects,$(wildcard tests/abi/kvm/*.c tests/abi/block/*.c))
# They ask for what no sane program does, and tell what came of it.
abi_flags := -U_FORTIFY_SOURCE -Wno-unused-result -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
$(abi_objects) $(abi_kvm_objects): ring3_flags += $(abi_flags)

$(BUILD)/abi: $(abi_objects) $(object_counts)
	$(call say,LD,$@)$(CC) $(ring3_link) $^ -lpthread -o $@

$(BUILD)/abi-kvm: $(abi_kvm_objects) $(call ring3_objects,tests/abi/main.c) $(object_counts)
	$(call say,LD,$@)$(CC) $(ring3_link) $^ -lpthread -o $@

.PHONY: abi abi-kvm
abi: $(BUILD)/abi $(BUILD)/bulkhead.elf $(emulator)
	$(Q)tools/run-abi-tests $(BUILD)/abi $(BUILD)/bulkhead.elf $(BUILD)/abi.run $(GROUPS)

abi-kvm: $(BUILD)/abi-kvm $(BUILD)/bulkhead.elf $(emulator) $(host)/initrd.cpio $(host)/vmlinux
	$(Q)tools/run-abi-tests --emulated $(BUILD)/abi-kvm $(BUILD)/bulkhead.elf $(BUILD)/abi-kvm.run $(GROUPS)

# ---- payloads ----
# tests/guest/NAME.c is a program that runs alone on a virtual machine; start.S and payload.c are in all.
payload_common := start payload
payload_names  := $(filter-out $(payload_common),$(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c)))
payloads       := $(payload_names:%=$(BUILD)/guest/%.elf)
payload_flags  := -std=gnu11 -I. -g $(WARNINGS) -MMD -MP -O2 -m64 -ffreestanding -fno-pie -mno-red-zone \
		  -mgeneral-regs-only -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none
payload_link   := -nostdlib -static -no-pie -Wl,-e,start32 -Wl,-Ttext-segment=0x200000 -Wl,-z,noseparate-code \
		  -Wl,-z,max-page-size=4096 -Wl,--build-id=none -Wl,--no-warn-rwx-segments

$(BUILD)/guest/%.o: tests/guest/%.c | $(packages)
	$(call say,CC guest,$<)mkdir -p $(@D) && $(CC) $(payload_flags) -c $< -o $@

$(BUILD)/guest/%.o: tests/guest/%.S | $(packages)
	$(call say,AS guest,$<)mkdir -p $(@D) && $(CC) $(payload_flags) -c $< -o $@

$(payloads): %.elf: %.o $(payload_common:%=$(BUILD)/guest/%.o)
	$(call say,LD,$@)$(CC) $(payload_link) $^ -o $@

# tests/guest/cases/TOPIC.c (and TOPIC_code.S, if there is one) is a payload of the suite, on top of tests/guest/suite/.
suite_topics  := $(sort $(patsubst tests/guest/cases/%.c,%,$(wildcard tests/guest/cases/*.c)))
suite_elves   := $(suite_topics:%=$(BUILD)/guest/cases/%.elf)
suite_sources := $(wildcard tests/guest/suite/*.c tests/guest/suite/*.S)
suite_common  := $(patsubst tests/guest/%,$(BUILD)/guest/%.o,$(basename $(suite_sources))) \
		 $(payload_common:%=$(BUILD)/guest/%.o)
suite_code     = $(patsubst tests/guest/%.S,$(BUILD)/guest/%.o,$(wildcard tests/guest/cases/$(1)_code.S))

.SECONDEXPANSION:
$(suite_elves): $(BUILD)/guest/cases/%.elf: $(BUILD)/guest/cases/%.o $$(call suite_code,$$*) $(suite_common)
	$(call say,LD,$@)$(CC) $(payload_link) $^ -o $@

.PHONY: payloads
payloads: $(payloads) $(suite_elves)

# ---- guest ----
# The suite's payloads under bhvm, on Linux/KVM and on the Bulkhead kernel. `make guest TOPICS="apic mmio" ON=linux` for a part.
$(BUILD)/guest/run-suite: $(call ring3_objects,tests/guest/host/run_suite.c)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(ring3_link) $^ -o $@

guest_inputs := $(suite_elves) $(BUILD)/guest/run-suite $(BUILD)/bhvm $(BUILD)/bulkhead.elf \
		$(host)/initrd.cpio $(host)/vmlinux $(BUILD)/emulator/bin/qemu-system-x86_64

.PHONY: guest
guest: $(guest_inputs)
	$(Q)tools/run-guest-tests $(BUILD) $(if $(ON),--on $(ON)) $(TOPICS)

# ---- system ----
# tests/system/test_*.py start an emulated server with build/system/overlay laid over its image.
system_overlay := $(BUILD)/system/overlay
system_helpers := $(patsubst tests/system/server/%.c,$(BUILD)/system/%,$(wildcard tests/system/server/*.c))
system_images  := $(emulator) $(host)/initrd.cpio $(host)/strace.cpio $(host)/vmlinux $(guests)/tiny/initrd \
		  $(guests)/bookworm/root.img $(guests)/trixie/root.img

$(system_helpers): $(BUILD)/system/%: $(BUILD)/ring3/tests/system/server/%.o
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(ring3_link) $^ -o $@

$(system_overlay).stamp: $(system_helpers) $(payloads) tests/system/server/start $(guests)/tiny/initrd
	$(call say,OVERLAY,$(system_overlay))rm -rf $(system_overlay) && \
	mkdir -p $(system_overlay)/tests/tiny && \
	cp $(system_helpers) $(payloads) tests/system/server/start $(system_overlay)/tests/ && \
	cp $(guests)/tiny/{initrd,vmlinux,vmlinuz} $(system_overlay)/tests/tiny/ && touch $@

# tests/system/kernel_NAME/ is the first program on a server whose operating system is the kernel.
kernel_probes := $(patsubst tests/system/kernel_%/probe.c,$(BUILD)/system/kernel_%_probe,$(wildcard tests/system/kernel_*/probe.c))

.SECONDEXPANSION:
$(kernel_probes): $(BUILD)/system/kernel_%_probe: $$(call ring3_objects,$$(wildcard tests/system/kernel_$$*/*.c)) $(object_counts)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(ring3_link) $^ -o $@

# `make system TESTS="-k console"` passes further options to pytest; `make system-long` runs the slow ones only.
pytest := $(PYTHON) -B -m pytest -p no:cacheprovider -v --tb=short --no-summary

# Those that start servers of their own; the others share one.
system_tests := $(wildcard tests/system/test_*.py)
system_own   := $(shell grep -lE '^from (emulator|kernel_support|kernel_host) import' $(system_tests))

system_kernel := $(kernel_probes) $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio $(BUILD)/bulkhead.iso

.PHONY: system system-shared system-own system-long
system: $(system_overlay).stamp $(system_images) $(system_kernel)
	$(Q)$(pytest) -m "not long" $(TESTS) tests/system

system-shared: $(system_overlay).stamp $(system_images) $(system_kernel)
	$(Q)$(pytest) -m "not long" $(TESTS) $(filter-out $(system_own),$(system_tests))

system-own: $(system_overlay).stamp $(system_images) $(system_kernel)
	$(Q)$(pytest) -m "not long" $(TESTS) $(system_own)

system-long: $(system_overlay).stamp $(system_images) $(system_kernel)
	$(Q)$(pytest) -m long $(TESTS) tests/system

# ---- all ----
# Built first, since two parts run side by side: an emulated server has one processor of the two that a machine has at least.
checked := $(programs) $(unit_programs) $(fuzz_programs) $(system_overlay).stamp $(system_images) $(system_kernel) \
	   $(BUILD)/abi $(BUILD)/abi-kvm $(guest_inputs)
checks = 'unit=$(MAKE) unit' 'fuzz=$(MAKE) fuzz-smoke' 'size=$(MAKE) kernel-size' 'abi=$(MAKE) abi' 'abi-kvm=$(MAKE) abi-kvm' \
	 'guest=$(MAKE) guest' 'servers=$(MAKE) system-own'

.PHONY: check check-long
check: $(checked)
	$(Q)tools/run-checks 'lint=$(MAKE) lint-quick' $(checks) -- 'system=$(MAKE) system-shared'

check-long: $(checked)
	$(Q)tools/run-checks 'lint=$(MAKE) lint' $(checks) -- 'system=$(MAKE) system-shared' 'long=$(MAKE) system-long'
