# Each target's line of help stands behind ##.
SHELL := /bin/bash
.DEFAULT_GOAL := help
STAGE := ci/stage
FEATURES := --features als-proto/service,alscope-e2e/cluster
export ALSCOPE_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

.PHONY: help
help: ## Shows this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Real Envoys as a small mesh on loopback, observed by the real collector: no root, no cluster
	@demo/run

.PHONY: demo-cluster
demo-cluster: ## The operator's story on the local cluster, in one terminal (root): chart, one apply, conditions, who calls whom
	@demo/cluster

.PHONY: test
test: ## All tests that need no cluster
	@ci/need python3-pip bsdutils
	@ci/count $(STAGE) "test" 2400 ci/test

.PHONY: test-cluster
test-cluster: cluster ## Tests on the local cluster (root; real Kubernetes, Istio and Envoys)
	@ci/count ci/cluster-tests

.PHONY: ci
ci: lint test bench-instructions test-cluster ## What CI runs: lint, test, bench-instructions, test-cluster

.PHONY: lint
lint: ## Formats, lints, documentation, licences, advisories, shell scripts and recording rules, all without changing anything
	@$(STAGE) "format" 60 cargo fmt --all --check
	@$(STAGE) "clippy" 1500 cargo clippy --workspace --all-targets --locked $(FEATURES) -- -D warnings
	@$(STAGE) "documentation" 900 env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked $(FEATURES)
	@$(STAGE) "shell scripts" 300 ci/lint-shell
	@$(STAGE) "licences, bans and advisories" 1200 ci/deny
	@$(STAGE) "what is said without advisories" 60 ci/deny-test
	@$(STAGE) "recording rules" 300 ci/recording-rules
	@$(STAGE) "survivors of mutation tests" 60 mutants/run check

.PHONY: gen
gen: ## Writes the generated files anew: protocol code, definition, rights, docs/configuration.md, docs/json-lines.md, docs/memory.md, docs/performance.md, the page's library (needs npm)
	@$(STAGE) "protocol code" 900 env ALSCOPE_REGENERATE=1 cargo test -p als-proto --features service --test generated --locked
	@$(STAGE) "definition and rights" 900 env ALSCOPE_REGENERATE=1 cargo test -p alscope-operator --test generated --locked
	@$(STAGE) "configuration's page" 900 env ALSCOPE_REGENERATE=1 cargo test -p alscope-collector-config --test generated --locked
	@$(STAGE) "performance's page" 900 cargo run --locked -p alscope-bench -- page docs
	@$(STAGE) "JSON lines' page" 900 env ALSCOPE_REGENERATE=1 cargo test -p alscope-collector --lib --locked page_is_what_the_table_says
	@$(STAGE) "memory's page" 900 env ALSCOPE_REGENERATE=1 cargo test -p alscope-collector --test memory --locked the_page_is_what_the_terms_say
	@$(STAGE) "vendored library" 300 crates/collector/assets/vendor/refresh

.PHONY: fuzz
fuzz: ## Fuzzes the readers, the rules, the edit of mesh config and the configuration: make fuzz SECONDS=60
	@fuzz/run $(or $(SECONDS),30)

.PHONY: soak
soak: ## Runs the whole operator under faults as often as asked: make soak RUNS=10000 FIRST=0
	@$(STAGE) "soak's build" 1800 cargo test --release --locked -p alscope-operator --test simulation --no-run
	@ALSCOPE_RUNS=$(or $(RUNS),10000) ALSCOPE_FIRST_SEED=$(or $(FIRST),0) $(STAGE) "soak" 14400 cargo test --release --locked -p alscope-operator --test simulation -- --nocapture

.PHONY: mutants
mutants: ## Mutation tests of readers, analysis, plan and operator, what is not known yet: make mutants SHARD=1/8
	@mutants/run shard $(or $(SHARD),1/1)

.PHONY: mutants-sample
mutants-sample: ## The same of 40 mutants that a number picks: make mutants-sample SEED=1
	@mutants/run sample $(or $(SEED),1)

.PHONY: cluster
cluster: ## Starts the local cluster, or finds it running (root)
	@$(STAGE) "cluster" 3600 tests/e2e/cluster/up

.PHONY: cluster-down
cluster-down: ## Ends the local cluster and removes its state
	@$(STAGE) "cluster-down" 120 tests/e2e/cluster/down

.PHONY: images
images: ## Builds the images of the operator and the collector (docker, podman or buildah)
	@deploy/images/build

.PHONY: bench
bench: ## Measures what an entry costs, and writes docs/performance.md: half an hour of an idle machine
	@$(STAGE) "bench's build" 1500 cargo build --release --locked -p alscope-collector -p alscope-bench
	@$(STAGE) "bench" 3600 $(or $(CARGO_TARGET_DIR),target)/release/alscope-bench --report docs/performance/report.json
	@$(STAGE) "performance's page" 60 $(or $(CARGO_TARGET_DIR),target)/release/alscope-bench page docs

.PHONY: bench-check
bench-check: ## Says which figures of the checked-in report are missed
	@cargo run -q --locked -p alscope-bench -- check docs/performance/report.json

.PHONY: bench-instructions
bench-instructions: ## Counts instructions an entry and compares them; after a change that is worth them: make bench-instructions WRITE=1
	@ci/need valgrind
	@$(STAGE) "instructions' build" 900 cargo build --release --locked -p alscope-load
	@$(STAGE) "instructions" 600 $(or $(CARGO_TARGET_DIR),target)/release/alscope-instructions $(if $(WRITE),write,check) tools/load/instructions.tsv

.PHONY: cold
cold: ## Runs demo and ci in a fresh clone with empty caches, and writes docs/cold.md
	@ci/cold
