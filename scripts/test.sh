#!/usr/bin/env bash
# All tests, from a fresh machine, against real parts. See docs/developers.
#   scripts/test.sh            everything
#   scripts/test.sh python -k snapshots   one suite (lint, docs, jest, wheel, python, browser), with its arguments
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT"
. scripts/lib/engines.sh
. scripts/lib/project.sh

suites=(lint docs jest wheel python browser)
arguments=()
if [ $# -gt 0 ]; then
  case " ${suites[*]} " in
    *" $1 "*) ;;
    *)
      sed -n '2,4s/^# \{0,1\}//p' "$0"
      exit 2
      ;;
  esac
  suites=("$1")
  arguments=("${@:2}")
fi

title() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

title "Setting up"
ensure_venv
ensure_package test,lint
ensure_node

run_lint() {
  ruff check .
  ruff format --check .
  mypy
  lint-imports
  jlpm install --immutable >/dev/null
  jlpm lint:check
}

run_docs() {
  install_editable docs
  sphinx-build -q -W -b html docs docs/_build
}

run_jest() {
  jlpm install --immutable >/dev/null
  jlpm test "${arguments[@]}"
}

# The wheel must install, and its two halves be found, where there is no Node.
run_wheel() {
  local folder
  folder=$(mktemp -d)
  uv build --quiet --wheel --no-build-isolation --out-dir "$folder" .
  uv venv --quiet "$folder/venv"
  PATH="$folder/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin" VIRTUAL_ENV="$folder/venv" \
    "$VENV/bin/uv" pip install --quiet jupyterlab "$folder"/jupyter_mlops-*.whl
  PATH="$folder/venv/bin:/bin" "$folder/venv/bin/jupyter" server extension list 2>&1 | grep -E 'jupyter_mlops.*OK'
  PATH="$folder/venv/bin:/bin" "$folder/venv/bin/jupyter" labextension list 2>&1 | grep -E 'jupyter-mlops.*OK'
  PATH="$folder/venv/bin:/bin" "$folder/venv/bin/jupyter" mlops --help >/dev/null
  rm -rf "$folder"
}

# Much of a test is waiting for an engine, so two processes share the files of tests; each has an owner
# of its own, as two users of one engine have. Tests against real engines on a busy machine: what failed
# runs once more by itself. Failing twice is a failure; failing once is named, so that it gets mended.
run_python() {
  ensure_parts
  local code=0
  "$VENV/bin/python" -m pytest --cache-clear --durations 15 -n 2 --dist loadfile "${arguments[@]}" || code=$?
  [ $code -eq 1 ] || return $code
  title "Once more, what failed; each that passes now is unsteady"
  "$VENV/bin/python" -m pytest -v --last-failed --last-failed-no-failures none
}

run_browser() {
  ensure_parts
  ensure_apt chromium fonts-dejavu-core
  (
    cd ui-tests
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 jlpm install --immutable >/dev/null
    jlpm playwright test "${arguments[@]}"
  )
}

ensure_parts() {
  ensure_docker
  ensure_podman
  ensure_registry_binary
  # Base images, image archives read by other programs, tiny images, passwords of registries.
  ensure_apt mmdebstrap skopeo busybox-static apache2-utils git
}

for suite in "${suites[@]}"; do
  title "$suite"
  "run_$suite"
done
title "All passed"
