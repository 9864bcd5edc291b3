# Thin on purpose: every target is one command that can be typed by hand.
# Cargo's own environment variables (CARGO_TARGET_DIR, CARGO_BUILD_JOBS …) work as usual.

.PHONY: demo test torture lint fmt deny bench install-test-tools schema

# Posts a video through the whole product against the simulator. EXIT=1 ends by itself.
demo:
	cargo build --locked
	./target/debug/clipqueue demo $(if $(EXIT),--exit)

# Every test, on SQLite + memory and on PostgreSQL + Redis; installs what it needs. What starts many processes
# runs at the end, so that the others have the machine for themselves.
# Much of a test is waiting, so that a core has time for more than one.
HEAVY = torture:: end_to_end::crashes
THREADS = $(shell echo $$(($$(nproc) * 3 / 2)))
test: install-test-tools
	cargo test --locked --workspace -- $(HEAVY:%=--skip %) --test-threads $(THREADS)
	cargo test --locked --workspace --lib --test it -- $(HEAVY)

install-test-tools:
	./tests/install-tools.sh

# Ten minutes of seeded faults on each stack; SEED=n begins elsewhere.
torture:
	cargo build --locked --release
	./target/release/clipqueue torture --seed $(or $(SEED),1) --minutes 10
	./target/release/clipqueue torture --seed $(or $(SEED),1) --minutes 10 --db postgres --transport redis

lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# Licences, sources and duplicate crates by cargo-deny, which it installs when it is missing.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --all-features check bans licenses sources

# The queue's figures on SQLite + Redis and on PostgreSQL + Redis, with servers of its own.
bench:
	cargo build --locked --release
	./target/release/clipqueue bench queue --db sqlite --transport redis
	./target/release/clipqueue bench queue --db postgres --transport redis

fmt:
	cargo fmt --all

# Writes the schema that a test compares with the code.
schema:
	cargo run --locked --quiet -- schema > schema.graphql
