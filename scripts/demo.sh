#!/usr/bin/env bash
# The whole story on real data: an environment, a notebook in a container, a snapshot, a teammate on
# another engine, a checked model, SageMaker. Installs what is missing; then leaves JupyterLab running.
#   scripts/demo.sh            the story, then JupyterLab (Ctrl-C ends it)
#   scripts/demo.sh --no-lab   the story alone: one line per step with its time
# Everything it keeps is in .demo/ at the project's root.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)
cd "$ROOT"
. scripts/lib/engines.sh
. scripts/lib/project.sh

LAB=yes
case "${1:-}" in
  "") ;;
  --no-lab) LAB=no ;;
  *)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

DEMO="$ROOT/.demo"
LOG="$DEMO/demo.log"
pids=()
mkdir -p "$DEMO"
: >"$LOG"

finish() {
  local code=$?
  trap - EXIT
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || :
  wait
  # The container of a deployment and the teammate's files, after a step that failed.
  [ -z "${RUNTIME:-}" ] || rm -rf "$RUNTIME"
  if [ $code -ne 0 ] && [ $code -ne 130 ]; then
    echo "The step above did not hold. The end of $LOG:" >&2
    tail -n 20 "$LOG" >&2
  fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# step NUMBER TITLE COMMAND…: the last line that the command prints is its result.
step() {
  local number="$1" title="$2" started ended last
  shift 2
  started=$(date +%s.%N)
  printf '%2s  %-34s' "$number" "$title"
  # Not as a condition: bash would then go on after a command of the step that fails.
  local code
  set +e
  (
    set -e
    "$@"
  ) >"$DEMO/step.out" 2>>"$LOG"
  code=$?
  set -e
  cat "$DEMO/step.out" >>"$LOG"
  if [ $code -ne 0 ]; then
    echo "failed"
    return 1
  fi
  ended=$(date +%s.%N)
  last=$(tail -n 1 "$DEMO/step.out")
  printf '%7.1f s  %s\n' "$(echo "$ended - $started" | bc)" "$last"
}

# json EXPRESSION <FILE: a Python expression on the document d.
json() { python -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

free_port() { python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# As the researcher, and as the teammate on the other engine.
mlops() { jupyter mlops "$@" --json --config "$DEMO/config.py"; }
teammate() { jupyter mlops "$@" --json --config "$DEMO/teammate.py"; }

engine() {
  if docker_answers >/dev/null; then
    ENGINE=docker OTHER=podman
  elif command -v podman >/dev/null && ! command -v dockerd >/dev/null; then
    ENGINE=podman OTHER=docker
  else
    ENGINE=docker OTHER=podman
  fi
  "ensure_$ENGINE"
  printf '%s %s\n' "$ENGINE" "$OTHER" >"$DEMO/engines"
  ensure_venv
  ensure_package test
  configure
  mlops engine info | json 'd["capabilities"]["title"]'
}

configure() {
  local name port
  port=$(cat "$DEMO/registry.port" 2>/dev/null || free_port)
  echo "$port" >"$DEMO/registry.port"
  for name in config teammate; do
    cat >"$DEMO/$name.py" <<EOF
c.Mlops.engine = "$([ $name = config ] && echo "$ENGINE" || echo "$OTHER")"
c.Mlops.data_dir = "$DEMO/$([ $name = config ] && echo data || echo teammate/data)"
c.Mlops.runtime_dir = "$RUNTIME/$name"
c.Mlops.owner = "$([ $name = config ] && echo ada || echo grace)"
c.Mlops.project = "127.0.0.1:$port/team/diabetes"
c.Mlops.targets = {
    "sagemaker": {
        "endpoint_url": "http://127.0.0.1:$AWS_PORT",
        "registry_override": "127.0.0.1:$port",
        "region": "eu-west-1",
        "poll_seconds": 0.5,
    }
}
EOF
  done
}

base() {
  ensure_apt mmdebstrap >&2
  mlops base list | json '[b["name"] for b in d]' | grep -q "'debian'" || mlops base create debian >/dev/null
  mlops base list | json '"%s, %.0f MB" % (d[0]["origin"], d[0]["size"] / 1e6)'
}

environment() {
  local verb="create"
  ! mlops env show diabetes >/dev/null 2>&1 || verb="build diabetes"
  # shellcheck disable=SC2086
  mlops env $verb --from examples/diabetes/environment.yaml >"$DEMO/revision.json"
  mlops env lock diabetes >/dev/null
  json '"revision %d: %d packages, Python %s, %.0f MB" % (d["number"], d["packages"], d["python"], d["size"] / 1e6)' <"$DEMO/revision.json"
}

# What an earlier run left, so that names are free.
tidy() {
  local noun name
  for name in $(mlops deployment list | json '" ".join(x["id"] for x in d)'); do mlops deployment delete "$name" --yes; done
  for noun in package snapshot; do
    for name in $(mlops $noun list | json '" ".join(x["id"] for x in d)'); do mlops $noun delete "$name" --yes; done
  done
  for name in $(teammate snapshot list | json '" ".join(x["id"] for x in d)'); do teammate snapshot delete "$name" --yes; done
  rm -rf "$DEMO/work" "$DEMO/teammate/opened" "$DEMO/teammate/reproduced"
  mkdir -p "$DEMO/work"
  cp -r examples/diabetes "$DEMO/work/"
}

notebook() {
  tidy
  mlops run "$DEMO/work/diabetes/train.ipynb" --env diabetes --snapshot baseline >"$DEMO/run.json"
  python -c '
import json, sys
cells = [c for c in json.load(open(sys.argv[1]))["cells"] if c["cell_type"] == "code"]
assert all(c["execution_count"] for c in cells)
texts = ["".join(o.get("text", "")) for c in cells for o in c["outputs"]]
print(len(cells), "cells;", next(t for t in texts if t.startswith("R²")).splitlines()[0])
' "$DEMO/work/diabetes/train.ipynb"
}

drift() {
  json '[c["name"] for c in d["drift"]["added"]] == ["humanize"] and not d["drift"]["removed"] + d["drift"]["changed"] + d["drift"]["patched"]' <"$DEMO/run.json" | grep -qx True
  json '"exactly humanize " + d["drift"]["added"][0]["after"]' <"$DEMO/run.json"
}

snapshot() {
  mlops snapshot show baseline >"$DEMO/snapshot.json"
  mlops operation show "$(json 'd["operation"]' <"$DEMO/run.json")" |
    json '"%.1f s of the run" % sum(p["seconds"] for p in d["phases"] if p["name"] in ("freeze", "inventory", "lock", "files", "bundle"))' >"$DEMO/freeze"
  json '"%s: %.1f MB new, %d files, %d members; " % (d["id"], d["size"] / 1e6, d["workspace"]["files"], len(d["members"]))' <"$DEMO/snapshot.json" | tr -d '\n'
  cat "$DEMO/freeze"
}

start_registry() {
  ensure_registry_binary >&2
  cat >"$DEMO/registry.yml" <<EOF
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $DEMO/registry }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$(cat "$DEMO/registry.port")" }
EOF
  docker-registry serve "$DEMO/registry.yml" >>"$LOG" 2>&1 &
  pids+=($!)
}

publish() {
  mlops share publish baseline >"$DEMO/published.json"
  json 'd["publications"][-1]["project"] + " " + d["publications"][-1]["digest"][:19] + "…"' <"$DEMO/published.json"
}

# Opened on another engine, and run again there.
share() {
  "ensure_$OTHER" >&2
  local id
  id=$(json 'd["id"]' <"$DEMO/snapshot.json")
  teammate share open "$id" --into "$DEMO/teammate/opened" >/dev/null
  teammate reproduce "$id" --into "$DEMO/teammate/reproduced" >"$DEMO/report.json"
  json 'all(x["passed"] for x in d["levels"])' <"$DEMO/report.json" | grep -qx True
  printf '%s: ' "$OTHER"
  json '"%s hold; %d of %d cells the same" % (" ".join(x["level"] for x in d["levels"]), *(lambda cells: (sum(c["verdict"] == "same" for c in cells), len(cells)))([c for n in d["notebooks"] for c in n["cells"]]))' <"$DEMO/report.json"
}

package() {
  mlops package create baseline --name diabetes --model model.joblib --handler inference.py \
    --sample sample.json --expected prediction.json >/dev/null
  mlops package check diabetes >/dev/null
  mlops package show diabetes >"$DEMO/package.json"
  json '"%d checks passed, same prediction; layer %.0f kB" % (len(d["report"]["checks"]), d["layer_size"] / 1e3) if all(c["passed"] for c in d["report"]["checks"]) and any(c["name"] == "same_prediction" for c in d["report"]["checks"]) else 1 / 0' <"$DEMO/package.json"
}

deploy_local() {
  mlops deploy diabetes --target local --name diabetes-local >"$DEMO/local.json"
  local url
  url=$(json 'd["endpoint"]' <"$DEMO/local.json")
  curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary "@$DEMO/work/diabetes/sample.json" \
    "$url" >"$DEMO/answer.json"
  python -c 'import json, sys; a, b = (json.load(open(p)) for p in sys.argv[1:]); assert a == b, (a, b)' \
    "$DEMO/answer.json" "$DEMO/work/diabetes/prediction.json"
  echo "$url answers as the notebook did"
}

start_aws() {
  moto_server -H 127.0.0.1 -p "$AWS_PORT" >>"$LOG" 2>&1 &
  pids+=($!)
  AWS_ENDPOINT_URL="http://127.0.0.1:$AWS_PORT" AWS_DEFAULT_REGION=eu-west-1 \
    python scripts/lib/sagemaker_role.py sagemaker-runs >>"$LOG" 2>&1
}

sagemaker() {
  mlops deploy diabetes --target sagemaker --name diabetes-api \
    --option role=arn:aws:iam::123456789012:role/sagemaker-runs >"$DEMO/sagemaker.json"
  AWS_ENDPOINT_URL="http://127.0.0.1:$AWS_PORT" AWS_DEFAULT_REGION=eu-west-1 \
    python scripts/lib/hosting.py "$(json 'd["endpoint"]' <"$DEMO/sagemaker.json")" \
    "$DEMO/work/diabetes/sample.json" "$DEMO/work/diabetes/prediction.json"
}

clean_up() {
  mlops deployment delete diabetes-api --yes >/dev/null
  mlops deployment delete diabetes-local --yes >/dev/null
  rm -rf "$DEMO/teammate/opened" "$DEMO/teammate/reproduced"
  teammate snapshot delete baseline --yes >/dev/null
  mlops deployment list | json 'len(d)' | grep -qx 0
  mlops kernel list | json 'len(d)' | grep -qx 0
  echo "kept: base, environment, snapshot and package, in .demo/"
}

RUNTIME=$(mktemp -d /tmp/mlops-demo.XXXX)
command -v curl >/dev/null && command -v bc >/dev/null || ensure_apt curl bc ca-certificates
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_EC2_METADATA_DISABLED=true
export PATH="$VENV/bin:$PATH"
AWS_PORT=0 ENGINE=docker OTHER=podman

step 1 "engine" engine
read -r ENGINE OTHER <"$DEMO/engines"
AWS_PORT=$(free_port)
configure
step 2 "base image" base
step 3 "environment built" environment
step 4 "notebook run in a container" notebook
step 5 "drift found" drift
step 6 "snapshot frozen" snapshot
start_registry
step 7 "published to a registry" publish
step 8 "opened and reproduced by a teammate" share
step 9 "model packaged and checked" package
step 10 "deployed here and invoked" deploy_local
start_aws
step 11 "exported to SageMaker" sagemaker
step 12 "stopped and removed" clean_up

if [ $LAB = yes ]; then
  token=$(python -c 'import secrets; print(secrets.token_hex(16))')
  port=$(free_port)
  echo
  echo "JupyterLab: http://127.0.0.1:$port/lab?token=$token   (Ctrl-C ends it)"
  jupyter lab --no-browser --ip 127.0.0.1 --port "$port" --IdentityProvider.token "$token" \
    --ServerApp.root_dir "$DEMO/work" --config "$DEMO/config.py" \
    $([ "$(id -u)" != 0 ] || echo --allow-root) >>"$LOG" 2>&1
fi
