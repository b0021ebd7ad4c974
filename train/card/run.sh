#!/usr/bin/env bash
# Runs the prepared `train` (cargo xtask card) on a machine with an NVIDIA card and PyTorch but no Rust, from the
# repository's root, and leaves what came of it in $OUT in pieces that can be carried back:
#   train/card/run.sh --device libtorch --runs /tmp/runs vq --config train/configs/vq.toml
# TRAIN names another program to run so. Several runs in turn are separated by `:::`. KEEP names further files of the runs' folders to bring back.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
train=${TRAIN:-$here/.card/train}
out=${OUT:-$here/.card/out}
mkdir -p "$out"

# No import: that takes seconds, and needs a card's driver.
packages=$(python3 -c 'import importlib.util, os; print(os.path.dirname(os.path.dirname(importlib.util.find_spec("torch").origin)))')
libraries="$packages/torch/lib"
for folder in "$packages"/nvidia/*/lib; do
    [ -d "$folder" ] && libraries="$libraries:$folder"
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# f32 products in TF32: what is not in bfloat16 by itself, such as a tokenizer's first convolution.
export TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1
# Batches differ in length: sizes rounded up, so that memory given back is of use again.
export PYTORCH_CUDA_ALLOC_CONF=${PYTORCH_CUDA_ALLOC_CONF:-roundup_power2_divisions:8}
# The makers of batches are threads of their own.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
chmod +x "$train" 2>/dev/null || true
if ! [ -x "$train" ]; then
    cp "$train" /tmp/train && chmod +x /tmp/train && train=/tmp/train
fi

status=0
command=()
run() {
    echo "+ train ${command[*]}"
    "$train" "${command[@]}" 2>&1 | tee -a "$out/log" || status=$?
    command=()
}
for word in "$@"; do
    if [ "$word" = ::: ]; then run; else command+=("$word"); fi
done
[ ${#command[@]} -gt 0 ] && run

# Weights in pieces: files that come back are at most 16 MB each.
runs=/tmp/runs
files=()
for pattern in '*.safetensors' metrics.jsonl loss.png 'samples-*.png' state.json ${KEEP:-}; do
    while IFS= read -r file; do files+=("${file#"$runs"/}"); done < <(find "$runs" -name "$pattern" -not -name 'optimizer*' 2>/dev/null | sort)
done
if [ ${#files[@]} -gt 0 ]; then
    tar -C "$runs" -cf - "${files[@]}" | split -b 15m -d - "$out/runs.tar."
    (cd "$out" && sha256sum runs.tar.* > sha256)
fi
ls -l "$out"
exit $status
