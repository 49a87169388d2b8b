# make demo, make test, make lint, make build; `make help` says what each does.
SHELL := /bin/bash
BUILD_PACKAGES := libssl-dev libgmp-dev libsystemd-dev libexpat1-dev zlib1g-dev libxxhash-dev pkg-config openssl
TEST_PACKAGES := $(BUILD_PACKAGES) curl python3 python3-venv golang-go golang-golang-x-mod-dev libpython3.11-testsuite prometheus attr jq strace
DEB_PACKAGES := $(BUILD_PACKAGES) debhelper chrpath fakeroot lintian man-db python3
SYSTEMD_PACKAGES := $(DEB_PACKAGES) debootstrap systemd-container curl gcc libc6-dev
BUDGET_PACKAGES := $(BUILD_PACKAGES) curl python3 gcc make binutils valgrind
BENCH_PACKAGES := $(BUILD_PACKAGES) curl python3 python3-venv gcc make nginx haproxy
DEMO_PACKAGES := $(BUILD_PACKAGES) curl python3 golang-go golang-golang-x-mod-dev libpython3.11-testsuite attr

.PHONY: help build release demo test lint fuzz figures budget bench bench-log deb test-systemd clean

help:
	@echo 'make demo     build, start two gateways on loopback and walk through a refused and an authorised read (KEEP=1 leaves them up)'
	@echo 'make test     run every test that this machine can run'
	@echo 'make lint     check format and the import table'
	@echo 'make release  the static, optimised binaries in .build/release'
	@echo 'make fuzz     run every fuzz target for SECONDS=30'
	@echo 'make budget   count what a read costs in user space, and hold it against Benchmarks/Gateway/budgets'
	@echo 'make bench    measure against nginx, haproxy and Envoy (QUICK=1: about two minutes)'
	@echo 'make bench-log  measure what the decision log costs (BENCH="commit tree open size")'
	@echo 'make deb      build, and check with lintian, .build/deb/bailiwick_VERSION_amd64.deb'
	@echo 'make test-systemd  install that package in a real systemd (a container of Debian 12; needs root) and try everything there'
	@echo 'make figures  measure the figures that README quotes'

build:
	@.ci/packages $(BUILD_PACKAGES)
	swift build

release:
	@.ci/packages $(BUILD_PACKAGES)
	swift build -c release --static-swift-stdlib --product bailiwickd
	swift build -c release --static-swift-stdlib --product bailiwick

demo:
	@.ci/packages $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory release
	@demo/run $(if $(KEEP),--keep)

test:
	@.ci/packages $(TEST_PACKAGES)
	Tests/run

lint:
	@.ci/packages $(BUILD_PACKAGES)
	swift format lint -s -r --configuration .swift-format Sources Tests Benchmarks Package.swift
	.ci/lint-imports

fuzz:
	Tests/Fuzz/run $(or $(SECONDS),30)

# The .changes and .buildinfo go beside the packages; lintian's errors and warnings fail.
deb:
	@.ci/packages $(DEB_PACKAGES)
	@rm -rf .build/deb && mkdir -p .build/deb
	dpkg-buildpackage --build=binary --no-sign --no-check-builddeps --buildinfo-option=-u.build/deb --buildinfo-file=.build/deb/bailiwick.buildinfo \
	  --changes-option=-u.build/deb --changes-file=.build/deb/bailiwick.changes
	lintian --fail-on error,warning .build/deb/bailiwick.changes

test-systemd:
	@.ci/packages $(SYSTEMD_PACKAGES)
	@$(MAKE) --no-print-directory deb
	Tests/Systemd/run

figures:
	@.ci/packages $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory release
	@Tests/Figures/run $(FIGURES)

budget:
	@.ci/packages $(BUDGET_PACKAGES)
	@$(MAKE) --no-print-directory release
	@Benchmarks/Gateway/budget $(CASES)

bench:
	@.ci/packages $(BENCH_PACKAGES)
	@$(MAKE) --no-print-directory release
	@Benchmarks/Gateway/bench $(BENCH)

bench-log:
	@.ci/packages $(BUILD_PACKAGES)
	@Benchmarks/Log/run $(BENCH)

clean:
	rm -rf .build .demo .bench Tests/Fuzz/.build
