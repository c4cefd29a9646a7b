#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A real Blender window: installs the zip of dist/, draws the panels, generates a shot, and takes pictures meanwhile.
# Needs a Linux machine with root, and the tool blender-desktop.sh (in a tools folder here or next to the checkout, or
# named by BLENDER_DESKTOP_TOOL), which sets up Blender on a screen of its own.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/build/desktop-test
blender=${BLENDER_DESKTOP_ROOT:-$root/build/desktop}

tool=${BLENDER_DESKTOP_TOOL:-}
for found in "$root"/tools/blender-desktop.sh "$root"/../*/tools/blender-desktop.sh; do
  [ -n "$tool" ] || { [ ! -x "$found" ] || tool=$found; }
done
[ -n "$tool" ] || { echo "desktop-test: blender-desktop.sh was not found; name it in BLENDER_DESKTOP_TOOL" >&2; exit 2; }

rm -rf "$out"
mkdir -p "$out"
cp -r "$root/tests/golden/fullstack/Wan2.2-I2V-A14B/checkpoint" "$out/checkpoint"
echo '{"schema": "wan_previs.checkpoint/1", "title": "Tiny", "frames": [41]}' >"$out/checkpoint/wan_previs.json"
cp "$root/examples/square_noon_to_dusk.blend" "$out/scene.blend"

"$tool" setup "$blender" sid
cd "$root"
BLENDER_USER_RESOURCES=$out/user OMP_NUM_THREADS=1 timeout -k 10 "${DESKTOP_TEST_SECONDS:-3600}" \
  "$tool" run "$blender" -- --factory-startup -P "$here/drive.py" -- "$root" "$out" >"$out/blender.log" 2>&1 </dev/null &
window=$!

# The script inside asks for pictures by leaving NAME.want; it goes on when NAME.png is there.
while kill -0 $window 2>/dev/null; do
  for want in "$out"/*.want; do
    [ -e "$want" ] || continue
    name=$(basename "$want" .want)
    "$tool" exec "$blender" -- import -window root "$out/$name.part.png" && mv "$out/$name.part.png" "$out/$name.png"
    rm -f "$want"
  done
  sleep 0.2
done
wait $window || echo "desktop-test: Blender ended with status $?" >&2
# What the window showed, against what is rendered without one.
[ ! -e "$out/result.json" ] || BLENDER_USER_RESOURCES=$out/user timeout -k 10 300 "$tool" run "$blender" -- -b \
  --factory-startup --python-exit-code 1 -P "$here/blockout.py" -- "$root" "$out" >"$out/background.log" 2>&1 </dev/null ||
  { tail -20 "$out/background.log" >&2; exit 1; }
rm -rf "$out/user"

[ -e "$out/result.json" ] || { tail -40 "$out/blender.log" >&2; echo "desktop-test: no result; see $out/blender.log" >&2; exit 1; }
if grep -A12 "Traceback (most recent call last)" "$out/blender.log" >&2; then
  echo "desktop-test: Blender's console shows an error; see $out/blender.log" >&2
  exit 1
fi
python3 - "$out/result.json" <<'PY'
import json, sys

result = json.load(open(sys.argv[1]))
for line in result["passed"]:
    print("passed:", line)
if result["failed"]:
    sys.exit("failed: " + result["failed"])
PY
echo "Pictures are in $out"
