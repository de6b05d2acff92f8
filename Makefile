# `make test` is all that must pass before a change lands; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | column -ts $$'\t'

.PHONY: demo
demo: ## run the exporter on an invented organisation
	cargo run --release -- demo

.PHONY: tools
tools: ## install what the tests need beside Rust, pinned, into .tools/
	tests/tools/install.sh prometheus openbao prism smtp readers deny sbom helm kubernetes-validate lint

.PHONY: lint
lint: ## formatting, and clippy without a warning
	cargo fmt --all -- --check
	cargo clippy --locked --all-targets -- --deny warnings
	cargo clippy --locked --test ship -- --deny warnings
	RUSTDOCFLAGS='--deny warnings --allow rustdoc::private-intra-doc-links' cargo doc --locked --no-deps --document-private-items --quiet

.PHONY: test
test: tools lint deny sbom ## everything that must pass, real servers included
	cargo test --locked
	$(MAKE) ship

.PHONY: ship
ship: ## build image, archive and Debian package, and run them as their users do; needs root, or a Docker daemon
	tests/tools/install.sh prometheus machine
	tests/ship/with-docker.sh tests/ship/run.sh

.PHONY: image
image: ## the container image, as token-expiry-exporter:VERSION
	tests/ship/with-docker.sh packaging/image.sh "token-expiry-exporter:$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)"

.PHONY: dist
dist: ## archive, Debian package and checksums of this machine's architecture, into dist/
	tests/ship/with-docker.sh packaging/dist.sh

.PHONY: reproducible
reproducible: ## build the image twice from nothing, and compare
	tests/ship/with-docker.sh packaging/reproducible.sh

.PHONY: deny
deny: ## licences, sources and banned crates of all dependencies, by deny.toml
	tests/tools/install.sh deny
	.tools/bin/cargo-deny --locked check bans licenses sources

.PHONY: advisories
advisories: ## known weaknesses of the dependencies; asks the RustSec database over the network
	tests/tools/install.sh deny
	.tools/bin/cargo-deny --locked check advisories

.PHONY: sbom
sbom: ## the bill of materials, CycloneDX, into target/sbom.cdx.json, checked by its schema
	tests/tools/install.sh sbom
	mkdir -p target && .tools/python/bin/python tests/tools/sbom.py target/sbom.cdx.json

.PHONY: fuzz
fuzz: ## run each fuzzer for FUZZ_SECONDS (180); the table of docs/security.md
	tests/tools/install.sh fuzz
	fuzz/run.py $(or $(FUZZ_SECONDS),180)

.PHONY: golden
golden: ## write the golden files and the generated pages anew; look at the diff before you commit it
	UPDATE_GOLDEN=1 cargo test --locked

.PHONY: bench
bench: ## time and memory of a collection of 10,000 tokens, beside the floor of merely fetching them
	cargo bench --locked --bench collect

.PHONY: soak
soak: ## half an hour of troubles, reloads and kills, and months of simulated time; the table of docs/reliability.md
	tests/tools/install.sh prometheus
	SOAK_TABLE=$(CURDIR)/docs/reliability.md cargo bench --locked --bench soak

.PHONY: bench-rules
bench-rules: ## what the alerts cost Prometheus at 100,000 tokens; the table of docs/alerts.md
	tests/tools/install.sh prometheus
	benches/rules.py

.PHONY: bench-scale
bench-scale: ## memory and time by the number of tokens; the table of docs/scaling.md
	cargo build --release --locked
	benches/scale.py target/release/token-expiry-exporter

.PHONY: bench-dashboards
bench-dashboards: ## how long each query of the dashboards takes at 10,000 tokens; the table of docs/dashboards.md
	tests/tools/install.sh prometheus
	TOKENS=$${TOKENS:-10000} cargo test --locked --test suite dashboards::timing -- --ignored --nocapture

.PHONY: dashboards
dashboards: ## draw the dashboards as Grafana draws them, into docs/images/; look at them before you commit them
	tests/tools/install.sh prometheus chromium
	tests/dashboards/run.sh

.PHONY: newest
newest: ## the tests of the alerts on the newest Prometheus and Alertmanager that Debian has
	tests/tools/install.sh prometheus newest smtp
	TOOLS=.tools/newest/bin cargo test --locked --test suite alerts:: -- --skip every_mutant

.PHONY: mutate
mutate: ## break each alert, or those of ALERT=NAME, in many ways; the tests must notice every one
	tests/tools/install.sh prometheus
	.tools/python/bin/python3 tests/mutate $(ALERT)
