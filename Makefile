# The front door: every target calls meson, which holds the one description of the build.
.SUFFIXES:

BUILD = build
PREFIX = /usr/local
OPTIONS =
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 60
JOBS != nproc

all: $(BUILD)/build.ninja
	@$(if $(OPTIONS),meson configure $(BUILD) $(OPTIONS))
	@[ '$(origin PREFIX)' = file ] || grep -qxF 'prefix = $(PREFIX)' $(BUILD)/meson-private/cmd_line.txt || \
	    meson configure $(BUILD) '-Dprefix=$(PREFIX)'
	@ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	@sh .ci/setup $(if $(findstring tests=false,$(OPTIONS)),library,build)
	@meson setup $(BUILD) --prefix '$(PREFIX)' $(OPTIONS)

help:
	@sed -n 's/^#: //p' Makefile

#: make              install what is missing, build; the program is build/seqrec. OPTIONS='-Dtests=false -Dexamples=false':
#:                   the library and the program alone
#: make quickstart   build, generate sample data, train, evaluate, recommend, draw the curve
quickstart: all
	@sh examples/quickstart.sh

#: make test         build and run every test there is (under 20 minutes)
test:
	@sh .ci/setup test
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS) sh tests/run.sh

#: make check        unit tests and checks of the sources (about a minute, no Python)
check: all
	@meson test -C $(BUILD) --no-rebuild --list 2>/dev/null | grep -q : || \
	    { sh .ci/setup build && meson configure $(BUILD) -Dtests=true && ninja -C $(BUILD) -j $(JOBS); }
	@meson test -C $(BUILD) --no-rebuild --suite unit --suite data --suite api --suite thread --print-errorlogs
	@BUILD=$(BUILD) sh tests/check.sh all

#: make bench        measure speed, beside PyTorch where there is one
bench: all
	@sh .ci/setup bench || echo "bench: goes on without what is missing" >&2
	@BUILD=$(BUILD) sh tests/bench/run.sh

#: make experiment-accuracy  train the presets to convergence, and evaluate them (days; stops and goes on)
experiment-accuracy: all
	@sh tests/experiments/accuracy.sh

#: make experiment-noise  train with noise in the events, and write a page (hours; stops and goes on)
experiment-noise: all
	@sh tests/experiments/noise.sh

#: make experiment-sampling  how negatives are drawn: accuracy, time, memory, gradients (hours; stops and goes on)
experiment-sampling: all
	@sh tests/experiments/sampling.sh

#: make experiment-time  what the time between events is worth (minutes; stops and goes on)
experiment-time: all
	@sh tests/experiments/time.sh

#: make experiment-paired  what SSE-PT, Rec-Denoiser, FuXi, filters and known items are worth (hours; stops and goes on)
experiment-paired: all
	@sh tests/experiments/paired.sh

#: make experiment-correction  what positions are counted from, and what that is worth (hours; stops and goes on)
experiment-correction: all
	@sh tests/experiments/correction.sh

#: make experiment-best  searches for the best model of MovieLens-1M and Beauty (hours; stops and goes on)
experiment-best: all
	@sh tests/experiments/best.sh

#: make experiment-autoregression  how well models forecast many events, by several decoders (hours; stops and goes on)
experiment-autoregression: all
	@sh tests/experiments/autoregression.sh

#: make asan         unit tests under AddressSanitizer and UBSan
asan:
	@sh .ci/setup test
	@JOBS=$(JOBS) sh tests/run.sh asan

#: make tsan         thread tests under ThreadSanitizer
tsan:
	@sh .ci/setup test
	@JOBS=$(JOBS) sh tests/run.sh tsan

#: make soak         serve beside a writer under ThreadSanitizer for SOAK_SECONDS (60), of SOAK_SEED (the time)
soak:
	@sh .ci/setup test
	@JOBS=$(JOBS) SOAK_SECONDS=$(SOAK_SECONDS) BUILD=$(BUILD) sh tests/run.sh soak && tail -n 1 $(BUILD)/test-logs/soak.log

#: make flavours     unit tests against each threading flavour of BLIS
flavours: all
	@sh .ci/setup test
	@BUILD=$(BUILD) sh tests/run.sh flavours

#: make fuzz         run each fuzz target FUZZ_SECONDS (60)
fuzz:
	@sh .ci/setup test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS) sh tests/run.sh fuzz

#: make abi          compare the library's ABI with the baseline in abi/
abi: all
	@sh .ci/setup test
	@sh abi/gate.sh check $(BUILD)/lib/libseqrec.so

#: make abi-update   write the baseline anew (needs an ABI line in CHANGELOG.md)
abi-update: all
	@sh .ci/setup test
	@sh abi/gate.sh update $(BUILD)/lib/libseqrec.so

#: make abi-selftest break the ABI on purpose, in a copy, and see the gate refuse
abi-selftest:
	@sh .ci/setup test
	@sh abi/selftest.sh

#: make docs         reference from the header, as HTML, without warnings
docs:
	@sh .ci/setup test
	@BUILD=$(BUILD) sh tests/run.sh docs

#: make options      write docs/OPTIONS.md anew from the option table
options: all
	@$(BUILD)/seqrec options --markdown > $(BUILD)/OPTIONS.md
	@mv $(BUILD)/OPTIONS.md docs/OPTIONS.md

#: make format       clang-format over the sources
format:
	@find include lib examples tests \( -name '*.[ch]' -o -name '*.[ch]pp' \) -exec clang-format -i {} +

#: make install      install to PREFIX (that of the tree: /usr/local), honours DESTDIR
install: all
	@meson install -C $(BUILD) --no-rebuild
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

#: make uninstall    remove what `make install` put there
uninstall:
	@ninja -C $(BUILD) uninstall

#: make clean        remove every build tree
clean:
	@rm -rf build build-*
	@[ ! -f $(BUILD)/build.ninja ] || rm -rf $(BUILD)

.PHONY: all help quickstart test check bench experiment-accuracy experiment-noise experiment-sampling experiment-time experiment-paired experiment-correction experiment-best experiment-autoregression asan tsan soak flavours fuzz abi abi-update abi-selftest docs options format install \
    uninstall clean
