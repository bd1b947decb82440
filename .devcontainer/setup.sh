#!/usr/bin/env bash
# Runs once when the container (or codespace) is made: dependencies and dist/, the kernel, the compiled engine.
set -euo pipefail
cd "$(dirname "$0")/.."

npm ci --no-audit --no-fund
node scripts/build.mjs --if-stale
node bin/netssm.cjs kernel install
# Compiles the native engine now rather than in the first notebook, and shows what works here.
node bin/netssm.cjs doctor
