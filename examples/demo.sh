#!/bin/sh
# Three briefs become finished pieces: written under their form, checked, labelled, recorded, and
# rebuilt from the record to prove it. Usage: sh examples/demo.sh PROGRAM ROOT
set -eu
program=$1
out=$2/out/demo

if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then faint=$(printf '\033[2m') plain=$(printf '\033[0m'); else faint='' plain=''; fi

make_piece() {
  name=$1
  shift
  printf '\n%s$ inkstone make poem %s%s\n\n' "$faint" "$*" "$plain"
  "$program" make poem "$@" --out "$out/$name" --replace
  "$program" replay "$out/$name"
}

mkdir -p "$out"
make_piece autumn-night --set theme=秋夜 --set form=七绝 --seed 1
make_piece mountain-home --set title=秋夜山居 --set form=七律 --set acrostic=我爱中华 --seed 2
make_piece spring-river --set theme=江南春 --set form=浣溪沙 --seed 3

printf '\n%s\n' "Finished pieces, each with poem.md, poem.html and record.json:"
for name in autumn-night mountain-home spring-river; do
  printf '  file://%s\n' "$out/$name/poem.html"
done
printf '%s\n' "How one came about: ./ink explain $out/mountain-home"
if [ -t 1 ] && [ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ] && command -v xdg-open >/dev/null 2>&1; then
  xdg-open "$out/mountain-home/poem.html" >/dev/null 2>&1 &
fi
