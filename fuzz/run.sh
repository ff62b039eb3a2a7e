#!/usr/bin/env bash
# run.sh SECONDS [TARGET ...]: each target for so many seconds, one after the other; needs a nightly compiler.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-600}; shift || true
targets=("$@"); [ ${#targets[@]} -gt 0 ] || targets=(text tokens embedding state planner catalog cache)
rustc +nightly --version > /dev/null 2>&1 || { echo "fuzz: skipped, no nightly compiler; rustup toolchain install nightly"; exit 0; }
# What cargo-fuzz passes, so that it need not be installed.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
cargo +nightly build --quiet --release --target "$host"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds=(); [ -d "seeds/$target" ] && seeds=("seeds/$target")
    echo "== $target, $seconds s"
    "${CARGO_TARGET_DIR:-target}/$host/release/$target" "corpus/$target" "${seeds[@]}" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -max_len=8192 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 -verbosity=0
done
