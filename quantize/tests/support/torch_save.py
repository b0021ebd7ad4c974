"""Writes a safetensors file as torch.save(state_dict) would: CPython's own pickler, torch's names, no torch.

    python3 torch_save.py IN.safetensors OUT.bin
"""

import collections, json, pickle, struct, sys, types, zipfile

utils, torch = types.ModuleType("torch._utils"), types.ModuleType("torch")
KINDS = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "I64": "LongStorage"}
for name in KINDS.values():
    setattr(torch, name, type(name, (), {"__module__": "torch"}))


def _rebuild_tensor_v2():
    pass


def _rebuild_parameter():
    pass


for function in (_rebuild_tensor_v2, _rebuild_parameter):
    function.__module__, function.__qualname__ = "torch._utils", function.__name__
    setattr(utils, function.__name__, function)
sys.modules.update({"torch": torch, "torch._utils": utils})


class Storage:
    def __init__(self, kind, key, elements):
        self.id = ("storage", getattr(torch, kind), key, "cpu", elements)


class Tensor:
    def __init__(self, storage, shape):
        self.storage, self.shape = storage, tuple(shape)
        strides, step = [], 1
        for size in reversed(shape):
            strides.insert(0, step)
            step *= size
        self.strides = tuple(strides)

    def __reduce__(self):
        hooks = collections.OrderedDict()
        return (_rebuild_tensor_v2, (self.storage, 0, self.shape, self.strides, False, hooks))


class Parameter(Tensor):
    def __reduce__(self):
        return (_rebuild_parameter, (Tensor(self.storage, self.shape), True, collections.OrderedDict()))


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


source, target = sys.argv[1:]
with open(source, "rb") as file, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    tensors, sizes = collections.OrderedDict(), {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
    tensors._metadata = collections.OrderedDict([("", {"version": 1})])
    for key, (name, entry) in enumerate(header.items()):
        begin, end = entry["data_offsets"]
        storage = Storage(KINDS[entry["dtype"]], str(key), (end - begin) // sizes[entry["dtype"]])
        tensors[name] = (Parameter if key % 2 else Tensor)(storage, entry["shape"])
    with archive.open("model/data.pkl", "w") as out:
        Pickler(out, protocol=2).dump(tensors)
    archive.writestr("model/byteorder", "little")
    for key, entry in enumerate(header.values()):
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        with archive.open(zipfile.ZipInfo(f"model/data/{key}"), "w", force_zip64=True) as out:
            while begin < end:
                piece = file.read(min(1 << 24, end - begin))
                out.write(piece)
                begin += len(piece)
    archive.writestr("model/version", "3\n")
