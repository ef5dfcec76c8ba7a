# How a C file becomes an object. One source may be built in several flavours, side by side:
#   build/ring3/  the shipped programs: static glibc, position independent
#   build/unit/   native tests: address and undefined-behaviour sanitizers
#   build/fuzz/   the same with libFuzzer's coverage (clang)

CC       := gcc
CLANG    := clang-14
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	    -Wvla -Wimplicit-fallthrough -Wnull-dereference -Wno-missing-field-initializers

base_flags := -std=gnu11 -D_GNU_SOURCE -I. -I$(BUILD)/gen -g $(WARNINGS) -MMD -MP

# What isn't mapped costs no memory: what is never called is left out; functions for other processors, which
# glibc has in sections of their own, lie together, so that the kernel doesn't map them along with their
# neighbours, and so does what a running VM never calls (cold.ld); no tables for exceptions, no padding.
ring3_flags := $(base_flags) -O2 -fPIE -fstack-protector-strong -fno-plt -D_FORTIFY_SOURCE=2 \
	       -fno-asynchronous-unwind-tables -falign-functions=1 -falign-jumps=1 -falign-loops=1
ring3_link  := -static-pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id \
	       -Wl,-z,pack-relative-relocs -Wl,--gc-sections -Wl,--sort-section=name -Wl,-T,mk/cold.ld

sanitize    := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
unit_flags  := $(base_flags) -O1 $(sanitize)
# KVM's headers end in arrays of any length, which clang minds inside a struct.
clang_flags := -Wno-gnu-variable-sized-type-not-at-end
fuzz_flags  := $(base_flags) $(clang_flags) -O1 $(sanitize) -fsanitize=fuzzer-no-link -DFUZZING

$(BUILD)/ring3/%.o: %.c mk/flavours.mk mk/cold.ld | $(packages)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ring3_flags) -c $< -o $@

$(BUILD)/unit/%.o: %.c mk/flavours.mk | $(packages)
	$(call say,CC unit,$<)mkdir -p $(@D) && $(CC) $(unit_flags) -c $< -o $@

$(BUILD)/fuzz/%.o: %.c mk/flavours.mk | $(packages)
	$(call say,CC fuzz,$<)mkdir -p $(@D) && $(CLANG) $(fuzz_flags) -c $< -o $@

ring3_objects = $(patsubst %.c,$(BUILD)/ring3/%.o,$(1))
unit_objects  = $(patsubst %.c,$(BUILD)/unit/%.o,$(1))
fuzz_objects  = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(1))

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
