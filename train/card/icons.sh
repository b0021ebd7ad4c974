#!/usr/bin/env bash
# The world of things on a lent machine with an NVIDIA card and PyTorch, from the repository's root: tokenizer, generator, its
# figures, rollouts, reward network and CLIP, as far as SECONDS_IN_ALL reach (560 by default). What came of it lies in $OUT, in
# at most eight files of 15 MB: `train/card/pack.py unpack $OUT runs`.
#
# BUNDLE=www/models/icons goes on from what ships: the tokenizer stays as it is, and the generator begins with its weights.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:?the folder that comes back}
runs=${RUNS:-/tmp/runs}
limit=${SECONDS_IN_ALL:-560}
mkdir -p "$runs"

packages=$(python3 -c 'import importlib.util, os; print(os.path.dirname(os.path.dirname(importlib.util.find_spec("torch").origin)))')
libraries="$packages/torch/lib"
for folder in "$packages"/nvidia/*/lib; do libraries="$libraries:$folder"; done
export LD_LIBRARY_PATH=$libraries TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 OMP_NUM_THREADS=2
export PYTORCH_CUDA_ALLOC_CONF=roundup_power2_divisions:8

left() { echo $((limit - SECONDS)); }
# train AT-MOST-SECONDS ARGUMENTS: a run that is interrupted saves what it has.
train() {
    echo "+ train ${*:2} ($(left) s left)"
    timeout --signal INT --kill-after 8 "$1" .card/train --device libtorch --runs "$runs" --world icons "${@:2}" 2>&1 |
        tr '\r' '\n' >>"$out/log"
    tail -n 1 "$out/log"
}
# A configuration for as long as it may take: of CONFIG, SECONDS long.
lasting() {
    sed -e "/^seconds = /d; s/^steps = .*/steps = 1000000\nseconds = $2/; s/^sample_steps = .*/sample_steps = 0/" \
        -e 's/^checkpoint_seconds = .*/checkpoint_seconds = 100000/' "train/configs/$1.toml" >"/tmp/$1.toml"
    echo "/tmp/$1.toml"
}

begin=()
source=()
if [ -n "${BUNDLE:-}" ]; then
    begin=(--init "$BUNDLE")
    source=(--bundle "$BUNDLE")
else
    train 130 vq --config "$(lasting icons-vq-card 95)"
fi
train 300 "${source[@]}" showo --config "$(lasting icons-showo-card 280)" "${begin[@]}"
# Rollouts and the reward network take the tokenizer from where the generator did.
if [ -n "${BUNDLE:-}" ]; then
    mkdir -p "$runs/icons-vq" && python3 train/card/pack.py tokenizer "$BUNDLE" "$runs/icons-vq"
fi
[ "$(left)" -gt 120 ] && train 50 eval --images 1
[ "$(left)" -gt 100 ] && train 55 rollouts --count 20000
rest=$(($(left) - 20))
[ "$rest" -gt 30 ] && train $((rest + 8)) reward --config "$(lasting icons-reward "$rest")"

mkdir -p /tmp/measures
for run in "$runs"/*/; do
    [ -f "$run/metrics.jsonl" ] && cp "$run/metrics.jsonl" "/tmp/measures/$(basename "$run").jsonl"
done
cp "$runs"/*.png "$runs"/*.json /tmp/measures/ 2>/dev/null
tar -C /tmp/measures -czf "$out/measures.tgz" .
python3 train/card/pack.py pack "$runs" "$out"
ls -l "$out"
