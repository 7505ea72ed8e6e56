#!/bin/sh
# The front door: installs what is missing, builds what is out of date, runs.
#   ./ink demo        three briefs become finished, checked and labelled poems
#   ./ink test        run every test
#   ./ink build       install what is missing and build
#   ./ink COMMAND …   the program itself: ./ink write, ./ink make, ./ink help
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$root/build
program=$build/inkstone
stamp=$build/.up-to-date

packages='gcc libc6-dev meson ninja-build pkg-config libcmocka-dev libcurl4-openssl-dev
  libedit-dev libfyaml-dev libjansson-dev libpcre2-dev libssl-dev libutf8proc-dev'

say() { printf '%s\n' "$*" >&2; }

# Everything the build needs, asked of the tools themselves: no package manager where all is there.
complete() {
  for tool in cc meson ninja pkg-config; do
    command -v "$tool" >/dev/null 2>&1 || return 1
  done
  pkg-config --exists cmocka libcurl libedit libfyaml jansson libpcre2-8 libcrypto libutf8proc
}

install_packages() {
  # shellcheck disable=SC2086 # the list is meant to split
  set -- $packages
  if ! command -v apt-get >/dev/null 2>&1; then
    say "ink: this system has no apt-get. Install the counterparts of these Debian packages, then run"
    say "ink again: $*"
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "ink: some packages are missing. Install them with"
    say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    say "and run ink again."
    exit 1
  fi
  if [ -t 0 ] && [ -t 2 ]; then
    say "ink: these Debian packages are needed; those that are missing will be installed:"
    say "  $*"
    printf 'Go on? [Y/n] ' >&2
    read -r answer
    case $answer in n* | N*) exit 1 ;; esac
  fi
  say "ink: installing packages…"
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "ink: the packages could not be installed; the whole log is $log"
    exit 1
  fi
  rm -f "$log"
}

# Configure and compile into a folder; quiet unless something goes wrong.
compile() {
  folder=$1
  shift
  log=$folder.log
  if [ ! -f "$folder/build.ninja" ]; then
    if ! meson setup "$@" "$folder" "$root" >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      say "ink: the build could not be configured; the whole log is $log"
      exit 1
    fi
  fi
  if [ -t 2 ]; then
    ninja -C "$folder" >&2 || exit 1
  elif ! ninja -C "$folder" >"$log" 2>&1; then
    grep -E -A 5 'error|FAILED' "$log" | head -n 40 >&2
    say "ink: the build failed; the whole log is $log"
    exit 1
  fi
  rm -f "$log"
}

up_to_date() {
  [ -x "$program" ] && [ -f "$stamp" ] && [ -z "$(find "$root/meson.build" "$root/meson_options.txt" \
    "$root/src" "$root/tests/meson.build" -newer "$stamp" -type f -print -quit 2>/dev/null)" ]
}

ready() {
  up_to_date && return
  complete || install_packages
  [ -x "$program" ] || say "ink: building (a minute or two, this once)…"
  compile "$build"
  touch "$stamp"
}

run_tests() {
  complete || install_packages
  compile "$build"
  touch "$stamp"
  exec sh "$root/tests/run.sh" "$root" "$build"
}

case ${1-} in
build) ready ;;
test)
  shift
  run_tests "$@"
  ;;
demo)
  ready
  exec sh "$root/examples/demo.sh" "$program" "$root"
  ;;
*)
  ready
  exec "$program" "$@"
  ;;
esac
