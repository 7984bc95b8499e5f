# shellcheck shell=bash
# Container engines and the registry, on a fresh Debian or Ubuntu: source this file.
#
#   ensure_apt PACKAGE…      installs those that are missing
#   ensure_docker            Docker answers when it returns; installed and started if need be
#   ensure_podman            Podman with all that its containers need
#   ensure_rootless_podman   the same for users other than root
#   ensure_registry_binary   the program `docker-registry`
#   stop_docker              ends the dockerd that ensure_docker started, and no other
#   remove_store FOLDER      removes Podman's store in FOLDER (engine_url = podman://FOLDER)
#
# Each prints one line. Works as root; another user needs sudo.

ENGINES_STATE="${ENGINES_STATE:-/tmp/jupyter-mlops-engines-$(id -u)}"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

ensure_apt() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "Install ${missing[*]} with your system's package manager, then run this again." >&2
    return 1
  fi
  mkdir -p "$ENGINES_STATE"
  local log="$ENGINES_STATE/apt.log"
  # The lists of a fresh machine are empty or old; once per run is enough.
  if [ -z "${ENGINES_APT_UPDATED:-}" ]; then
    as_root apt-get update -q >"$log" 2>&1 || {
      tail -n 5 "$log" >&2
      return 1
    }
    export ENGINES_APT_UPDATED=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "${missing[@]}" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    return 1
  }
  echo "installed ${missing[*]}"
}

docker_answers() {
  docker version --format '{{.Server.Version}}' 2>/dev/null
}

ensure_docker() {
  local version
  if command -v docker >/dev/null && version=$(docker_answers); then
    echo "Docker $version answers"
    return 0
  fi
  ensure_apt docker.io iptables ca-certificates || return 1
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker || return 1
  else
    start_dockerd || return 1
  fi
  local _
  for _ in $(seq 120); do
    if version=$(docker_answers); then
      echo "Docker $version started"
      return 0
    fi
    sleep 0.5
  done
  echo "Docker did not start. The end of its log:" >&2
  tail -n 10 "$ENGINES_STATE/dockerd.log" >&2
  return 1
}

# Where no init system runs (containers, CI machines): dockerd as a background process.
start_dockerd() {
  mkdir -p "$ENGINES_STATE"
  if ! mountpoint -q /sys/fs/cgroup; then
    ensure_apt cgroupfs-mount && as_root cgroupfs-mount || return 1
  fi
  # One that was killed leaves its process id behind, and the next one refuses to start.
  local old
  old=$(cat /var/run/docker.pid 2>/dev/null) || old=
  if [ -n "$old" ] && ! [ -d "/proc/$old" ]; then as_root rm -f /var/run/docker.pid; fi
  as_root sh -c 'setsid dockerd >"$1/dockerd.log" 2>&1 </dev/null & echo $! >"$1/dockerd.pid"' \
    sh "$ENGINES_STATE"
}

stop_docker() {
  local pid
  pid=$(cat "$ENGINES_STATE/dockerd.pid" 2>/dev/null) || return 0
  if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    as_root kill "$pid"
    local _
    for _ in $(seq 60); do
      [ -d "/proc/$pid" ] || break
      sleep 0.5
    done
    echo "Docker stopped"
  fi
  as_root rm -f "$ENGINES_STATE/dockerd.pid"
}

ensure_podman() {
  # runc: crun refuses machines with mixed cgroup versions. netavark: bridge networks.
  # uidmap and slirp4netns: containers without root.
  ensure_apt podman runc netavark aardvark-dns iptables uidmap slirp4netns ca-certificates ||
    return 1
  echo "Podman $(podman --version | awk '{print $3}') is installed"
}

ensure_rootless_podman() {
  ensure_podman || return 1
  # Networks of containers without root go through this device. Where udev runs, it is open to all.
  if [ ! -c /dev/net/tun ]; then
    as_root mkdir -p /dev/net && as_root mknod /dev/net/tun c 10 200 || return 1
  fi
  case "$(stat -c %a /dev/net/tun)" in *6) ;; *) as_root chmod 666 /dev/net/tun ;; esac
}

ensure_registry_binary() {
  ensure_apt docker-registry || return 1
  echo "docker-registry $(docker-registry --version | awk '{print $NF}') is installed"
}

# Podman leaves a mount at the top of its store, and what is volatile elsewhere.
remove_store() {
  local folder="$1" volatile mounted
  volatile="jmlops-$(printf %s "$folder" | sha256sum | cut -c1-8)"
  volatile="$([ "$(id -u)" = 0 ] && echo /run || echo "${XDG_RUNTIME_DIR:-/tmp}")/$volatile"
  awk '{print $2}' /proc/self/mounts | sort -r | while read -r mounted; do
    case "$mounted" in "$folder"/* | "$volatile"/*) as_root umount --lazy "$mounted" ;; esac
  done
  as_root rm -rf "$folder" "$volatile"
}
