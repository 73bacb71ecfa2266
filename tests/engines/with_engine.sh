#!/usr/bin/env bash
# Run a command with a Dagger engine: the one that is configured, else Docker's, else the one that DAGGER_TEST_ENGINE starts.
#
# DAGGER_TEST_ENGINE names a program with the verbs start, stop, status and env, which leaves the reference of a base image
# for machines without Docker Hub in py.ref of its home. An engine that was started here is stopped here.
set -euo pipefail

refuse() { printf 'error: %s\n  remedy %s\n' "$1" "$2" >&2; exit 2; }

if [[ -n ${_EXPERIMENTAL_DAGGER_RUNNER_HOST:-} ]] || { command -v dagger && docker info; } >/dev/null 2>&1; then
  command -v dagger >/dev/null || refuse "an engine is configured, and there is no dagger to ask it" "install Dagger 0.21.8"
  exec "$@"
fi
[[ -n ${DAGGER_TEST_ENGINE:-} ]] || refuse \
  "there is no Dagger engine: no _EXPERIMENTAL_DAGGER_RUNNER_HOST, and no dagger with a Docker daemon" \
  "install Dagger 0.21.8 and start Docker, or name an engine, or set DAGGER_TEST_ENGINE to a program that starts one"
engine=$(realpath "$DAGGER_TEST_ENGINE")
[[ -f $engine ]] || refuse "DAGGER_TEST_ENGINE is no program: $DAGGER_TEST_ENGINE" "correct it"

programs=(docker-registry:docker-registry runc:runc dnsmasq:dnsmasq-base iptables:iptables ip:iproute2 debootstrap:debootstrap)
missing=()
for each in "${programs[@]}"; do
  command -v "${each%%:*}" >/dev/null || missing+=("${each##*:}")
done
if ((${#missing[@]})); then
  [[ $(id -u) = 0 ]] || refuse "the test engine needs ${missing[*]}" "sudo apt-get install ${missing[*]}"
  echo "installing ${missing[*]}"
  apt-get -qq update >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! bash "$engine" status >/dev/null 2>&1; then
  trap 'bash "$engine" stop' EXIT
  GOTOOLCHAIN=${GOTOOLCHAIN:-auto} bash "$engine" start
fi
eval "$(bash "$engine" env)"
home=${DAGGER_ENGINE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/dagger-engine-test}
DAGGER_TEST_BASE=${DAGGER_TEST_BASE:-$(cat "$home/py.ref")}
export DAGGER_TEST_BASE
"$@"
