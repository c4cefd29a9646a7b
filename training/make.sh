#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the shipped checkpoint from nothing: `training/make.sh [DATA]`, from the repository's root. Every part saves its
# state and goes on where it stopped, so it may be ended and started again at any time. Seeds stand in the code.
set -euo pipefail
data=${1:-build/nano}
blender=.venv/bin/python
engine=.venv-engine/bin/python
mkdir -p "$data/state"

"$blender" -m training.generator render "$data" --first 2000 --count 2285
"$blender" -m training.generator prompts "$data" --first 2000 --count 1930
"$engine" -m training.autoencoder "$data" "$data/vae.pt" --steps 5600 --threads 2
"$engine" -m training.autoencoder "$data" "$data/vae-light.pt" --steps 600 --side 80 --decoder "$data/vae.pt" --threads 2
[ -e "$data/Wan2.2_VAE.pth" ] || "$engine" -m training.export vae "$data" "$data/vae-light.pt" "$data/Wan2.2_VAE.pth"
"$engine" -m training.dataset "$data" "$data/Wan2.2_VAE.pth"
"$engine" -m training.experts coarse "$data" "$data/state" --steps "${COARSE_STEPS:-6700}" --threads 2
"$engine" -m training.experts base "$data" "$data/state" --steps "${BASE_STEPS:-3000}" --threads 2
"$engine" -m training.experts high "$data" "$data/state" --steps "${EXPERT_STEPS:-350}" --rate 5e-4 --threads 2
"$engine" -m training.experts low "$data" "$data/state" --steps "${EXPERT_STEPS:-420}" --rate 5e-4 --threads 2
"$engine" -m training.export checkpoint "$data" "$data/state" "$data/Wan2.2_VAE.pth" checkpoints/nano
"$engine" -m training.light_map "$data" checkpoints/nano --threads 2
for what in render prompts light; do
  "$blender" -m training.generator $what "$data/held_out" --first 900000 --count 24
done
"$engine" -m training.score "$data" checkpoints/nano
