# What boots on a bare machine: the kernel, and the boot image that is its root file system.
#
#   make boot-image   build/bulkhead.cpio: the daemon as the first program, and the monitor
#   make iso          build/bulkhead.iso: kernel and boot image for CD, stick or disk, BIOS and UEFI

.PHONY: boot-image iso
boot-image: $(BUILD)/bulkhead.cpio
iso: $(BUILD)/bulkhead.iso

$(BUILD)/bulkhead.cpio: $(programs) images/bulkhead/build tools/make-cpio tools/newc.py
	$(call say,IMAGE,$@)images/bulkhead/build $(BUILD)/boot-image $(programs) && \
	tools/make-cpio $@ $(BUILD)/boot-image

$(BUILD)/bulkhead.iso: $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio tools/make-iso images/iso/grub.cfg | $(packages)
	$(call say,ISO,$@)tools/make-iso $@ $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.cpio
