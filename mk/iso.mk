# What boots on a bare machine.
#
#   make iso   build/bulkhead.iso: the kernel and its boot image for CD, stick or disk, BIOS and UEFI

.PHONY: iso
iso: $(BUILD)/bulkhead.iso

$(BUILD)/bulkhead.iso: $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio tools/make-iso images/iso/grub.cfg | $(packages)
	$(call say,ISO,$@)tools/make-iso $@ $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio
