#!/bin/sh
# Three briefs become finished pieces: written under their form, checked, labelled, recorded, and
# rebuilt from the record to prove it. Usage: sh examples/demo.sh PROGRAM ROOT
set -eu
program=$1
out=$2/out/demo
mkdir -p "$out" 2>/dev/null && [ -w "$out" ] || out=$(mktemp -d)

faint='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ] && [ "${TERM-dumb}" != dumb ]; then
  faint=$(printf '\033[2m') plain=$(printf '\033[0m')
fi

case ${INKSTONE_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG-}}}} in
zh*)
  first='砚 inkstone：三份要求，在本机上由自带的两个小模型写成三件作品，各配一图。'
  last='作品都在这里，各有 poem.html、poem.md、poem.png 与 record.json：'
  next='接着可以试试：'
  ;;
*)
  first='inkstone: three briefs become three illustrated pieces, by two small models that come along, on this machine.'
  last='The pieces are here, each as poem.html, poem.md, poem.png and record.json:'
  next='What to try next:'
  ;;
esac

make_piece() {
  name=$1
  shift
  printf '\n%s$ ./ink make poem %s%s\n\n' "$faint" "$*" "$plain"
  "$program" make poem "$@" --out "$out/$name" --replace
  "$program" replay "$out/$name"
}

printf '%s\n' "$first"
make_piece autumn-night --set theme=秋夜 --set form=七绝 --seed 1
make_piece mountain-home --set title=秋夜山居 --set form=七律 --set acrostic=我爱中华 --seed 2
make_piece spring-river --set theme=江南春 --set form=浣溪沙 --seed 3

printf '\n%s\n' "$last"
for name in autumn-night mountain-home spring-river; do
  printf '  file://%s\n' "$(printf %s "$out/$name/poem.html" | sed 's/%/%25/g; s/ /%20/g')"
done
printf '\n%s\n  ./ink explain "%s"\n  ./ink write --form 五绝 --title 雨\n  ./ink paint "three red hearts" -o hearts.png --show\n  ./ink help\n' \
  "$next" "$out/mountain-home"
if [ -t 1 ] && [ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ] && command -v xdg-open >/dev/null 2>&1; then
  xdg-open "$out/mountain-home/poem.html" >/dev/null 2>&1 &
fi
