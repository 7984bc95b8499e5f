#!/usr/bin/env bash
# The real parts of the UI tests: a registry, AWS as moto has it, ada's JupyterLab on Docker and a
# teammate's on Podman. Ends with all of them.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
runtime=$(mktemp -d /tmp/mlops-ui.XXXX)
pids=()
ada=ada-$$ grace=grace-$$

finish() {
  trap - EXIT
  # A second signal must not stop it half-way.
  trap '' TERM INT
  set +e
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
  wait
  # What these two made in the engines, found by their label.
  for engine in docker podman; do
    for owner in "$ada" "$grace"; do
      $engine ps -aq --filter "label=io.jupyter-mlops.owner=$owner" | xargs -r "$engine" rm -f
      # An image stays while another is built on it: base, environment, revision, snapshot, package.
      for _ in 1 2 3 4 5; do
        $engine images -q --filter "label=io.jupyter-mlops.owner=$owner" | sort -u | xargs -r "$engine" rmi -f
      done
    done
  done >/dev/null 2>&1
  rm -rf "$work" "$runtime"
}
trap finish EXIT
trap 'exit 143' TERM INT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

registry=127.0.0.1:$(free_port)
cat >"$work/registry.yml" <<EOF
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry }, delete: { enabled: true } }
http: { addr: $registry }
EOF
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
pids+=($!)

aws=$(free_port)
(cd .. && exec python -m tests.parts.aws_server "$aws") >"$work/aws.log" 2>&1 &
pids+=($!)

export UI_TEST_REGISTRY="$registry" UI_TEST_AWS="http://127.0.0.1:$aws"
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_EC2_METADATA_DISABLED=true
AWS_ENDPOINT_URL="$UI_TEST_AWS" AWS_DEFAULT_REGION=eu-west-1 python ../scripts/lib/sagemaker_role.py sagemaker-runs
export JUPYTER_PLATFORM_DIRS=1 PYDEVD_DISABLE_FILE_VALIDATION=1

# folder, owner, port, engine
lab() {
  local home="$work/$1"
  mkdir -p "$home/files" "$runtime/$1"
  UI_TEST_WORK="$home" UI_TEST_RUNTIME="$runtime/$1" UI_TEST_OWNER="$2" UI_TEST_PORT="$3" UI_TEST_ENGINE="$4" \
    JUPYTER_CONFIG_DIR="$home/config" JUPYTER_DATA_DIR="$home/jupyter" \
    jupyter lab --config jupyter_server_test_config.py >"$home/lab.log" 2>&1 &
  pids+=($!)
}
mkdir -p "$work/ada/files"
cp -r ../examples/diabetes "$work/ada/files/"
mkdir -p logs
lab grace "$grace" "$UI_TEST_TEAMMATE_PORT" podman
lab ada "$ada" "$UI_TEST_PORT" docker
ln -sf "$work/ada/lab.log" logs/ada.log
ln -sf "$work/grace/lab.log" logs/grace.log
wait -n
