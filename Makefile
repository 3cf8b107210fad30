# The two commands that matter are `make demo` and `make test`; `make help` names the rest.
SEED ?= 1
PROVINCES ?= 4
PEOPLE ?= 20000
WAIT ?= 1
SEEDS ?= 10000
SERVER_SEEDS ?= 500
FUZZ_SECONDS ?= 60
ENTRIES ?= 100000
RESYNC_ENTRIES ?= 1000000
CARGO ?= cargo

.PHONY: help build demo test lint sim fuzz bench bench-postgres bench-peers bench-resync clean

help: ## Name the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## Build the programs (release)
	$(CARGO) build --release --locked --bins

demo: build ## Run a country on one machine (SEED, PROVINCES, PEOPLE; WAIT=0 ends by itself)
	target/release/fixtures demo --seed $(SEED) --provinces $(PROVINCES) --people $(PEOPLE) \
		--bin-dir target/release --out target/demo $(if $(filter 0,$(WAIT)),,--wait)

test: ## Everything: unit, property, scenario, conformance and process tests
	@.ci/need sqlite3 cargo-nextest postgres
	$(CARGO) build --locked --workspace --bins --tests
	.ci/postgres $(CARGO) nextest run --locked --workspace

lint: ## Formatting and lints, as CI has them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

sim: ## SEEDS nations under faults (target/sim/report.json), and order independence over SEEDS worlds
	@.ci/need cargo-nextest postgres
	HOTICH_SEEDS=$(SEEDS) $(CARGO) nextest run --locked --release -p hub-store \
		-E 'test(any_order_gives_one_nation) & !binary(postgres)'
	HOTICH_SEEDS=$(SERVER_SEEDS) .ci/postgres $(CARGO) nextest run --locked --release -p hub-store \
		-E 'test(any_order_gives_one_nation) & binary(postgres)'
	HOTICH_SEEDS=$(SEEDS) $(CARGO) test --locked --release -p central-hub --test sim -- \
		--exact the_nation_holds_whatever_happens --nocapture
	@cat target/sim/summary.txt

fuzz: ## Hostile bytes for every reader, FUZZ_SECONDS each, on other seeds each time
	@.ci/need cargo-nextest
	HOTICH_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) nextest run --locked --release -p registry-proto --test hostile

bench: ## How fast, beside its bound (ENTRIES); see benches/README.md
	$(CARGO) run --release --locked -p registry-benches --bin bench-judge -- --entries $(ENTRIES) --out target/bench/judge.json

bench-postgres: ## The same on a PostgreSQL of its own (ENTRIES)
	@.ci/need postgres
	$(CARGO) build --release --locked -p registry-benches
	.ci/postgres sh -c 'target/release/bench-judge --store "$$HOTICH_POSTGRES" --entries $(ENTRIES) \
		--out target/bench/judge-postgres.json'

bench-peers: ## Ours beside COPY, pgloader and logical replication, on one server in one run (ENTRIES)
	@.ci/need postgres pgloader psql
	$(CARGO) build --release --locked -p registry-benches
	HOTICH_POSTGRES_WAL=logical HOTICH_POSTGRES_BUFFERS=1GB \
		.ci/postgres benches/peers.sh $(ENTRIES) target/bench/report.json

bench-resync: ## What it costs to find differences (RESYNC_ENTRIES), beside negentropy
	$(CARGO) run --release --locked -p registry-benches --bin bench-resync -- --entries $(RESYNC_ENTRIES) \
		--out target/bench/resync.json

clean: ## Remove everything built
	$(CARGO) clean
