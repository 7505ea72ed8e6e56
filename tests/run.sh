#!/bin/sh
# Every test, in two builds: the optimised one, and one under the address and undefined-behaviour
# sanitizers for all that reads files. Closes with one line "N passed, N failed".
#   sh tests/run.sh ROOT BUILD
set -u
root=$1
build=$2
sanitized=$build-sanitized
status=0

if [ ! -f "$sanitized/build.ninja" ]; then
  meson setup --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    "$sanitized" "$root" >"$sanitized.log" 2>&1 || { cat "$sanitized.log"; exit 1; }
fi
ninja -C "$sanitized" >"$sanitized.log" 2>&1 || { tail -n 40 "$sanitized.log"; exit 1; }
rm -f "$sanitized.log"

echo "== optimised build"
meson test -C "$build" --no-rebuild --print-errorlogs || status=1
echo "== under sanitizers"
ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
  LSAN_OPTIONS=suppressions="$root/tests/leaks.supp":print_suppressions=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
  meson test -C "$sanitized" --no-rebuild --print-errorlogs --timeout-multiplier 4 --suite base --suite lang --suite weights --suite tokenizer --suite models --suite picture --suite diffusion --suite train --suite mark --suite fuzz --suite desk || status=1

# meson counts executables; a stranger wants to know how many promises were tried.
awk -v status="$status" '
  function value(name,  rest) {
    if (!match($0, " " name "=\"[0-9]+\"")) return 0
    rest = substr($0, RSTART + length(name) + 3)
    return rest + 0
  }
  /<testsuite / {
    total += value("tests"); failed += value("failures") + value("errors"); skipped += value("skipped")
  }
  END {
    passed = total - failed - skipped
    if (status && !failed) failed = 1 # a test that died before it could count
    printf "\n%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
    exit failed > 0 || passed == 0
  }' "$build/meson-logs/testlog.junit.xml" "$sanitized/meson-logs/testlog.junit.xml"
