#!/bin/sh
# Looks over the sources with gcc, clang, clang-tidy, cppcheck, shellcheck and clang-format, as far as
# they are installed, and says which are not. Any finding is a failure.
#   sh tools/lint.sh ROOT [FILE.c …]    (without files: all sources; clang-tidy takes minutes)
set -u
root=$1
shift
cd "$root" || exit 1
status=0

has() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "-- $1: not installed (Debian: apt-get install $2)"
  return 1
}

step() { echo "== $*"; }

if [ $# -eq 0 ]; then
  # shellcheck disable=SC2046 # no path in src has a space
  set -- $(find src -name '*.c' ! -path '*/data/*' | LC_ALL=C sort)
fi

for compiler in gcc clang; do
  has $compiler $compiler || continue
  folder=build-lint-$compiler
  step "$compiler, warnings as errors"
  [ -f "$folder/build.ninja" ] || CC=$compiler meson setup --werror -Dbuildtype=debugoptimized \
    "$folder" >"$folder.log" 2>&1 || { tail -n 20 "$folder.log"; status=1; }
  ninja -C "$folder" >"$folder.log" 2>&1 || {
    grep -E -A 6 'error:|FAILED' "$folder.log" | head -n 60
    status=1
  }
  rm -f "$folder.log"
done

database=build-lint-gcc
[ ! -f build-lint-clang/compile_commands.json ] || database=build-lint-clang
if has clang-tidy clang-tidy; then
  step clang-tidy
  clang-tidy --quiet -p "$database" "$@" 2>/dev/null || status=1
fi
if has cppcheck cppcheck; then
  step cppcheck
  cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -I src -D_GNU_SOURCE \
    --enable=warning,portability,performance --suppressions-list=.cppcheck "$@" || status=1
fi
if has shellcheck shellcheck; then
  step shellcheck
  shellcheck ink examples/*.sh tests/run.sh tools/*.sh .ci/run || status=1
fi
if has clang-format clang-format; then
  step clang-format
  git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror || status=1
fi
[ $status -eq 0 ] && echo "nothing to mend"
exit $status
