# The two commands that matter are `make demo` and `make test`; `make help` names the rest.
SEED ?= 1
PROVINCES ?= 4
PEOPLE ?= 20000
WAIT ?= 1
SEEDS ?= 10000
SERVER_SEEDS ?= 500
FUZZ_SECONDS ?= 60
SECONDS ?= 60
RESYNC_SEEDS ?= 1000
ENTRIES ?= 100000
KILLS ?= 1000
MINUTES ?= 10
RESYNC_ENTRIES ?= 1000000
CARGO ?= cargo

# Crash tests end the programs at named places, which only such builds have.
FAILPOINTS = --features central-hub/failpoints,sync-agent/failpoints

.PHONY: help build demo test lint sim crash faults soak fuzz overload resync-crashes deny advisories bench bench-judge bench-postgres \
	bench-growth bench-peers bench-nation bench-resync clean

help: ## Name the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

build: ## Build the programs (release)
	$(CARGO) build --release --locked --bins

demo: build ## Run a country on one machine (SEED, PROVINCES, PEOPLE; WAIT=0 ends by itself)
	target/release/fixtures demo --seed $(SEED) --provinces $(PROVINCES) --people $(PEOPLE) \
		--bin-dir target/release --out target/demo $(if $(filter 0,$(WAIT)),,--wait)

test: ## Everything: unit, property, scenario, conformance and process tests
	@.ci/need sqlite3 cargo-nextest postgres
	$(CARGO) build --locked --workspace --bins --tests $(FAILPOINTS)
	.ci/postgres $(CARGO) nextest run --locked --workspace $(FAILPOINTS)

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

crash: ## Kills KILLS programs at failpoints and at random, and looks for what was lost; SEED is another story
	@.ci/need cargo-nextest sqlite3 postgres
	$(CARGO) build --locked --release -p central-hub -p sync-agent --bins $(FAILPOINTS)
	HOTICH_KILLS=$(KILLS) HOTICH_SEED=$(SEED) .ci/postgres $(CARGO) nextest run --locked --release -p central-hub -p sync-agent \
		$(FAILPOINTS) --test crash

faults: ## What servers and disks do: stops, cuts, failover, full disks (as root, since it mounts small ones)
	@.ci/need cargo-nextest postgres
	$(CARGO) nextest run --locked -p central-hub --test faults --run-ignored all

soak: ## MINUTES of a nation's life with faults; memory, open files, write-ahead logs and lag must stay flat
	@.ci/need cargo-nextest sqlite3
	$(CARGO) build --locked --release -p sync-agent --bins $(FAILPOINTS)
	HOTICH_SOAK_MINUTES=$(MINUTES) $(CARGO) nextest run --locked --release -p central-hub -p sync-agent $(FAILPOINTS) \
		--test soak --run-ignored only

fuzz: ## Hostile bytes for every reader and file, FUZZ_SECONDS each (or HOTICH_FUZZ_INPUTS=n), into target/fuzz/report.jsonl
	@.ci/need cargo-nextest
	@mkdir -p target/fuzz && rm -f target/fuzz/report.jsonl
	HOTICH_FUZZ_SECONDS=$(FUZZ_SECONDS) HOTICH_FUZZ_REPORT=$(CURDIR)/target/fuzz/report.jsonl \
		$(CARGO) nextest run --locked --release -p registry-proto -p sync-agent --lib --test hostile \
		-E 'binary(hostile) or test(backlog::tests::hostile)'
	@cat target/fuzz/report.jsonl

overload: ## Ten times what the hub admits, for SECONDS: live latency, memory, goodput, into target/bench/overload.json
	@.ci/need cargo-nextest
	@mkdir -p target/bench
	$(CARGO) build --locked --release --bins
	HOTICH_OVERLOAD_SECONDS=$(SECONDS) HOTICH_OVERLOAD_REPORT=$(CURDIR)/target/bench/overload.json \
		$(CARGO) nextest run --locked --release -p central-hub --test overload
	@cat target/bench/overload.json

resync-crashes: ## Comparisons under RESYNC_SEEDS schedules of crashes, with 5,000 changes in flight
	@.ci/need cargo-nextest
	HOTICH_SEEDS=$(RESYNC_SEEDS) $(CARGO) nextest run --locked --release -p central-hub --test resync_crashes
	@cat target/resync-crashes/report.json

# Built here and nowhere else: some minutes, once.
target/tools/bin/cargo-deny:
	$(CARGO) install --locked --root target/tools --version 0.20.2 cargo-deny

deny: target/tools/bin/cargo-deny ## Licences, duplicates and sources of what we depend on (deny.toml); no network
	target/tools/bin/cargo-deny --locked --offline check licenses bans sources

advisories: target/tools/bin/cargo-deny ## Known weaknesses of what we depend on; fetches the database of RustSec
	target/tools/bin/cargo-deny --locked check advisories

bench: ## How fast a nation on PostgreSQL is, beside its bound and its peers, in one run (ENTRIES); see benches/README.md
	@.ci/need postgres pgloader psql sqlite3
	$(CARGO) build --release --locked --bins
	HOTICH_POSTGRES_SETTINGS='shared_buffers=1GB wal_level=logical min_wal_size=2GB' \
		.ci/postgres benches/all.sh $(ENTRIES) target/bench/report.json

bench-judge: ## How fast the embedded store is judged, beside its bound (ENTRIES)
	$(CARGO) run --release --locked -p registry-benches --bin bench-judge -- --entries $(ENTRIES) --out target/bench/judge.json

bench-postgres: ## The same on a PostgreSQL of its own (ENTRIES)
	@.ci/need postgres
	$(CARGO) build --release --locked -p registry-benches
	.ci/postgres sh -c 'target/release/bench-judge --store "$$HOTICH_POSTGRES" --entries $(ENTRIES) \
		--out target/bench/judge-postgres.json'

bench-growth: ## The rates of a nation on PostgreSQL that grows to ENTRIES in three steps, with a drawing
	@.ci/need postgres
	$(CARGO) build --release --locked -p registry-benches
	HOTICH_POSTGRES_SETTINGS='shared_buffers=4GB max_wal_size=16GB checkpoint_timeout=15min wal_compression=lz4' \
		.ci/postgres sh -c 'target/release/bench-judge --store "$$HOTICH_POSTGRES" \
		--entries $(ENTRIES) --provinces 32 --growth 3 --plot target/bench/growth.svg --out target/bench/growth.json'

bench-peers: ## Ours beside COPY, pgloader and logical replication, on one server in one run (ENTRIES)
	@.ci/need postgres pgloader psql
	$(CARGO) build --release --locked -p registry-benches
	HOTICH_POSTGRES_SETTINGS='shared_buffers=1GB wal_level=logical' \
		.ci/postgres benches/peers.sh $(ENTRIES) target/bench/peers.json

bench-nation: ## Real agents and a hub on PostgreSQL, from a provincial commit to the registry (ENTRIES, TLS=0 without TLS)
	@.ci/need postgres psql sqlite3
	$(CARGO) build --release --locked --bins
	HOTICH_POSTGRES_SETTINGS='shared_buffers=1GB min_wal_size=2GB' .ci/postgres benches/nation.sh $(ENTRIES) target/bench/nation.json

bench-resync: ## What it costs to find differences (RESYNC_ENTRIES), beside negentropy
	$(CARGO) run --release --locked -p registry-benches --bin bench-resync -- --entries $(RESYNC_ENTRIES) \
		--out target/bench/resync.json

clean: ## Remove everything built
	$(CARGO) clean
