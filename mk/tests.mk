# Tests: unit, fuzz, system. Every file is found by its place and its name; there are no lists to keep.
#   tests/unit/**/NAME_test.c   one cmocka program each
#   tests/fuzz/NAME_fuzz.c      one libFuzzer target each, its seeds in tests/fuzz/corpus/NAME/
#   tests/support/              what they share

tests_link := $(vmm_testable) $(wildcard tests/support/*.c)

# ---- unit ----
unit_tests    := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
unit_programs := $(patsubst %.c,$(BUILD)/unit/%,$(unit_tests))

$(BUILD)/unit/vmm.a: $(call unit_objects,$(tests_link))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(unit_programs): $(BUILD)/unit/%: $(BUILD)/unit/%.o $(BUILD)/unit/vmm.a
	$(call say,LD,$@)$(CC) $(sanitize) $^ -lcmocka -ljansson -lpthread -o $@

.PHONY: unit
unit: $(unit_programs)
	$(Q)$(PYTHON) tools/run-unit-tests $(unit_programs)

# ---- fuzz ----
# `make fuzz TARGET=uart SECONDS=600` looks for new inputs, in $(BUILD)/fuzz/corpus/uart.
fuzz_names    := $(patsubst tests/fuzz/%_fuzz.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
fuzz_programs := $(patsubst %,$(BUILD)/fuzz/tests/fuzz/%_fuzz,$(fuzz_names))
fuzz_bounds   := -runs=20000 -max_total_time=10 -timeout=5 -rss_limit_mb=1024

$(BUILD)/fuzz/vmm.a: $(call fuzz_objects,$(tests_link))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(fuzz_programs): $(BUILD)/fuzz/%: $(BUILD)/fuzz/%.o $(BUILD)/fuzz/vmm.a
	$(call say,LD,$@)$(CLANG) -fsanitize=fuzzer,address,undefined $^ -ljansson -lpthread -o $@

.PHONY: fuzz-smoke fuzz
fuzz-smoke: $(fuzz_programs)
	$(Q)tools/run-fuzz-smoke $(BUILD)/fuzz "$(fuzz_bounds)" $(fuzz_names)

fuzz: $(BUILD)/fuzz/tests/fuzz/$(TARGET)_fuzz
	$(Q)mkdir -p $(BUILD)/fuzz/corpus/$(TARGET)
	$(Q)$< -max_total_time=$(or $(SECONDS),60) -timeout=5 -artifact_prefix=$(BUILD)/fuzz/ \
		$(BUILD)/fuzz/corpus/$(TARGET) $(wildcard tests/fuzz/corpus/$(TARGET))

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

.PHONY: payloads
payloads: $(payloads)

# ---- system ----
# tests/system/test_*.py start an emulated server with build/system/overlay laid over its image.
system_overlay := $(BUILD)/system/overlay
system_helpers := $(patsubst tests/system/server/%.c,$(BUILD)/system/%,$(wildcard tests/system/server/*.c))
system_images  := $(host)/initrd.cpio $(host)/strace.cpio $(host)/vmlinux $(guests)/tiny/initrd

$(system_helpers): $(BUILD)/system/%: $(BUILD)/ring3/tests/system/server/%.o
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(ring3_link) $^ -o $@

$(system_overlay).stamp: $(system_helpers) $(payloads) tests/system/server/start $(guests)/tiny/initrd
	$(call say,OVERLAY,$(system_overlay))rm -rf $(system_overlay) && \
	mkdir -p $(system_overlay)/tests/tiny && \
	cp $(system_helpers) $(payloads) tests/system/server/start $(system_overlay)/tests/ && \
	cp $(guests)/tiny/{initrd,vmlinux,vmlinuz} $(system_overlay)/tests/tiny/ && touch $@

# `make system TESTS="-k console"` passes further options to pytest; `make system-long` runs the slow ones only.
pytest := $(PYTHON) -B -m pytest -p no:cacheprovider -v --tb=short --no-summary

.PHONY: system system-long
system: $(system_overlay).stamp $(system_images)
	$(Q)$(pytest) -m "not long" $(TESTS) tests/system

system-long: $(system_overlay).stamp $(system_images)
	$(Q)$(pytest) -m long $(TESTS) tests/system

# ---- all ----
.PHONY: check check-long
check: $(programs) $(unit_programs) $(fuzz_programs) $(system_overlay).stamp $(system_images)
	$(Q)tools/run-checks 'lint=$(MAKE) lint-quick' 'unit=$(MAKE) unit' 'fuzz=$(MAKE) fuzz-smoke' \
		'system=$(MAKE) system'

check-long: $(programs) $(unit_programs) $(fuzz_programs) $(system_overlay).stamp $(system_images)
	$(Q)tools/run-checks 'lint=$(MAKE) lint' 'unit=$(MAKE) unit' 'fuzz=$(MAKE) fuzz-smoke' \
		'system=$(MAKE) system' 'system-long=$(MAKE) system-long'
