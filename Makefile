# SPDX-License-Identifier: Apache-2.0
#
# One flat makefile: every .c below pkg/ goes into one archive, every directory of cmd/ is a program,
# every test/unit/<package>/test_*.c is a cmocka program linked against that archive.
# `make help` lists the targets. Objects never leave build/<flavour>/.

FLAVOUR ?= release
BUILD   ?= build/$(FLAVOUR)
CI      ?= false
WERROR  ?= $(if $(filter true 1,$(CI)),1,0)
VERSION ?= 0.1.0-dev
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
V       ?= 0

ifeq ($(filter release debug asan clang fuzz,$(FLAVOUR)),)
$(error FLAVOUR=$(FLAVOUR) is unknown; take release, debug, asan, clang or fuzz)
endif
ifneq ($(filter clang fuzz,$(FLAVOUR)),)
CC := clang
else ifeq ($(origin CC),default)
CC := gcc
endif
# Only here: makes below this one share its job slots.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS) --no-print-directory --no-builtin-rules
endif
Q := $(if $(filter 1,$(V)),,@)

# ---------------------------------------------------------------- compiler

IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -n 1))
PC_LIBS  := libcurl libuv jansson yaml-0.1 openssl zlib
PC_TEST  := cmocka

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef \
	-Wformat=2 -Wswitch-enum -Wvla -Wimplicit-fallthrough
# gcc's flow analysis sees null pointers in the checks that sanitizers insert.
WARN_NULL  := -Wnull-dereference
WARN_GCC   := -Wduplicated-cond -Wlogical-op -Wjump-misses-init -Warith-conversion -Wbidi-chars=any
WARN_CLANG := -Wcomma -Wmissing-variable-declarations -Wunreachable-code

HARDEN := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	-ffunction-sections -fdata-sections
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection
endif

OPT_release := $(WARN_NULL) $(HARDEN) -ftrivial-auto-var-init=$(if $(IS_CLANG),pattern,zero)
OPT_clang   := $(OPT_release)
OPT_debug   := -Og -g3
OPT_asan    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=address,undefined $(if $(IS_CLANG),,-fsanitize=bounds-strict)
OPT_fuzz    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
	-fsanitize=fuzzer-no-link,address,undefined

CSTD     := -std=gnu17 -D_GNU_SOURCE
CPPFLAGS += -Ipkg
CFLAGS_ALL = $(CSTD) $(CPPFLAGS) $(WARN) $(if $(IS_CLANG),$(WARN_CLANG),$(WARN_GCC)) \
	$(OPT_$(FLAVOUR)) -fPIE $(if $(filter 1,$(WERROR)),-Werror) $(PC_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,--as-needed \
	$(if $(filter asan,$(FLAVOUR)),-fsanitize=address$(comma)undefined,-Wl$(comma)--gc-sections) $(LDFLAGS)
comma := ,
# Asked when first used: `make deps` and `make clean` work on a machine that has none of the libraries.
PC_CFLAGS = $(eval PC_CFLAGS := $$(shell pkg-config --cflags $(PC_LIBS)))$(PC_CFLAGS)
LIBS      = $(eval LIBS := $$(shell pkg-config --libs $(PC_LIBS)) -lm)$(LIBS)
TEST_LIBS = $(eval TEST_LIBS := $$(shell pkg-config --libs $(PC_TEST)))$(TEST_LIBS)

# ---------------------------------------------------------------- files

PKG_SRC  := $(sort $(wildcard pkg/*/*.c))
PROGRAMS := $(sort $(patsubst cmd/%/,%,$(dir $(wildcard cmd/*/*.c))))
CMD_SRC  := $(sort $(wildcard cmd/*/*.c))
TEST_SRC := $(sort $(wildcard test/unit/*/*.c))
TEST_MAIN := $(filter $(foreach d,$(wildcard test/unit/*/),$(d)test_%),$(TEST_SRC))
GOLD_SRC := $(sort $(wildcard test/golden/*.c))
# The golden program makes its snapshots as the unit tests do.
GOLD_SRC += $(if $(GOLD_SRC),$(wildcard test/unit/support/snapshot.c))
FUZZ_SRC := $(sort $(wildcard test/fuzz/*.c))
BENCH_SRC := $(sort $(wildcard test/bench/*.c))
BENCH_WITH := $(sort $(wildcard test/bench/support/*.c test/unit/support/object_tree.c \
	test/unit/support/snapshot.c))
C_FILES  := $(PKG_SRC) $(CMD_SRC) $(TEST_SRC) $(GOLD_SRC) $(FUZZ_SRC) \
	$(sort $(wildcard pkg/*/*.h cmd/*/*.h test/unit/*/*.h test/golden/*.h test/fuzz/*/*.[ch])) \
	$(BENCH_SRC) $(sort $(wildcard test/bench/support/*.[ch]))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB       := $(BUILD)/libpenstock.a
BINS      := $(addprefix $(BUILD)/,$(PROGRAMS))
TEST_BINS := $(patsubst %.c,$(BUILD)/%,$(TEST_MAIN))
GOLDEN    := $(if $(GOLD_SRC),$(BUILD)/golden)
FUZZERS   := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
BENCHES   := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
OBJECTS   := $(call obj,$(sort $(PKG_SRC) $(CMD_SRC) $(TEST_SRC) $(GOLD_SRC) $(FUZZ_SRC) \
	$(BENCH_SRC) $(BENCH_WITH) $(wildcard test/fuzz/support/*.c)))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# ---------------------------------------------------------------- targets

.PHONY: help all programs units fuzzers benches objects asan debug clang unit golden goldens fuzz e2e \
	bench test check lint check-rest fmt fmt-check check-style check-deps check-selftest tidy cppcheck manifests demo deps \
	clean FORCE

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo '  variables: FLAVOUR=release|debug|asan|clang|fuzz  CC=gcc|clang  WERROR=0|1  V=1  JOBS=n'

all: programs ## the operator and the kubectl plugin: build/<flavour>/
programs: $(BINS)
units: $(TEST_BINS) $(GOLDEN)
fuzzers: $(FUZZERS)
benches: $(BENCHES)
objects: $(OBJECTS)

debug: ## build/debug/: no optimisation
	$(Q)$(MAKE) FLAVOUR=debug BUILD=build/debug programs
asan: ## build/asan/: AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)$(MAKE) FLAVOUR=asan BUILD=build/asan programs
clang: ## build/clang/: everything, with clang
	$(Q)$(MAKE) FLAVOUR=clang BUILD=build/clang programs units

unit: ## unit tests with gcc's release flags, then with the sanitizers
	$(Q)$(MAKE) FLAVOUR=release BUILD=build/release units
	$(Q)$(MAKE) FLAVOUR=asan BUILD=build/asan units
	$(Q)hack/run-unit build/release build/asan

golden: ## compare what the planners plan with the golden files
	$(Q)$(MAKE) FLAVOUR=release BUILD=build/release units
	$(Q)hack/run-golden build/release
goldens: ## write the golden files anew; review the difference
	$(Q)$(MAKE) FLAVOUR=release BUILD=build/release units
	$(Q)hack/run-golden build/release --update

# Not ?=: a shell that exports its own SECONDS must not set it.
SECONDS = 5
fuzz: ## fuzz every parser and planner: SECONDS=600 for longer, SEED=n for another way, ONLY=dsl_task
	$(Q)$(MAKE) FLAVOUR=fuzz BUILD=build/fuzz fuzzers
	$(Q)hack/run-fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(addprefix --only ,$(ONLY)) \
		build/fuzz

e2e: asan ## end-to-end tests on a real API server (ARGS='-k name' for some of them)
	$(Q)hack/controlplane/build >/dev/null
	$(Q)hack/helm/build >/dev/null
	$(Q)PENSTOCK_BIN=$${PENSTOCK_BIN:-$(CURDIR)/build/asan/penstock} hack/run-e2e $(ARGS)

bench: ## the figures beside what is aimed for: ARGS='--streams 3000', ARGS=--profile, ARGS=--help
	$(Q)$(MAKE) FLAVOUR=release BUILD=build/release programs benches >&2
	$(Q)hack/controlplane/build >/dev/null
	$(Q)test/bench/bench.py $(ARGS)

test: ## all tests; installs what it needs first
	@hack/test
check: ## test, then lint
	@hack/check
check-rest: lint
lint: ## formatting, style, layers, purity, clang-tidy, cppcheck, both compilers without a warning
	@CI=$(CI) hack/lint

BRACES := -*,readability-braces-around-statements
fmt: ## format the C files, braces included
	@for again in 1 2; do clang-tidy --quiet --fix --checks='$(BRACES)' $(PKG_SRC) $(CMD_SRC) -- \
		$(TIDY_FLAGS) >/dev/null 2>&1 || true; done # twice: braces within braces
	@$(if $(C_FILES),clang-format -i $(C_FILES))
fmt-check: ## are the C files formatted?
	@$(if $(C_FILES),clang-format --dry-run -Werror $(C_FILES))
check-style: ## banned calls, sizes, forms
	@hack/check-style
check-deps: ## layers, third-party headers, and purity of dsl, model and plan (by their symbols)
	$(Q)$(MAKE) FLAVOUR=release BUILD=build/release build/release/libpenstock.a
	@hack/check-deps build/release
check-selftest: ## does every check notice a planted violation?
	@hack/check-selftest

manifests: ## write deploy/*.yaml and the CRDs of the Helm chart anew
	@hack/render-manifests

demo: ## a stream from `kubectl apply` to running pods, on a control plane of its own
	@hack/demo
deps: ## install the Debian packages that are missing
	@hack/install-deps
clean: ## remove build/
	rm -rf build

# ---------------------------------------------------------------- clang-tidy and cppcheck

TIDY_OK := $(patsubst %.c,build/tidy/%.ok,$(PKG_SRC) $(CMD_SRC))
TIDY_FLAGS = $(CSTD) $(CPPFLAGS) -DPENSTOCK_VERSION='"tidy"' $(WARN) $(WARN_CLANG) $(PC_CFLAGS)
tidy: $(TIDY_OK) ## clang-tidy; a file is skipped while neither it nor a header of it changed

build/tidy/%.ok: %.c .clang-tidy
	@mkdir -p $(@D)
	@echo '  TIDY    $<'
	@clang-tidy --quiet $< -- $(TIDY_FLAGS) >$(@:.ok=.log) 2>&1 || { cat $(@:.ok=.log); exit 1; }
	@clang $(CSTD) $(CPPFLAGS) $(PC_CFLAGS) -MM -MP -MT $@ -MF $(@:.ok=.d) $<
	@touch $@

cppcheck: ## cppcheck over pkg/ and cmd/
	@mkdir -p build/cppcheck
	@cppcheck --quiet -j $(JOBS) --enable=warning,performance,portability --inline-suppr \
		--error-exitcode=2 --std=c11 --library=posix --library=gnu --suppress=missingIncludeSystem --suppress=varFuncNullUB \
		-D__GNUC__ -D_GNU_SOURCE -Ipkg --cppcheck-build-dir=build/cppcheck \
		$(wildcard pkg cmd)

# ---------------------------------------------------------------- rules

# Rewritten only when its text changes, so that other flags or a file that is gone cause a rebuild.
define keep
@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef

$(BUILD)/flags: FORCE
	$(call keep,$(CC) $(CFLAGS_ALL) $(VERSION))
$(BUILD)/ldflags: FORCE
	$(call keep,$(CC) $(LDFLAGS_ALL) $(LIBS))
$(BUILD)/members: FORCE
	$(call keep,$(PKG_SRC))

$(BUILD)/obj/cmd/%.o: private CPPFLAGS += -DPENSTOCK_VERSION='"$(VERSION)"'
$(BUILD)/obj/test/%.o: private CPPFLAGS += -Itest/unit

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  CC      $<'
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(call obj,$(PKG_SRC)) $(BUILD)/members
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcsD $@ $(call obj,$(PKG_SRC))

define program_rule
$(BUILD)/$(1): $(call obj,$(sort $(wildcard cmd/$(1)/*.c))) $(LIB) $(BUILD)/ldflags
	@echo '  LD      $$@'
	$(Q)$(CC) $$(CFLAGS_ALL) -o $$@ $(call obj,$(sort $(wildcard cmd/$(1)/*.c))) $(LIB) $$(LDFLAGS_ALL) $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# The other files beside a test, and those of test/unit/support, are its helpers.
test_helpers = $(filter-out $(TEST_MAIN),$(filter $(dir $(1))% test/unit/support/%,$(TEST_SRC)))
define test_rule
$(BUILD)/$(1:.c=): $(call obj,$(1) $(call test_helpers,$(1))) $(LIB) $(BUILD)/ldflags
	@mkdir -p $$(@D)
	@echo '  LD      $$@'
	$(Q)$(CC) $$(CFLAGS_ALL) -o $$@ $(call obj,$(1) $(call test_helpers,$(1))) $(LIB) $$(LDFLAGS_ALL) $$(TEST_LIBS) $$(LIBS)
endef
$(foreach t,$(TEST_MAIN),$(eval $(call test_rule,$(t))))

$(BUILD)/golden: $(call obj,$(GOLD_SRC)) $(LIB) $(BUILD)/ldflags
	@echo '  LD      $@'
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $(call obj,$(GOLD_SRC)) $(LIB) $(LDFLAGS_ALL) $(TEST_LIBS) $(LIBS)

define bench_rule
$(BUILD)/$(1:.c=): $(call obj,$(1) $(BENCH_WITH)) $(LIB) $(BUILD)/ldflags
	@mkdir -p $$(@D)
	@echo '  LD      $$@'
	$(Q)$(CC) $$(CFLAGS_ALL) -o $$@ $(call obj,$(1) $(BENCH_WITH)) $(LIB) $$(LDFLAGS_ALL) $$(LIBS)
endef
$(foreach b,$(BENCH_SRC),$(eval $(call bench_rule,$(b))))

# A fuzzing target's name starts with the package that it is about. It gets the objects it needs and
# not the archive: it builds and runs when a package above that one does not.
FUZZ_PKG_dsl    := base dsl
FUZZ_PKG_codec  := base codec
FUZZ_PKG_plan   := base codec dsl model plan
FUZZ_PKG_model  := base codec dsl model
FUZZ_PKG_kube   := base codec metrics loop http kube
FUZZ_WITH_plan  := test/unit/support/snapshot.c test/fuzz/support/input.c
FUZZ_WITH_model := test/unit/support/projection.c test/unit/support/object_tree.c
FUZZ_WITH_codec := test/unit/support/apply.c
fuzz_area = $(firstword $(subst _, ,$(basename $(notdir $(1)))))
fuzz_src  = $(1) $(FUZZ_WITH_$(call fuzz_area,$(1))) \
	$(filter $(addsuffix /%,$(addprefix pkg/,$(FUZZ_PKG_$(call fuzz_area,$(1))))),$(PKG_SRC))
define fuzz_rule
$(BUILD)/$(1:.c=): $(call obj,$(call fuzz_src,$(1))) $(BUILD)/ldflags
	@mkdir -p $$(@D)
	@echo '  LD      $$@'
	$(Q)$(CC) $$(CFLAGS_ALL) -fsanitize=fuzzer -o $$@ $(call obj,$(call fuzz_src,$(1))) $$(LDFLAGS_ALL) $$(LIBS)
endef
$(foreach t,$(FUZZ_SRC),$(eval $(call fuzz_rule,$(t))))

-include $(OBJECTS:.o=.d)
-include $(TIDY_OK:.ok=.d)
