# `make run`: an emulated server with two Debian guests on it (examples/two-debians/); it boots Bulkhead.
# `make run-hosted`: the same on Linux with KVM.
#
# The guests' disks are copies, made once: what a guest writes is there at the next `make run`. They are made
# anew when the guests' images are, and by `make run-fresh`.

run := $(BUILD)/run
run_guests := bookworm trixie
run_disks := $(patsubst %,$(run)/%.img,$(run_guests))
run_boot_files := $(foreach guest,$(run_guests),$(run)/overlay/guests/$(guest)/vmlinuz)
run_documents := $(patsubst examples/two-debians/%,$(run)/overlay/etc/bulkhead/vms/%, \
	$(wildcard examples/two-debians/*.json))

run_files := $(run_disks) $(run_boot_files) $(run_documents)

.PHONY: run run-hosted run-fresh
run: all kernel boot-image $(emulator) $(run_files)
	$(Q)$(PYTHON) tools/tour

run-hosted: all host-image $(run_files)
	$(Q)$(PYTHON) tools/tour --os linux

run-fresh:
	$(Q)rm -f $(run_disks) && $(MAKE) --no-print-directory run

$(run)/%.img: $(guests)/%/root.img
	$(call say,DISK,$@)mkdir -p $(@D) && cp --sparse=always $< $@

$(run)/overlay/guests/%/vmlinuz: $(guests)/%/root.img
	$(call say,COPY,$(@D))mkdir -p $(@D) && cp $(<D)/initrd $(@D)/ && cp $(<D)/vmlinuz $@

$(run)/overlay/etc/bulkhead/vms/%: examples/two-debians/%
	$(Q)mkdir -p $(@D) && cp $< $@
