#!/bin/sh
# Prepares a folder with Node 24 and the published clients and suites that the tests speak with.
#
#   tests/programs/node_clients.sh FOLDER
#   ECHELON_NODE=FOLDER .venv/bin/pytest tests/test_gateway_mcp_conformance.py
#
# Node 24 comes from the npm registry too, so that any Node with npm is enough to begin with.
set -eu

folder=${1:?"usage: $0 FOLDER"}
mkdir -p "$folder"
cd "$folder"
npm install --no-audit --no-fund --no-save --engine-strict=false \
    node@24 \
    @modelcontextprotocol/conformance@0.2.0-alpha.12

# The package `node` fetches the program for this machine when it is installed; newer npm does not let it.
if ! node_modules/node/bin/node --version 2>/dev/null | grep -q '^v24'; then
    (cd node_modules/node && node installArchSpecificPackage.js)
fi
node_modules/node/bin/node --version
