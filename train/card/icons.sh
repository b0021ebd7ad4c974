#!/usr/bin/env bash
# The world of things on a lent machine with an NVIDIA card and PyTorch, from the repository's root: stages in the order in which
# they are named, each with its seconds. What came of it lies in $OUT, in at most eight files of 15 MB:
# `train/card/pack.py unpack $OUT runs`.
#
#     train/card/icons.sh vq:95 showo:280 eval:40 rollouts:55 reward:80 clip:30 preview:30   # from nothing
#     BUNDLE=www/models/icons train/card/icons.sh decoder:80 showo:330 eval:40               # what ships goes on: codes stay
#     BUNDLE=www/models/icons train/card/icons.sh rollouts:60 reward:150
#
# With BUNDLE, tokenizer and generator come from there until a stage has trained them here.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:?the folder that comes back}
runs=${RUNS:-/tmp/runs}
bundle=${BUNDLE:-}
device=${DEVICE:-libtorch}
mkdir -p "$runs"

packages=$(python3 -c 'import importlib.util, os; print(os.path.dirname(os.path.dirname(importlib.util.find_spec("torch").origin)))')
libraries="$packages/torch/lib"
for folder in "$packages"/nvidia/*/lib; do libraries="$libraries:$folder"; done
export LD_LIBRARY_PATH=$libraries TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 OMP_NUM_THREADS=2
export PYTORCH_CUDA_ALLOC_CONF=roundup_power2_divisions:8

train() {
    local seconds=$1
    shift
    echo "+ train $* (at most $seconds s, $SECONDS s so far)"
    # A run that is interrupted saves what it has.
    timeout --signal INT --kill-after 8 "$seconds" .card/train --device "$device" --runs "$runs" --world icons "$@" 2>&1 |
        tr '\r' '\n' >>"$out/log"
    tail -n 1 "$out/log"
}
# A configuration by the clock: of CONFIG, SECONDS long.
lasting() {
    sed -e "/^seconds = /d; s/^steps = .*/steps = 1000000\nseconds = $2/; s/^sample_steps = .*/sample_steps = 0/" \
        -e 's/^checkpoint_seconds = .*/checkpoint_seconds = 100000/' "train/configs/$1.toml" >"/tmp/$1.toml"
    echo "/tmp/$1.toml"
}
# Networks of the bundle that no stage has trained, as runs leave them.
from_bundle() {
    [ -n "$bundle" ] || return 0
    for kind in magvit:icons-vq showo:icons-showo; do
        [ -d "$runs/${kind#*:}" ] || python3 train/card/pack.py run "$bundle" "$runs/${kind#*:}" "${kind%:*}"
    done
}

for stage in "$@"; do
    name=${stage%:*}
    seconds=${stage#*:}
    begin=()
    [ -n "$bundle" ] && begin=(--init "$bundle")
    case $name in
    vq) train $((seconds + 25)) vq --config "$(lasting icons-vq-card "$seconds")" ;;
    decoder) train $((seconds + 25)) vq --config "$(lasting icons-vq-decoder "$seconds")" --init "${bundle:?}" ;;
    showo)
        [ -d "$runs/icons-vq" ] || [ -z "$bundle" ] || python3 train/card/pack.py run "$bundle" "$runs/icons-vq" magvit
        train $((seconds + 20)) showo --config "$(lasting icons-showo-card "$seconds")" "${begin[@]}"
        ;;
    eval) from_bundle && train "$seconds" eval --images 1 ;;
    # The verdicts of several settings of decoding; the whole log of it comes back.
    sampling) from_bundle && train "$seconds" eval --config train/configs/icons-eval-sampling.toml ;;
    # DECODING: settings that are not the configuration's.
    rollouts) from_bundle && train "$seconds" rollouts --count 100000 ${DECODING:-} ;;
    reward) from_bundle && train $((seconds + 10)) reward --config "$(lasting icons-reward "$seconds")" ;;
    clip) train $((seconds + 10)) clip --config "$(lasting icons-clip "$seconds")" ;;
    preview) from_bundle && train $((seconds + 10)) preview --config "$(lasting icons-preview "$seconds")" ;;
    *) echo "there is no stage $name" >&2 ;;
    esac
done

mkdir -p /tmp/measures
for run in "$runs"/*/; do
    [ -f "$run/metrics.jsonl" ] && cp "$run/metrics.jsonl" "/tmp/measures/$(basename "$run").jsonl"
done
cp "$runs"/*.png "$runs"/*.json /tmp/measures/ 2>/dev/null
tar -C /tmp/measures -czf "$out/measures.tgz" .
python3 train/card/pack.py pack "$runs" "$out"
ls -l "$out"
