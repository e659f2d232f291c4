# The front door. CMake and Ninja do the work (CMakePresets.json); tools/ holds the scripts.
#
#   make run [ARGS=DIR]   build the library and take the tour
#   make test             everything that CI checks
#   make lib              build/release/libkin.a, libkin.so, kin-uninstalled.pc
#   make bench [ARGS=..]  measure; one JSON object a line
#   make check            what `make test` does, without looking for missing packages first
#   make format           clang-format everything
#   make docs             reference pages from the headers, HTML and man (needs doxygen)
#   make coverage         which lines the suite runs (needs gcovr)
#   make install          PREFIX=/usr/local, DESTDIR=
#   make deps             install with apt what is missing (as root), or say what it is
#   make clean
.PHONY: run test lib bench check format docs coverage install deps clean
.NOTPARALLEL:
.DEFAULT_GOAL := lib

PREFIX ?= /usr/local
RELEASE := build/release

lib:
	@tools/deps build
	@tools/build release

run:
	@tools/deps examples || echo "Without them the tour is shorter." >&2
	@$(MAKE) --no-print-directory lib
	@$(RELEASE)/examples/$(notdir $(basename $(firstword $(wildcard examples/*tour*.c)))) $(ARGS)

bench:
	@tools/deps bench || echo "Without them the queue has fewer peers; the rest is asked." >&2
	@$(MAKE) --no-print-directory lib
	@tools/bench $(RELEASE)/bench $(ARGS)

test: deps
	@tools/check

check:
	@tools/check

format:
	@tools/meta/format --fix

docs:
	@tools/deps docs
	@mkdir -p docs/reference
	@doxygen Doxyfile && rm -f docs/reference/man/man3/_*
	@echo "docs/reference/html/index.html, docs/reference/man"

coverage:
	@tools/deps coverage
	@tools/build coverage
	@ctest --test-dir build/coverage -j2 --output-on-failure >build/coverage/suite.log || \
		{ cat build/coverage/suite.log; exit 1; }
	@gcovr --root . --filter src/ --object-directory build/coverage --exclude-throw-branches

install:
	@tools/deps build
	@tools/build release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@DESTDIR=$(DESTDIR) cmake --install $(RELEASE)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

deps:
	@tools/deps build check

clean:
	rm -rf build docs/reference
