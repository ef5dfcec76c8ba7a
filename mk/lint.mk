# What is checked without running anything.
#   make lint-quick   formatting, dependency direction: seconds; part of `make check`
#   make lint         all: clang-tidy, cppcheck, shellcheck, pyflakes, and the tree as clang compiles it
#   make format       has clang-format change the sources
#   make ide          compile_commands.json

c_files      := $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
lint_needs   := $(BUILD)/gen/dsdt.h $(BUILD)/gen/screen_font.h
c_sources    := $(filter-out kernel/%,$(filter %.c,$(c_files)))
# By their first line: others may hold scripts.
first_line    = $(shell git ls-files -co --exclude-standard 2>/dev/null | xargs -r awk 'FNR == 1 && /^\#!$(1)/ { print FILENAME } { nextfile }' 2>/dev/null)
shell_files  := $(call first_line,(\/usr)?\/bin\/(env )?(bash|sh|busybox sh))
python_files := $(call first_line,\/usr\/bin\/python3) $(shell git ls-files -co --exclude-standard '*.py' 2>/dev/null)

.PHONY: lint lint-quick lint-format lint-includes lint-tidy lint-cppcheck lint-shell lint-python lint-clang format
lint-quick: lint-format lint-includes
lint: lint-quick lint-python lint-shell lint-cppcheck lint-clang lint-tidy

lint-format: | $(packages)
	$(call say,LINT,clang-format)clang-format-14 -n -Werror $(c_files)

format: | $(packages)
	$(Q)clang-format-14 -i $(c_files)

lint-includes:
	$(call say,LINT,dependency direction)tools/check-includes

lint-python: | $(packages)
	$(call say,LINT,pyflakes)pyflakes3 $(sort $(python_files))

# The hooks of initramfs-tools get their variables from it. Ash, which runs the images' scripts, is closest to dash. The words that are left unquoted are lists.
lint-shell: | $(packages)
	$(call say,LINT,shellcheck)shellcheck -S warning -e SC2187 $(filter-out images/guests/debian/% %.py,$(shell_files))

# Labels of machine code, and the linker's, are arrays of their own to the checker. Nor does it see that panic() doesn't return.
cppcheck := cppcheck --quiet --std=c11 --language=c -D__x86_64__ -I. -I$(BUILD)/gen --enable=warning,performance,portability \
	--inline-suppr --suppress=missingIncludeSystem --suppress=comparePointers:tests/* --suppress=comparePointers:kernel/* \
	--error-exitcode=1

lint-cppcheck: $(lint_needs) | $(packages)
	$(call say,LINT,cppcheck)$(cppcheck) -D_GNU_SOURCE $(filter-out tests/unit/% tests/fuzz/%,$(c_sources))
	$(Q)$(cppcheck) -D__KERNEL_BULKHEAD__ '-Dpanic(...)=abort()' -Ikernel/include $(kernel_sources)

# The whole tree, with the same warnings, by the other compiler.
no_gcc  := -Wno-gnu-variable-sized-type-not-at-end -Wno-ignored-optimization-argument
clang_kernel = $(filter-out -MMD -MP,$(call kernel_flags_of,$(CLANG))) $(no_gcc)

lint-clang: $(lint_needs) | $(packages)
	$(call say,LINT,clang)for file in $(filter-out tests/guest/%,$(c_sources)); do \
		case $$file in tests/abi/*) more='$(abi_flags) -Wno-unknown-warning-option' ;; *) more= ;; esac; \
		$(CLANG) $(filter-out -MMD -MP,$(ring3_flags)) $(no_gcc) -fsyntax-only $$more $$file || exit 1; done
	$(Q)$(CLANG) $(clang_kernel) -fsyntax-only $(kernel_sources)

tidy = xargs -n 8 -P 2 sh -c 'clang-tidy-14 --quiet "$$@" -- $(1) 2> /dev/null' tidy
lint-tidy: $(lint_needs) | $(packages)
	$(call say,LINT,clang-tidy (minutes))printf '%s\n' $(filter-out tests/%,$(c_sources)) | \
		$(call tidy,$(filter-out -MMD -MP -W%,$(ring3_flags)))
	$(Q)printf '%s\n' $(kernel_sources) | $(call tidy,$(filter-out -W%,$(clang_kernel)))

# From what make would run, so it can't differ from it.
ide: $(lint_needs)
	$(call say,IDE,compile_commands.json)$(MAKE) --always-make --dry-run V=1 all $(unit_programs) 2> /dev/null | \
		tools/commands-to-json > compile_commands.json
