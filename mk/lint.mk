# What is checked without running anything.
#   make lint-quick   formatting, dependency direction: seconds; part of `make check`
#   make lint         all: clang-tidy, cppcheck, shellcheck, pyflakes, and the tree as clang compiles it
#   make format       has clang-format change the sources
#   make ide          compile_commands.json

c_files      := $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null)
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

lint-cppcheck: $(BUILD)/gen/dsdt.h | $(packages)
	$(call say,LINT,cppcheck)cppcheck --quiet --std=c11 --language=c -D_GNU_SOURCE -D__x86_64__ -I. -I$(BUILD)/gen \
		--enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
		--error-exitcode=1 $(filter-out tests/unit/% tests/fuzz/%,$(c_sources))

# The whole of ring 3, with the same warnings, by the other compiler.
lint-clang: $(BUILD)/gen/dsdt.h | $(packages)
	$(call say,LINT,clang)for file in $(filter-out tests/guest/%,$(c_sources)); do \
		case $$file in tests/abi/*) more='$(abi_flags) -Wno-unknown-warning-option' ;; *) more= ;; esac; \
		$(CLANG) $(filter-out -MMD -MP,$(ring3_flags)) -Wno-gnu-variable-sized-type-not-at-end -fsyntax-only \
			$$more $$file || exit 1; done

lint-tidy: $(BUILD)/gen/dsdt.h | $(packages)
	$(call say,LINT,clang-tidy (minutes))printf '%s\n' $(filter-out tests/%,$(c_sources)) | \
		xargs -n 8 -P 2 sh -c 'clang-tidy-14 --quiet "$$@" -- $(filter-out -MMD -MP -W%,$(ring3_flags)) \
		2> /dev/null' tidy

# From what make would run, so it can't differ from it.
ide: $(BUILD)/gen/dsdt.h
	$(call say,IDE,compile_commands.json)$(MAKE) --always-make --dry-run V=1 all $(unit_programs) 2> /dev/null | \
		tools/commands-to-json > compile_commands.json
