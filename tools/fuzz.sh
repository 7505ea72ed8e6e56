#!/bin/sh
# Fuzzes the readers of foreign bytes with libFuzzer (clang), under the address and undefined-behaviour
# sanitizers, one target after another, and prints what each did. Any finding is a failure.
#   sh tools/fuzz.sh ROOT [SECONDS [TARGET …]]    (60 seconds each; without names: every target)
# Inputs that reach new code gather in build-fuzz/inputs/TARGET, where the next run goes on; findings
# lie in build-fuzz/findings, and belong into fuzz/corpus/TARGET once they are mended.
set -u
root=$1
seconds=${2:-60}
shift
[ $# -eq 0 ] || shift
cd "$root" || exit 1
folder=build-fuzz
status=0

if [ ! -f $folder/build.ninja ]; then
  CC=clang meson setup -Dfuzzers=true --buildtype=debugoptimized -Db_sanitize=address,undefined \
    -Db_lundef=false $folder >$folder.log 2>&1 || { tail -n 20 $folder.log; exit 1; }
fi
if [ $# -eq 0 ]; then
  for file in fuzz/fuzz_*.c; do
    name=${file#fuzz/fuzz_}
    set -- "$@" "${name%.c}"
  done
fi
# shellcheck disable=SC2046 # names of targets have no blanks
ninja -C $folder $(printf 'fuzz/fuzz_%s ' "$@") >$folder.log 2>&1 || { tail -n 40 $folder.log; exit 1; }
rm -f $folder.log

mkdir -p $folder/findings
printf '%-16s %12s %9s %9s %7s  %s\n' target executions coverage features corpus findings
for name in "$@"; do
  inputs=$folder/inputs/$name
  log=$folder/$name.log
  mkdir -p "$inputs"
  ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions=tests/leaks.supp:print_suppressions=0 \
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    "$folder/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=3000 \
    -artifact_prefix="$folder/findings/$name-" -print_final_stats=1 -verbosity=1 \
    "$inputs" "fuzz/corpus/$name" >"$log" 2>&1 || status=1
  found=$(find $folder/findings -name "$name-*" | wc -l)
  awk -v name="$name" -v found="$found" '
    /cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1)
      if ($i == "ft:") ft = $(i + 1); if ($i == "corp:") corp = $(i + 1) } }
    /number_of_executed_units/ { n = $2 }
    END { printf "%-16s %12d %9d %9d %7s  %d\n", name, n, cov, ft, corp, found }' "$log"
  [ "$found" -eq 0 ] || status=1
done
exit $status
