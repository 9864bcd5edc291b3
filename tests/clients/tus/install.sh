#!/bin/sh
# Installs the tus clients that the tests run: tus-js-client by npm, tuspy into a virtual environment.
set -eu
cd "$(dirname "$0")"
npm ci --no-audit --no-fund
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
