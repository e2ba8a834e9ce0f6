# What one can do here; the scripts do the work. Variables: PG_CONFIG, and ARGS for what runs with arguments.

export PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config

# What pgrx's build script reads instead of the files of `cargo pgrx init`.
export PGRX_PG_CONFIG_PATH = $(PG_CONFIG)
# Not `:=`, so that it is asked for after the set-up. 15 is the default feature.
PG_MAJOR = $(shell $(PG_CONFIG) --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
FEATURES = $(if $(filter 15,$(PG_MAJOR)),,--no-default-features --features pg$(PG_MAJOR))
# See scripts/lib.sh.
ifneq ($(PG_CONFIG),/usr/lib/postgresql/15/bin/pg_config)
export CARGO_TARGET_DIR ?= target/pg$(PG_MAJOR)
endif

.NOTPARALLEL:
.PHONY: help build service pages deb install demo demo-url demo-stop psql test unit regress isolation server-tests other-major majors torture bench lint schema reference clean

help: ## this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

build: ## the library, for the Postgres of PG_CONFIG, and the program; installs the packages that are missing
	@scripts/setup build
	cargo build --release --workspace $(FEATURES)

service: ## the program alone: target/release/checkout-sessions
	@scripts/setup build
	cargo build --release --package checkout-sessions-service

pages: ## the libraries of the pages: pages/vendor
	@scripts/pages

deb: build ## Debian packages: target/deb
	@scripts/deb

# With sudo there may be no cargo: then what was built before is installed.
install: $(if $(shell command -v cargo),build) ## the extension into the Postgres of PG_CONFIG
	@scripts/install

# From nothing, it is built without optimization, which takes half the time.
demo: export BUILD_PROFILE = $(if $(wildcard $(or $(CARGO_TARGET_DIR),target)/release/checkout-sessions),release,demo)
demo: ## a private server with the extension, and the main job shown step by step
	@scripts/setup build
	cargo build --profile $(BUILD_PROFILE) --workspace $(FEATURES)
	@scripts/demo

demo-url: ## the URI of the demo's server
	@scripts/server url demo

demo-stop: ## stop the demo's gateway and server, and remove its data
	@scripts/gateway stop demo
	@scripts/server stop demo --remove

psql: ## psql in the demo's server
	@scripts/server psql demo $(ARGS)

test: ## every suite below, and the sum of their tests
	@scripts/test

unit: build ## tests of the rules in Rust
	cargo test --release --workspace --lib --bins $(FEATURES) -- $(ARGS)

regress: build ## tests in SQL, compared with their expected output; ARGS: names of tests
	@tests/regress/run $(ARGS)

isolation: build ## tests of concurrent sessions; ARGS: names of specs
	@tests/isolation/run $(ARGS)

server-tests: build ## tests that start, stop and kill servers, in two processes; ARGS: for pytest, -n 0 for one process
	@scripts/setup test
	/usr/bin/python3 -B -m pytest -p no:cacheprovider --numprocesses 2 --dist loadfile --max-worker-restart 0 tests/server $(ARGS)

other-major: ## the main tests on another major version of PostgreSQL, and pg_upgrade to it
	@scripts/majors smoke 16

majors: ## the tests in SQL and of concurrency, and some with servers, on each major version in turn
	@scripts/setup test
	@scripts/majors all 15 16 17 18

torture: build ## servers killed, cut off and attacked for TORTURE minutes (10, or long: hours), SEED=n; ARGS: names of parts
	@scripts/setup torture
	/usr/bin/python3 -B tests/torture $(ARGS)

bench: build ## the benchmarks
	@benches/run $(ARGS)

lint: build ## formatting, clippy, the generated files, pgspot, shellcheck
	@scripts/setup lint
	cargo fmt --check
	cargo clippy --release --workspace --all-targets $(FEATURES) -- -D warnings
	@scripts/lint

schema: ## generate the install script anew
	@scripts/schema --write

reference: build ## generate docs/reference.md and types/checkout.d.ts anew
	@scripts/reference --write
	@scripts/types --write

clean: ## stop this clone's private servers, remove them and what was built
	@scripts/clean
	cargo clean
