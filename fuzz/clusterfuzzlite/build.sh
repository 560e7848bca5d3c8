#!/bin/bash -eu
# Builds every target into $OUT, with its seeds beside it, as OSS-Fuzz and ClusterFuzzLite ask for it.
cd "${SRC:?}/websocket/fuzz"
cargo +nightly fuzz build -O --debug-assertions ${SANITIZER:+--sanitizer "$SANITIZER"}
release=target/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
for target in $(cargo +nightly fuzz list); do
  cp "$release/$target" "$OUT/"
  (cd "seeds/$target" && python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" ./*)
  printf '[libfuzzer]\nmax_len = 4096\ntimeout = 5\nmalloc_limit_mb = 64\n' >"$OUT/$target.options"
done
