# An emulated server with two Debian guests on it (examples/two-debians/):
#
#   make run-metal    on the Bulkhead kernel; `make run` for short
#   make run-hosted   on Linux with KVM, with the same bhd, bhvm and documents
#
# The guests' disks are copies, made once: what a guest writes is there at the next `make run`. They are made
# anew when the guests' images are, and by `make run-fresh`.

run := $(BUILD)/run
run_guests := bookworm trixie
run_disks := $(patsubst %,$(run)/%.img,$(run_guests))
run_boot_files := $(foreach guest,$(run_guests),$(run)/overlay/guests/$(guest)/vmlinuz)
run_documents := $(patsubst examples/two-debians/%,$(run)/overlay/etc/bulkhead/vms/%, \
	$(wildcard examples/two-debians/*.json))

.PHONY: run run-hosted run-metal run-fresh
run: run-metal

run_files := $(run_disks) $(run_boot_files) $(run_documents) $(BUILD)/emulator/bin/qemu-system-x86_64

run-hosted: all host-image $(run_files)
	$(Q)$(PYTHON) tools/tour --hosted

run-metal: kernel boot-image $(run_files)
	$(Q)$(PYTHON) tools/tour

run-fresh:
	$(Q)rm -f $(run_disks) && $(MAKE) --no-print-directory run

$(run)/%.img: $(guests)/%/root.img
	$(call say,DISK,$@)mkdir -p $(@D) && cp --sparse=always $< $@

$(run)/overlay/guests/%/vmlinuz: $(guests)/%/root.img
	$(call say,COPY,$(@D))mkdir -p $(@D) && cp $(<D)/initrd $(@D)/ && cp $(<D)/vmlinuz $@

$(run)/overlay/etc/bulkhead/vms/%: examples/two-debians/%
	$(Q)mkdir -p $(@D) && cp $< $@
