# `make check` is for every change, `make test` for what lands; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Runs a command as a named step, and adds its time to a table.
STEP := tests/tools/step.sh

# Tests that need installed servers and tools, or more than a few seconds. `make check` leaves them out.
SLOW := adding_a_provider:: alerts:: aws:: buckets:: compose:: crashes:: dashboards:: demo:: digest:: doc_blocks:: exposition:: faults:: fleet:: fuzz:: health:: helm:: hostile_names:: licences:: jupyterhub:: keystone:: kubeconfig:: locations:: netbox:: openbao:: prism:: \
  reload:: secret_leaks:: shards:: storage:: unleash:: upgrade:: walk_throughs:: web::browser web::calendar web::limits web::renewal web::shutdown web::tls workflows:: zabbix::

# Tests that write golden files and generated pages.
GOLDEN := alerts::delivery alerts::table check_online:: config:: dashboards::selection definitions:: digest::mail_of docs:: exposition:: helm::generated helm::render provider_pages:: storage::

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | column -ts $$'\t'

.PHONY: demo
demo: ## run the exporter on a simulated organisation
	cargo run --release -- demo

.PHONY: check
check: fast doc ## formatting, clippy, links in comments, unit tests and fast tests; needs no root, Docker, network or servers
	cargo test --locked --quiet --lib --bins
	cargo test --locked --quiet --test suite -- $(addprefix --skip ,$(SLOW))

.PHONY: fast
fast: # the part of `make check` that the pre-commit hook runs
	cargo fmt --all -- --check
	cargo clippy --locked --quiet --all-targets -- --deny warnings

.PHONY: hooks
hooks: ## install a pre-commit hook that checks formatting, clippy and the layout
	install -m 755 tests/tools/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"

.PHONY: provider
provider: ## write the skeleton of a definition and its scenarios: make provider NAME=acme
	tests/tools/new-provider.sh $(NAME)

.PHONY: golden
golden: ## write the golden files and the generated pages; review the diff before you commit it
	tests/tools/install.sh prometheus smtp helm helm3 kubernetes-validate
	UPDATE_GOLDEN=1 cargo test --locked --lib -- generated_docs
	UPDATE_GOLDEN=1 cargo test --locked --test allocations
	UPDATE_GOLDEN=1 cargo test --locked --test suite -- $(GOLDEN)

.PHONY: tools
tools: ## install the tools of the tests, pinned, into .tools/
	tests/tools/install.sh prometheus openbao prism moto jupyterhub keystone debian13 unleash azurite smtp readers deny sbom helm helm3 kubernetes-validate lint shells browser

.PHONY: lint
lint: fast doc ## formatting, clippy and documentation, without warnings
	cargo clippy --locked --quiet --test ship -- --deny warnings
	# Without the cargo feature too, as for `make demo`.
	cargo clippy --locked --quiet -- --deny warnings

.PHONY: doc
doc: # links in comments
	RUSTDOCFLAGS='--deny warnings --allow rustdoc::private-intra-doc-links' cargo doc --locked --no-deps --document-private-items --quiet

.PHONY: test
test: ## everything that must pass, real servers included; ends with the seconds of each step
	@$(STEP) --begin
	@# Downloads need little CPU time, so the code is compiled meanwhile.
	@set -e; mkdir -p target; $(STEP) 'tools, during lint and build' $(MAKE) tools machine >target/tools.log 2>&1 & tools=$$!; \
	  trap 'wait $$tools' EXIT; $(STEP) lint $(MAKE) lint; $(STEP) 'build of the tests' cargo test --locked --no-run; \
	  wait $$tools || { tail -n 40 target/tools.log; exit 1; }
	@$(STEP) 'licences and SBOM' $(MAKE) deny sbom
	@$(STEP) 'unit tests' cargo test --locked --lib --bins
	@$(STEP) 'allocations' cargo test --locked --test allocations
	@$(STEP) 'test suite' cargo test --locked --test suite
	@$(MAKE) ship
	@$(STEP) --table

.PHONY: machine
machine: # the Debian in which the package is tested; needs root
	[ "$$(id -u)" != 0 ] || tests/tools/install.sh docker machine

.PHONY: ship
ship: ## build image, archive and Debian package and run them as their users do; needs root or a Docker daemon
	tests/tools/install.sh prometheus machine
	tests/ship/with-docker.sh tests/ship/run.sh

.PHONY: image
image: ## build the container image token-expiry-exporter:VERSION
	tests/ship/with-docker.sh packaging/image.sh "token-expiry-exporter:$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)"

.PHONY: dist
dist: ## build archive, Debian package and checksums for this machine's architecture, into dist/
	tests/ship/with-docker.sh packaging/dist.sh

.PHONY: reproducible
reproducible: ## build the image twice without a cache and compare
	tests/ship/with-docker.sh packaging/reproducible.sh

.PHONY: deny
deny: ## check licences, sources and banned crates of all dependencies against deny.toml
	tests/tools/install.sh deny
	.tools/bin/cargo-deny --locked check bans licenses sources

.PHONY: advisories
advisories: ## check the dependencies against the RustSec database; needs a network
	tests/tools/install.sh deny
	.tools/bin/cargo-deny --locked check advisories

.PHONY: sbom
sbom: ## write the SBOM (CycloneDX) to target/sbom.cdx.json and validate it
	tests/tools/install.sh sbom
	mkdir -p target && .tools/python/bin/python tests/tools/sbom.py target/sbom.cdx.json

.PHONY: fuzz
fuzz: ## run each fuzzer for FUZZ_SECONDS (180); the table of docs/security.md
	tests/tools/install.sh fuzz
	fuzz/run.py $(or $(FUZZ_SECONDS),180)

.PHONY: bench
bench: ## from 10 to 1,000,000 tokens, compared with nginx, Pushgateway, the Python client and node_exporter; the tables of docs/performance.md
	tests/tools/install.sh rivals
	cargo build --locked --features object-store --profile dist
	benches/growth.py target/dist/token-expiry-exporter --json target/bench.json --docs

.PHONY: bench-collect
bench-collect: ## time and memory of a collection of 10,000 tokens, compared with only fetching them
	cargo bench --locked --profile dist --bench collect

.PHONY: fleet
fleet: ## every experiment with replicas on moto, azurite and Ceph's radosgw, a quarter of an hour; the table of docs/scaling.md
	tests/tools/install.sh moto azurite ceph faketime
	cargo test --locked --test suite fleet::table -- --ignored --nocapture

.PHONY: soak
soak: ## half an hour of provider faults, reloads and kills, and months of simulated time; the table of docs/reliability.md
	tests/tools/install.sh prometheus
	SOAK_TABLE=$(CURDIR)/docs/reliability.md cargo bench --locked --profile dist --bench soak

.PHONY: bench-rules
bench-rules: ## evaluation time of the alerts in Prometheus at 100,000 tokens; the table of docs/alerts.md
	tests/tools/install.sh prometheus
	benches/rules.py

.PHONY: bench-scale
bench-scale: ## memory and CPU time at 100,000 and 1,000,000 tokens compared with their goals; fails if one is missed
	cargo build --locked --features object-store --profile dist
	benches/scale.py target/dist/token-expiry-exporter --json target/bench-scale.json --docs

.PHONY: bench-pages
bench-pages: ## time of each page at 10,000 tokens; the table of docs/performance.md; fails if one takes more than 100 ms
	cargo build --locked --features object-store --profile dist
	benches/pages.py target/dist/token-expiry-exporter --docs

.PHONY: bench-dashboards
bench-dashboards: ## query time of the dashboards at 10,000 tokens; the table of docs/dashboards.md
	tests/tools/install.sh prometheus
	TOKENS=$${TOKENS:-10000} cargo test --locked --test suite dashboards::timing -- --ignored --nocapture

.PHONY: dashboards
dashboards: ## render the dashboards in Grafana's style into docs/images/; review the images before you commit them
	tests/tools/install.sh prometheus chromium
	tests/dashboards/run.sh

.PHONY: pages
pages: ## photograph the status page, its sub-pages, mails and a terminal, with the demo's tokens, into docs/images/; review the images before you commit them
	tests/tools/install.sh browser prometheus smtp
	tests/pages/run.sh

.PHONY: newest
newest: ## test the alerts with the newest Prometheus and Alertmanager of Debian
	tests/tools/install.sh prometheus newest smtp
	TOOLS=.tools/newest/bin cargo test --locked --test suite alerts:: -- --skip every_mutant

.PHONY: random-values
random-values: ## render 2,000 random values of the chart and validate every object; SEED chooses others
	tests/tools/install.sh helm helm3 kubernetes-validate
	.tools/python/bin/python3 tests/helm/random_values.py 2000 $(or $(SEED),1)

.PHONY: mutate
mutate: ## change each alert, or those of ALERT=NAME, in many ways; the alert tests must detect every change
	tests/tools/install.sh prometheus
	.tools/python/bin/python3 tests/mutate $(ALERT)
