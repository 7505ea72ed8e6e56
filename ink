#!/bin/sh
# The front door: installs what is missing, builds what is out of date, runs.
# shellcheck disable=SC3044 # `complete` is a function of ours
set -eu

usage() {
  cat >&2 <<'TEXT'
./ink demo        three briefs become finished, checked and labelled poems
./ink test        run every test
./ink build       install what is missing and build
./ink lint        look over the sources: gcc, clang, clang-tidy, cppcheck, shellcheck
./ink fuzz        fuzz the readers of foreign files with libFuzzer: ./ink fuzz [SECONDS [TARGET …]]
./ink COMMAND …   the program itself: ./ink write, ./ink make, ./ink help

The first of them asks to install Debian packages that are missing, and builds into build/.
TEXT
}

self=$0
[ ! -h "$self" ] || self=$(readlink -f -- "$self")
root=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd)
build=$root/build
program=$build/inkstone
stamp=$build/.up-to-date

packages='fonts-droid-fallback gcc libc6-dev meson ninja-build pkg-config libcbor-dev libchafa-dev
  libcmocka-dev libcurl4-openssl-dev libedit-dev libexpat1-dev libfyaml-dev libgif-dev libimage-exiftool-perl libjansson-dev libjpeg62-turbo-dev
  libmp3lame-dev libpango1.0-dev libpcre2-dev libpng-dev libssl-dev libutf8proc-dev libsqlite3-dev libwebp-dev libxml2-dev libzip-dev zlib1g-dev'

say() { printf '%s\n' "$*" >&2; }

# Everything the build needs, asked of the tools themselves: no package manager where all is there.
complete() {
  # exiftool judges labels in the tests.
  for tool in cc meson ninja pkg-config exiftool; do
    command -v "$tool" >/dev/null 2>&1 || return 1
  done
  pkg-config --exists chafa cmocka expat lame libcbor libcurl libedit libfyaml jansson libjpeg libpcre2-8 libpng \
    libcrypto libutf8proc libwebp libwebpdemux libwebpmux libxml-2.0 libzip pangocairo sqlite3 zlib || return 1
  # giflib has no file for pkg-config.
  echo '#include <gif_lib.h>' | cc -E - >/dev/null 2>&1 || return 1
  # Labels on pictures are written in Chinese as well.
  [ -n "$(fc-list :lang=zh family 2>/dev/null)" ]
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

# Configure and compile into a folder; quiet unless something goes wrong. ninja sees for itself what
# changed, but for rooms that are new.
compile() {
  folder=$1
  shift
  log=$folder.log
  if [ ! -f "$folder/build.ninja" ]; then
    set -- setup "$@"
  elif [ -n "$(find "$root/src" "$root/tests" "$root/fuzz" -name meson.build \
    -newer "$folder/build.ninja" 2>/dev/null)" ]; then
    set -- setup --reconfigure "$@"
  else
    set --
  fi
  if [ $# -gt 0 ] && ! meson "$@" "$folder" "$root" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "ink: the build could not be configured; the whole log is $log"
    exit 1
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

# Nothing that the program is built from is newer than the last look. Playbooks and models are read
# as they lie there.
up_to_date() {
  [ -x "$program" ] && [ -f "$stamp" ] && [ -z "$(find "$root/meson.build" \
    "$root/meson_options.txt" "$root/src" "$root/tests/meson.build" "$root/fuzz/meson.build" \
    -newer "$stamp" -print -quit 2>/dev/null)" ]
}

# The stamp is as old as the beginning of the build, so that a file that is saved while it runs counts
# as newer.
build() {
  complete || install_packages
  if [ ! -x "$program" ]; then say "ink: building (a minute or two, this once)…"; fi
  mkdir -p "$build"
  : >"$stamp.new"
  compile "$build"
  mv "$stamp.new" "$stamp"
}

ready() {
  up_to_date || build
}

case ${1-} in
build) build ;;
test)
  build
  exec sh "$root/tests/run.sh" "$root" "$build"
  ;;
lint)
  shift
  exec sh "$root/tools/lint.sh" "$root" "$@"
  ;;
fuzz)
  shift
  exec sh "$root/tools/fuzz.sh" "$root" "$@"
  ;;
demo)
  ready
  exec sh "$root/examples/demo.sh" "$program" "$root"
  ;;
*)
  # A first look must not cost a build.
  if [ ! -x "$program" ]; then
    case ${1-} in '' | help | -h | --help) usage; exit 2 ;; esac
  fi
  ready
  exec "$program" "$@"
  ;;
esac
