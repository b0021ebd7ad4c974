"""Packs trained weights so that they fit what a lent machine gives back, and unpacks them again.

    python3 train/card/pack.py pack RUNS OUT [RUN ...]     # f16; the matrices of reward networks as int8 blocks
    python3 train/card/pack.py unpack OUT RUNS             # f32 files where `train` and `quantize` look for them
    python3 train/card/pack.py run BUNDLE RUN KIND         # a bundle's magvit or showo in f32, as a run leaves it

A run's folder gives its exported `NAME.safetensors` (not its checkpoint) with `NAME.json` and `tokenizer.json`. Files are at most 15 MB.
"""

import json
import pathlib
import sys
import tarfile

import numpy as np
from safetensors.numpy import load_file, save_file

PIECE_BYTES = 15_000_000
BLOCK = 32


def packed(name, tensors):
    small = {}
    for key, value in tensors.items():
        value = value.astype(np.float32)
        if name == "reward" and value.ndim == 2 and value.shape[1] % BLOCK == 0 and value.size >= 4096:
            # As `quantize` does it: symmetric, a scale for 32 inputs.
            blocks = value.reshape(value.shape[0], -1, BLOCK)
            scale = (np.abs(blocks).max(-1) / 127).astype(np.float16)
            divisor = np.where(scale > 0, scale, 1).astype(np.float32)[..., None]
            small[key + "#q"] = np.clip(np.rint(blocks / divisor), -127, 127).astype(np.int8).reshape(value.shape)
            small[key + "#scale"] = scale
        else:
            small[key] = value.astype(np.float16)
    return small


def unpacked(tensors):
    full = {}
    for key, value in tensors.items():
        if key.endswith("#q"):
            name = key[: -len("#q")]
            scale = tensors[name + "#scale"].astype(np.float32)
            blocks = value.astype(np.float32).reshape(scale.shape[0], scale.shape[1], BLOCK)
            full[name] = (blocks * scale[..., None]).reshape(value.shape)
        elif not key.endswith("#scale"):
            full[key] = value.astype(np.float32)
    return full


def pack(runs, out, names):
    work = pathlib.Path("/tmp/packed")
    for run in sorted(runs.iterdir()):
        if names and run.name not in names:
            continue
        for file in sorted(run.glob("*.safetensors")):
            target = work / run.name
            target.mkdir(parents=True, exist_ok=True)
            save_file(packed(file.stem, load_file(file)), target / file.name)
            for beside in [file.with_suffix(".json"), run / "tokenizer.json"]:
                if beside.exists():
                    (target / beside.name).write_bytes(beside.read_bytes())
    with tarfile.open("/tmp/packed.tar", "w") as archive:
        archive.add(work, arcname=".")
    data = pathlib.Path("/tmp/packed.tar").read_bytes()
    for index, start in enumerate(range(0, len(data), PIECE_BYTES)):
        (out / f"weights.tar.{index:02}").write_bytes(data[start : start + PIECE_BYTES])
    print(f"{len(data)} bytes in {index + 1} files")


def unpack(out, runs):
    data = b"".join(piece.read_bytes() for piece in sorted(out.glob("weights.tar.*")))
    archive = pathlib.Path("/tmp/unpacked.tar")
    archive.write_bytes(data)
    with tarfile.open(archive) as tar:
        tar.extractall(runs, filter="data")
    for file in runs.glob("*/*.safetensors"):
        save_file(unpacked(load_file(file)), file)
        print(file)


def run(bundle, run, names):
    (kind,) = names
    run.mkdir(parents=True, exist_ok=True)
    full = {}
    for shard in sorted(bundle.glob(f"{kind}-*.safetensors")):
        tensors = load_file(shard)
        for key, value in tensors.items():
            if key.endswith(".scale") and key[: -len(".scale")] in tensors:
                continue
            if value.dtype == np.int8:
                rows = value.reshape(value.shape[0], -1)
                scale = np.repeat(tensors[key + ".scale"].astype(np.float32), BLOCK, axis=1)[:, : rows.shape[1]]
                value = (rows * scale).reshape(value.shape)
            full[key] = np.ascontiguousarray(value, dtype=np.float32)
    save_file(full, run / f"{kind}.safetensors")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (run / f"{kind}.json").write_text(json.dumps(manifest["models"][kind]["config"], indent=2))
    if kind == "showo":
        (run / "tokenizer.json").write_bytes((bundle / manifest["tokenizer"]["file"]).read_bytes())


COMMANDS = {"pack": pack, "unpack": unpack, "run": run}

if __name__ == "__main__":
    command, source, target, *names = sys.argv[1:]
    COMMANDS[command](pathlib.Path(source), pathlib.Path(target), *([names] if command != "unpack" else []))
