//! The stack machine that a pickle is a program for, of which nothing is called.

use std::collections::HashMap;

use showo::bundle::header::Dtype;

use super::error::{PickleError, malformed};
use super::program::{Program, text};

/// More dimensions than any weight has. A pickle can name one list of sizes again and again: what is copied for each
/// tensor must be short.
const MAX_DIMENSIONS: usize = 8;

/// Which part of the file a tensor's elements are in, and how they lie there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// The storage's name: the file `data/KEY` of the archive.
    pub key: String,
    /// Element type.
    pub dtype: Dtype,
    /// Elements of the whole storage.
    pub storage: u64,
    /// The tensor's first element in it.
    pub offset: u64,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Elements from one index to the next, a dimension each.
    pub strides: Vec<usize>,
}

/// What a file may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
    /// Of [`PLAIN`]: never made, only passed over.
    Plain,
}

/// Classes of plain data that training programs save beside the weights. Whatever they are called with, nothing is
/// made of it; the value is one that no tensor needs.
const PLAIN: [(&str, &[&str]); 12] = [
    (
        "torch",
        &[
            "Size", "device", "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
            "bool",
        ],
    ),
    ("__builtin__", BUILT_IN),
    ("builtins", BUILT_IN),
    ("collections", &["Counter", "defaultdict", "deque"]),
    ("argparse", &["Namespace"]),
    ("types", &["SimpleNamespace"]),
    ("pathlib", &["Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"]),
    ("datetime", &["datetime", "date", "time", "timedelta", "timezone"]),
    ("_codecs", &["encode"]),
    ("numpy", &["dtype"]),
    ("numpy.core.multiarray", &["scalar"]),
    ("numpy._core.multiarray", &["scalar"]),
];

const BUILT_IN: &[&str] = &[
    "set",
    "frozenset",
    "dict",
    "list",
    "tuple",
    "int",
    "long",
    "float",
    "complex",
    "str",
    "bytes",
    "bytearray",
    "bool",
];

impl Global {
    fn from_name(module: &str, name: &str) -> Result<Self, PickleError> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "DoubleStorage") => Self::Storage(Dtype::F64),
            ("torch", "FloatStorage") => Self::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Self::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Dtype::Bf16),
            ("torch", "LongStorage") => Self::Storage(Dtype::I64),
            ("torch", "IntStorage") => Self::Storage(Dtype::I32),
            ("torch", "ShortStorage") => Self::Storage(Dtype::I16),
            ("torch", "CharStorage") => Self::Storage(Dtype::I8),
            ("torch", "ByteStorage") => Self::Storage(Dtype::U8),
            ("torch", "BoolStorage") => Self::Storage(Dtype::Bool),
            _ if PLAIN.iter().any(|(known, names)| *known == module && names.contains(&name)) => Self::Plain,
            _ => return Err(PickleError::Global(format!("{module}.{name}"))),
        })
    }
}

/// A value on the stack. Containers are indices: a pickle may nest them as deeply as it likes, and into themselves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    /// `None`, a truth value, bytes, a set: what no tensor needs. What it is filled with is dropped.
    Other,
    Int(i64),
    Text(usize),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

#[derive(Default)]
pub(super) struct Machine {
    stack: Vec<Value>,
    /// Where the open groups begin.
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    texts: Vec<String>,
    tuples: Vec<Vec<Value>>,
    lists: Vec<Vec<Value>>,
    pub(super) dicts: Vec<Vec<(Value, Value)>>,
    storages: Vec<Storage>,
    tensors: Vec<View>,
}

/// A storage, its name an index into the texts.
#[derive(Debug, Clone, Copy)]
struct Storage {
    key: usize,
    dtype: Dtype,
    elements: u64,
}

/// A tensor over one of the storages.
struct View {
    storage: usize,
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Machine {
    // Long, but one arm an instruction.
    pub(super) fn run(&mut self, bytes: &[u8]) -> Result<Value, PickleError> {
        let mut program = Program { bytes, at: 0 };
        loop {
            let at = program.at;
            let instruction = program.take(1)?[0];
            match instruction {
                // PROTO, FRAME: which version, and a hint of length.
                0x80 => program.skip(1)?,
                0x95 => program.skip(8)?,
                // STOP
                b'.' => return self.pop(),
                // MARK
                b'(' => self.marks.push(self.stack.len()),
                // GLOBAL, STACK_GLOBAL
                b'c' => {
                    let (module, name) = (program.line()?, program.line()?);
                    self.stack.push(Value::Global(Global::from_name(module, name)?));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Some(module), Some(name)) = (self.text(module), self.text(name)) else {
                        return Err(malformed("a name is not a text"));
                    };
                    let global = Global::from_name(module, name)?;
                    self.stack.push(Value::Global(global));
                }
                // NONE, NEWTRUE, NEWFALSE, BINFLOAT
                b'N' | 0x88 | 0x89 => self.stack.push(Value::Other),
                b'G' => {
                    program.skip(8)?;
                    self.stack.push(Value::Other);
                }
                // BININT, BININT1, BININT2, LONG1, LONG4
                b'J' => {
                    let number = program.number(4)? as u32 as i32;
                    self.stack.push(Value::Int(number.into()));
                }
                b'K' => self.int(program.number(1)?)?,
                b'M' => self.int(program.number(2)?)?,
                0x8a | 0x8b => {
                    let length = program.number(if instruction == 0x8a { 1 } else { 4 })?;
                    let bytes = program.take(length)?;
                    // Two's complement: the last byte's top bit is the sign.
                    let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { -1i64 } else { 0 };
                    let number = bytes.iter().rev().fold(sign, |number, &byte| number << 8 | i64::from(byte));
                    // A seed may be longer; no size is.
                    self.stack.push(if length > 8 { Value::Other } else { Value::Int(number) });
                }
                // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
                b'C' | b'B' | 0x8e | 0x96 => {
                    let length = program.number(match instruction {
                        b'C' => 1,
                        b'B' => 4,
                        _ => 8,
                    })?;
                    program.skip(length)?;
                    self.stack.push(Value::Other);
                }
                // EMPTY_SET, ADDITEMS, FROZENSET
                0x8f => self.stack.push(Value::Other),
                0x90 => {
                    self.since_mark()?;
                }
                0x91 => {
                    self.since_mark()?;
                    self.stack.push(Value::Other);
                }
                // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
                0x8c | b'X' | 0x8d => {
                    let length = program.number(match instruction {
                        0x8c => 1,
                        b'X' => 4,
                        _ => 8,
                    })?;
                    self.texts.push(text(program.take(length)?)?.to_string());
                    self.stack.push(Value::Text(self.texts.len() - 1));
                }
                // EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE
                b')' => self.tuple(Vec::new()),
                0x85..=0x87 => {
                    let items = self.top(usize::from(instruction - 0x84))?;
                    self.tuple(items);
                }
                b't' => {
                    let items = self.since_mark()?;
                    self.tuple(items);
                }
                // EMPTY_LIST, APPEND, APPENDS
                b']' => {
                    self.lists.push(Vec::new());
                    self.stack.push(Value::List(self.lists.len() - 1));
                }
                b'a' | b'e' => {
                    let items = if instruction == b'a' { self.top(1)? } else { self.since_mark()? };
                    match self.stack.last() {
                        Some(&Value::List(list)) => self.lists[list].extend(items),
                        Some(Value::Other) => {}
                        _ => return Err(malformed("something that is no list is appended to")),
                    }
                }
                // EMPTY_DICT, SETITEM, SETITEMS
                b'}' => self.dict(),
                b's' | b'u' => {
                    let items = if instruction == b's' { self.top(2)? } else { self.since_mark()? };
                    let (pairs, rest) = items.as_chunks();
                    match self.stack.last() {
                        Some(&Value::Dict(dict)) if rest.is_empty() => {
                            self.dicts[dict].extend(pairs.iter().map(|&[key, value]| (key, value)));
                        }
                        Some(Value::Other) => {}
                        _ => return Err(malformed("something that is no dictionary is filled")),
                    }
                }
                // BINPUT, LONG_BINPUT, MEMOIZE
                b'q' => self.remember(program.number(1)?)?,
                b'r' => self.remember(program.number(4)?)?,
                0x94 => self.remember(self.memo.len())?,
                // BINGET, LONG_BINGET
                b'h' => self.recall(program.number(1)?)?,
                b'j' => self.recall(program.number(4)?)?,
                // BINPERSID: how PyTorch names a storage
                b'Q' => self.storage()?,
                // REDUCE: a call, of which three mean something
                b'R' => self.call()?,
                // NEWOBJ: an object of a class, which is none of the three
                0x81 => {
                    let (arguments, class) = (self.pop()?, self.pop()?);
                    let (Value::Tuple(_), Value::Global(Global::Plain)) = (arguments, class) else {
                        return Err(PickleError::Instruction(instruction, at));
                    };
                    self.stack.push(Value::Other);
                }
                // BUILD: attributes; PyTorch gives a state dict its modules' versions
                b'b' => {
                    self.pop()?;
                    if !matches!(self.stack.last(), Some(Value::Dict(_) | Value::Other)) {
                        return Err(malformed("something that is no dictionary is given attributes"));
                    }
                }
                other => return Err(PickleError::Instruction(other, at)),
            }
        }
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        // What lies below an open mark belongs to whoever opened it.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(malformed("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| malformed("a value is missing"))
    }

    fn top(&mut self, count: usize) -> Result<Vec<Value>, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(malformed("a value is missing")),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, PickleError> {
        let start = self.marks.pop().ok_or_else(|| malformed("a group has no beginning"))?;
        Ok(self.stack.split_off(start))
    }

    pub(super) fn text(&self, value: Value) -> Option<&str> {
        match value {
            Value::Text(index) => Some(&self.texts[index]),
            _ => None,
        }
    }

    fn int(&mut self, number: usize) -> Result<(), PickleError> {
        let number = i64::try_from(number).map_err(|_| malformed("a number overflows"))?;
        self.stack.push(Value::Int(number));
        Ok(())
    }

    fn tuple(&mut self, items: Vec<Value>) {
        self.tuples.push(items);
        self.stack.push(Value::Tuple(self.tuples.len() - 1));
    }

    fn dict(&mut self) {
        self.dicts.push(Vec::new());
        self.stack.push(Value::Dict(self.dicts.len() - 1));
    }

    fn remember(&mut self, slot: usize) -> Result<(), PickleError> {
        let value = *self.stack.last().ok_or_else(|| malformed("a value is missing"))?;
        self.memo.insert(slot, value);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<(), PickleError> {
        let value = self.memo.get(&slot).copied();
        self.stack.push(value.ok_or_else(|| malformed(format!("slot {slot} is empty")))?);
        Ok(())
    }

    /// `('storage', torch.FloatStorage, '17', 'cpu', 4096)`.
    fn storage(&mut self) -> Result<(), PickleError> {
        let wrong = || malformed("a storage is not named as PyTorch names it");
        let Value::Tuple(id) = self.pop()? else { return Err(wrong()) };
        let [kind, Value::Global(Global::Storage(dtype)), Value::Text(key), _, Value::Int(elements)] =
            self.tuples[id][..]
        else {
            return Err(wrong());
        };
        let (Some("storage"), Ok(elements)) = (self.text(kind), u64::try_from(elements)) else {
            return Err(wrong());
        };
        // PyTorch numbers its storages. A long name would be copied for each of its tensors.
        if self.texts[key].len() > 64 {
            return Err(wrong());
        }
        self.storages.push(Storage { key, dtype, elements });
        self.stack.push(Value::Storage(self.storages.len() - 1));
        Ok(())
    }

    fn call(&mut self) -> Result<(), PickleError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let (Value::Global(function), Value::Tuple(arguments)) = (function, arguments) else {
            return Err(malformed("something that is no function is called"));
        };
        match (function, &self.tuples[arguments][..]) {
            (Global::OrderedDict, []) => self.dict(),
            (Global::Plain, _) => self.stack.push(Value::Other),
            // (storage, offset, sizes, strides, requires_grad, hooks, …)
            (Global::RebuildTensor, &[Value::Storage(storage), Value::Int(offset), sizes, strides, ..]) => {
                let offset = u64::try_from(offset).map_err(|_| malformed("a tensor begins before its storage"))?;
                let (shape, strides) = (self.sizes(sizes)?, self.sizes(strides)?);
                self.tensors.push(View { storage, offset, shape, strides });
                self.stack.push(Value::Tensor(self.tensors.len() - 1));
            }
            // (tensor, requires_grad, hooks)
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => self.stack.push(tensor),
            _ => return Err(malformed(format!("{function:?} is called with what it does not take"))),
        }
        Ok(())
    }

    pub(super) fn tensor(&self, index: usize) -> Tensor {
        let View { storage, offset, shape, strides } = &self.tensors[index];
        let Storage { key, dtype, elements } = self.storages[*storage];
        Tensor {
            key: self.texts[key].clone(),
            dtype,
            storage: elements,
            offset: *offset,
            shape: shape.clone(),
            strides: strides.clone(),
        }
    }

    fn sizes(&self, value: Value) -> Result<Vec<usize>, PickleError> {
        let wrong = || malformed("a tensor's sizes are not numbers");
        let Value::Tuple(tuple) = value else { return Err(wrong()) };
        if self.tuples[tuple].len() > MAX_DIMENSIONS {
            return Err(malformed(format!("a tensor has more than {MAX_DIMENSIONS} dimensions")));
        }
        self.tuples[tuple]
            .iter()
            .map(|&size| match size {
                Value::Int(size) => usize::try_from(size).map_err(|_| wrong()),
                _ => Err(wrong()),
            })
            .collect()
    }
}
