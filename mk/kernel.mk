# The bare-metal kernel: build/bulkhead.elf, one ELF for PVH and Multiboot2.

# Of a compiler: each has freestanding headers of its own.
kernel_flags_of = -std=gnu11 -ffreestanding -nostdinc -isystem $(shell $(1) -print-file-name=include) \
	-isystem /usr/include -isystem /usr/include/x86_64-linux-gnu -Ikernel/include -I. -I$(BUILD)/gen \
	-g -O2 $(WARNINGS) -MMD -MP -D__KERNEL_BULKHEAD__ \
	-fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none -fno-strict-aliasing \
	-fno-delete-null-pointer-checks -ffunction-sections
kernel_flags := $(call kernel_flags_of,$(CC))

kernel_sources := $(shell find kernel -name '*.c')
kernel_asm     := $(shell find kernel -name '*.S')
kernel_lib     := lib/rbtree.c lib/format.c lib/cpio.c lib/chacha20.c lib/crc32.c
kernel_objects := $(patsubst %.c,$(BUILD)/kernel/%.o,$(kernel_sources) $(kernel_lib)) \
		  $(patsubst %.S,$(BUILD)/kernel/%.o,$(kernel_asm))

$(BUILD)/kernel/%.o: %.c mk/kernel.mk | $(packages)
	$(call say,CC kern,$<)mkdir -p $(@D) && $(CC) $(kernel_flags) -c $< -o $@

$(BUILD)/kernel/%.o: %.S mk/kernel.mk | $(packages)
	$(call say,AS,$<)mkdir -p $(@D) && $(CC) $(kernel_flags) -c $< -o $@

# The letters of the screen are those of GRUB's own font.
$(BUILD)/gen/screen_font.h: /usr/share/grub/ascii.pf2 tools/font-to-c
	$(call say,FONT,$<)mkdir -p $(@D) && tools/font-to-c $< > $@

/usr/share/grub/ascii.pf2: | $(packages) ;

$(BUILD)/kernel/kernel/dev/screen.o: $(BUILD)/gen/screen_font.h

# Linked twice: the symbol table of the first link is data of the second (for backtraces).
$(BUILD)/bulkhead.elf: $(kernel_objects) kernel/kernel.ld tools/symbols-to-c
	$(call say,LD,$@)tools/link-kernel $@ kernel/kernel.ld '$(CC)' '$(kernel_flags)' $(kernel_objects)

.PHONY: kernel
kernel: $(BUILD)/bulkhead.elf

# The trusted part stays small: all that runs in ring 0, headers too.
kernel_counted := $(shell find kernel -name '*.[chS]') $(kernel_lib) $(kernel_lib:.c=.h)

.PHONY: kernel-size
kernel-size:
	$(Q)tools/count-lines 30000 $(kernel_counted)
