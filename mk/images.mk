# The emulated server's Linux image and the guests' images, from Debian's packages.
#
#   make host-image    build/host/: vmlinux, vmlinuz, initrd.cpio; strace.cpio to lay over it
#   make boot-image    build/bulkhead.cpio: what the kernel unpacks as its root, with bhd as the first program
#   make guest-images  build/guests/: bookworm, trixie (whole Debian systems), tiny (an initramfs)
#
# What is downloaded or slow to make lives in $(CACHE), in folders named by a hash of the scripts that
# made them (images/cached), so a second clone neither downloads nor builds it again.

.PHONY: host-image guest-images boot-image

# The emulator that all this runs on, without a fault that hangs guests.
emulator := $(BUILD)/emulator/bin/qemu-system-x86_64

$(emulator): tools/fix-emulator $(wildcard /usr/bin/qemu-system-x86_64) | $(packages)
	$(call say,FIX,$@)tools/fix-emulator $(BUILD)/emulator

host := $(BUILD)/host
guests := $(BUILD)/guests
fetch_inputs := images/fetch-debs
image_scripts := images/copy-modules images/lay-out-busybox
kernel_inputs := $(fetch_inputs) images/build-kernel tools/extract-vmlinux

# --- downloads ---

$(BUILD)/cached/kernel-bookworm.stamp: $(kernel_inputs) images/cached | $(packages)
	$(call say,FETCH,the cloud kernel of Debian 12)images/cached $(@:.stamp=) $(CACHE) kernel-bookworm \
		$(kernel_inputs) -- images/build-kernel bookworm && touch $@

$(BUILD)/cached/host-debs.stamp: $(fetch_inputs) images/cached | $(packages)
	$(call say,FETCH,busybox and strace)images/cached $(@:.stamp=) $(CACHE) host-debs \
		$(fetch_inputs) -- images/fetch-debs bookworm \
		busybox-static strace libc6 libunwind8 liblzma5 && touch $@

kernel := $(BUILD)/cached/kernel-bookworm
host_debs := $(BUILD)/cached/host-debs

# --- the Linux host image ---

host_programs := $(programs) $(BUILD)/report-exit

host-image: $(emulator) $(host)/initrd.cpio $(host)/strace.cpio $(host)/vmlinux

$(BUILD)/report-exit: $(call ring3_objects,images/host/report-exit.c)
	$(call say,LD,$@)$(CC) $(ring3_link) $^ -o $@

$(host)/vmlinux: $(kernel).stamp
	$(Q)mkdir -p $(@D) && cp $(kernel)/vmlinuz $(kernel)/release $(@D)/ && cp $(kernel)/vmlinux $@

$(host)/initrd.cpio: $(host_programs) $(wildcard images/host/*) $(image_scripts) \
		tools/make-cpio tools/newc.py $(kernel).stamp $(host_debs).stamp
	$(call say,IMAGE,$@)mkdir -p $(@D) && \
	images/host/build $(kernel) $(host_debs) $(host)/tree $(host_programs) && \
	tools/make-cpio $@ $(host)/tree

# Lay it over the image with --overlay to have strace there.
$(host)/strace.cpio: tools/make-cpio tools/newc.py $(host_debs).stamp
	$(call say,IMAGE,$@)mkdir -p $(@D) && rm -rf $(host)/strace && \
	mkdir -p $(host)/strace/lib64 $(host)/strace/lib/x86_64-linux-gnu && \
	cp -L $(host_debs)/root/lib64/ld-linux-x86-64.so.2 $(host)/strace/lib64/ && \
	cp -L $(host_debs)/root/lib/x86_64-linux-gnu/lib{c.so.6,lzma.so.5} \
		$(host_debs)/root/usr/lib/x86_64-linux-gnu/libunwind{,-ptrace,-x86_64}.so.? \
		$(host)/strace/lib/x86_64-linux-gnu/ && \
	mkdir -p $(host)/strace/usr/bin && cp $(host_debs)/root/usr/bin/strace $(host)/strace/usr/bin/ && \
	tools/make-cpio $@ $(host)/strace

# --- the kernel's boot image ---

# VMs' documents, and what they start from, are laid over it (tools/machine --overlay).
boot_tree := $(BUILD)/boot-image

boot-image: $(BUILD)/bulkhead.cpio

$(BUILD)/bulkhead.cpio: $(programs) tools/make-cpio tools/newc.py
	$(call say,IMAGE,$@)rm -rf $(boot_tree) && \
	mkdir -p $(boot_tree)/{bin,sbin,dev,etc/bulkhead/vms,proc,run,tmp} && \
	$(foreach program,$(programs),strip $(program) -o $(boot_tree)/bin/$(notdir $(program)) &&) \
	ln -s ../bin/bhd $(boot_tree)/sbin/init && \
	tools/make-cpio $@ $(boot_tree)

# --- the guests ---

guest-images: $(guests)/bookworm/root.img $(guests)/trixie/root.img $(guests)/tiny/initrd

address_bookworm := 10.0.0.11
address_trixie := 10.0.0.12

debian_inputs := images/guests/build-debian images/guests/masked-units \
	images/guests/masked-generators $(shell find images/guests/debian -type f)

# Without this make takes the stamps for intermediate files and removes them.
.SECONDARY: $(BUILD)/cached/guest-bookworm.stamp $(BUILD)/cached/guest-trixie.stamp

$(BUILD)/cached/guest-%.stamp: $(debian_inputs) images/cached | $(packages)
	$(call say,GUEST,Debian $* (a minute))images/cached $(@:.stamp=) $(CACHE) guest-$* \
		$(debian_inputs) -- images/guests/build-debian $* $(address_$*) && touch $@

# A copy, because guests write to it; sparse, because most of it is empty.
$(guests)/%/root.img: $(BUILD)/cached/guest-%.stamp
	$(call say,IMAGE,$(@D))mkdir -p $(@D) && \
	cp $(@:$(guests)/%/root.img=$(BUILD)/cached/guest-%)/{vmlinuz,initrd,cmdline,packages} $(@D)/ && \
	cp --sparse=always $(@:$(guests)/%/root.img=$(BUILD)/cached/guest-%)/root.img $@

$(guests)/tiny/initrd: $(wildcard images/guests/tiny/*) images/guests/build-tiny $(image_scripts) \
		tools/make-cpio tools/newc.py $(kernel).stamp $(host_debs).stamp
	$(call say,IMAGE,$(@D))mkdir -p $(@D) && \
	images/guests/build-tiny $(kernel) $(host_debs) $(@D)/tree && \
	cp $(kernel)/vmlinuz $(kernel)/vmlinux $(@D)/ && \
	tools/make-cpio $@ $(@D)/tree
