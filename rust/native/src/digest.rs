//! The structural digest of a payload: 64 bits that are the same for the same content.
//!
//! Contract:
//! - Numbers go by value (`1`, `1.0` and `True` are one), text and bytes by content; lists and tuples by
//!   their items in order, sets and dicts by theirs in any order. Of a derived class it is part of the
//!   content. Other objects go by their class and their instance `__dict__`, or else their slots; what has
//!   neither by its hash, if that is native, or its buffer, or else by its class alone.
//! - At most [`NODES`] objects and [`BYTES`] characters or bytes are looked at. Of what is larger, the first
//!   ones count, and how many there are. A cycle ends there too.
//! - No lock is held, and no code of the payload's classes runs, but for the few natives whose hash asks
//!   others (a `datetime` its `tzinfo`). Nothing fails: what cannot be looked into goes by its class.
//! - It is seeded: a process gives other numbers than the next.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyCFunction, PyComplex, PyDict, PyFloat, PyFrozenSet, PyFunction,
    PyInt, PyList, PyMemoryView, PyModule, PySet, PySlice, PyString, PyTuple, PyType,
};
use smallvec::SmallVec;

/// Objects that are looked at.
const NODES: usize = 64;
/// Characters and bytes that are looked at.
const BYTES: usize = 4096;

/// Kinds of content, so that an empty list is no empty dict.
mod kind {
    pub const NONE: u64 = 1;
    pub const INT: u64 = 2;
    pub const HUGE: u64 = 3;
    pub const FLOAT: u64 = 4;
    pub const TEXT: u64 = 5;
    pub const BYTES: u64 = 6;
    pub const SEQUENCE: u64 = 7;
    pub const SET: u64 = 8;
    pub const DICT: u64 = 9;
    pub const OBJECT: u64 = 10;
    pub const CLASS: u64 = 11;
    pub const HASHED: u64 = 12;
    pub const CUT: u64 = 13;
}

/// The digest of an object.
pub fn digest(object: &Bound<'_, PyAny>) -> u64 {
    mix(seed(), Walk { nodes: NODES, bytes: BYTES }.object(object))
}

/// The hash of two numbers.
#[inline]
pub fn mix(first: u64, second: u64) -> u64 {
    let product = u128::from(first ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from(second ^ 0xd1b5_4a32_d192_ed03 ^ first.rotate_left(32));
    (product >> 64) as u64 ^ product as u64
}

/// The hash of bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = hasher().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

fn hasher() -> &'static foldhash::quality::RandomState {
    static HASHER: OnceLock<foldhash::quality::RandomState> = OnceLock::new();
    HASHER.get_or_init(foldhash::quality::RandomState::default)
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| hasher().hash_one(0_u64))
}

/// What may still be looked at.
struct Walk {
    nodes: usize,
    bytes: usize,
}

type Items<'py> = SmallVec<[Bound<'py, PyAny>; 16]>;

impl Walk {
    fn object(&mut self, object: &Bound<'_, PyAny>) -> u64 {
        if self.nodes == 0 {
            return kind::CUT;
        }
        self.nodes -= 1;
        if let Some(content) = self.builtin(object) {
            return content;
        }
        let class = object.get_type();
        let inside = self.derived(object).or_else(|| self.state(object, &class));
        let inside = inside.or_else(|| self.native(object, &class)).unwrap_or(0);
        mix(mix(kind::OBJECT, class.as_ptr() as u64), inside)
    }

    /// The content of an exact builtin.
    #[inline]
    fn builtin(&mut self, object: &Bound<'_, PyAny>) -> Option<u64> {
        if let Ok(text) = object.cast_exact::<PyString>() {
            return Some(self.text(text));
        }
        if let Ok(int) = object.cast_exact::<PyInt>() {
            return Some(integer(int));
        }
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            return Some(self.dict(dict));
        }
        if let Ok(float) = object.cast_exact::<PyFloat>() {
            return Some(number(float));
        }
        if object.is_none() {
            return Some(kind::NONE);
        }
        if let Ok(truth) = object.cast_exact::<PyBool>() {
            return Some(mix(kind::INT, u64::from(truth.is_true())));
        }
        if object.is_exact_instance_of::<PyList>() || object.is_exact_instance_of::<PyTuple>() {
            return self.sequence(object);
        }
        let plain = object.is_exact_instance_of::<PyBytes>()
            || object.is_exact_instance_of::<PyByteArray>()
            || object.is_exact_instance_of::<PySet>()
            || object.is_exact_instance_of::<PyFrozenSet>();
        if plain { self.derived(object) } else { None }
    }

    /// The content of an instance of a builtin, or of a class derived from one.
    fn derived(&mut self, object: &Bound<'_, PyAny>) -> Option<u64> {
        if let Ok(text) = object.cast::<PyString>() {
            return self.derived_text(text);
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Some(self.bytes(bytes.as_bytes(), bytes.as_bytes().len()));
        }
        if let Ok(bytes) = object.cast::<PyByteArray>() {
            return Some(self.bytes(&bytes.to_vec(), bytes.len()));
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return Some(self.dict(dict));
        }
        if object.cast::<PyList>().is_ok() || object.cast::<PyTuple>().is_ok() {
            return self.sequence(object);
        }
        if object.cast::<PySet>().is_ok() || object.cast::<PyFrozenSet>().is_ok() {
            return self.set(object);
        }
        if let Ok(int) = object.cast::<PyInt>() {
            return Some(integer(int));
        }
        object.cast::<PyFloat>().ok().map(number)
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> u64 {
        let length = text.len().unwrap_or(0);
        if length <= self.bytes {
            self.bytes -= length;
            return mix(mix(kind::TEXT, length as u64), text.hash().unwrap_or(0) as u64);
        }
        let start = first(text.py(), self.bytes);
        let start = text.get_item(start).and_then(|start| start.hash());
        self.bytes = 0;
        mix(mix(kind::TEXT, length as u64), start.unwrap_or(0) as u64)
    }

    /// Of a class derived from `str`, by the methods of `str`.
    fn derived_text(&mut self, text: &Bound<'_, PyString>) -> Option<u64> {
        let py = text.py();
        let base = py.get_type::<PyString>();
        let length: usize =
            base.call_method1(intern!(py, "__len__"), (text,)).ok()?.extract().ok()?;
        let looked_at = length.min(self.bytes);
        self.bytes -= looked_at;
        let start = first(py, looked_at);
        let start = base.call_method1(intern!(py, "__getitem__"), (text, start)).ok()?;
        Some(mix(mix(kind::TEXT, length as u64), start.hash().ok()? as u64))
    }

    /// The first bytes of so many.
    fn bytes(&mut self, bytes: &[u8], length: usize) -> u64 {
        let looked_at = bytes.len().min(self.bytes);
        self.bytes -= looked_at;
        mix(mix(kind::BYTES, length as u64), hash_bytes(&bytes[..looked_at]))
    }

    fn sequence(&mut self, sequence: &Bound<'_, PyAny>) -> Option<u64> {
        let mut items = Items::new();
        // By index, as another thread may change a list meanwhile.
        let length = if let Ok(list) = sequence.cast::<PyList>() {
            let length = list.len();
            items.extend((0..length.min(self.nodes)).map_while(|index| list.get_item(index).ok()));
            length
        } else {
            let tuple = sequence.cast::<PyTuple>().ok()?;
            items.extend(tuple.iter().take(self.nodes));
            tuple.len()
        };
        let start = mix(kind::SEQUENCE, length as u64);
        Some(items.iter().fold(start, |hash, item| mix(hash, self.object(item))))
    }

    fn set(&mut self, set: &Bound<'_, PyAny>) -> Option<u64> {
        let py = set.py();
        let base = if set.is_instance_of::<PySet>() {
            py.get_type::<PySet>()
        } else {
            py.get_type::<PyFrozenSet>()
        };
        let length: u64 = base.call_method1(intern!(py, "__len__"), (set,)).ok()?.extract().ok()?;
        let all = base.call_method1(intern!(py, "__iter__"), (set,)).ok()?;
        let items: Items<'_> =
            all.try_iter().ok()?.map_while(Result::ok).take(self.nodes).collect();
        let any_order =
            items.iter().fold(0_u64, |sum, item| sum.wrapping_add(mix(1, self.object(item))));
        Some(mix(mix(kind::SET, length), any_order))
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>) -> u64 {
        // Taken out first, as what is looked at then may change the dict.
        let most = self.nodes.div_ceil(2);
        let items: SmallVec<[(Bound<'_, PyAny>, Bound<'_, PyAny>); 16]> =
            with_critical_section(dict, || dict.iter().take(most).collect());
        let any_order = items.iter().fold(0_u64, |sum, (key, value)| {
            let key = self.object(key);
            sum.wrapping_add(mix(key, self.object(value)))
        });
        mix(mix(kind::DICT, dict.len() as u64), any_order)
    }

    /// The instance's `__dict__` or slots, of a class that does not say itself how to look attributes up.
    fn state(&mut self, object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> Option<u64> {
        let py = object.py();
        if let Ok(class) = object.cast::<PyType>() {
            return Some(mix(kind::CLASS, class.as_ptr() as u64));
        }
        let by_identity = object.is_instance_of::<PyModule>()
            || object.is_instance_of::<PyFunction>()
            || object.is_instance_of::<PyCFunction>();
        if by_identity {
            return Some(mix(kind::CLASS, object.as_ptr() as u64));
        }
        let lookup = intern!(py, "__getattribute__");
        let base = py.get_type::<PyAny>();
        if !class.getattr(lookup).ok()?.is(&base.getattr(lookup).ok()?) {
            return None;
        }
        let dict = object.getattr(intern!(py, "__dict__")).ok();
        if let Some(dict) = dict.as_ref().and_then(|dict| dict.cast::<PyDict>().ok()) {
            return Some(self.dict(dict));
        }
        self.slots(object, class)
    }

    fn slots(&mut self, object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> Option<u64> {
        let py = object.py();
        let mut hash = None;
        for base in class.mro() {
            let members = base.getattr(intern!(py, "__dict__")).ok()?;
            let Ok(slots) = members.get_item(intern!(py, "__slots__")) else { continue };
            let names: Items<'_> = if slots.is_instance_of::<PyString>() {
                std::iter::once(slots).collect()
            } else if let Ok(slots) = slots.cast::<PyTuple>() {
                slots.iter().take(self.nodes).collect()
            } else if let Ok(slots) = slots.cast::<PyList>() {
                slots.iter().take(self.nodes).collect()
            } else {
                continue;
            };
            for name in &names {
                let Some(name) = mangled(name, &base) else { continue };
                let Ok(member) = members.get_item(name) else { continue };
                // The descriptor of a slot is native; what else may be there under its name is not asked.
                if member.get_type().name().is_ok_and(|name| name == "member_descriptor") {
                    let value = member.call_method1(intern!(py, "__get__"), (object, class));
                    let value = value.map_or(0, |value| self.object(&value));
                    hash = Some(mix(hash.unwrap_or(kind::OBJECT), value));
                }
            }
        }
        hash
    }

    /// What a native object without attributes says of itself: its hash, or its buffer.
    fn native(&mut self, object: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> Option<u64> {
        let py = object.py();
        if object.is_exact_instance_of::<PyComplex>() {
            return object.hash().ok().map(|hash| mix(kind::HASHED, hash as u64));
        }
        let name = intern!(py, "__hash__");
        let hash = class.getattr(name).ok()?;
        let is_native = hash.get_type().name().is_ok_and(|name| name == "wrapper_descriptor");
        if is_native && !hash.is(&py.get_type::<PyAny>().getattr(name).ok()?) {
            return object.hash().ok().map(|hash| mix(kind::HASHED, hash as u64));
        }
        if class
            .getattr(intern!(py, "__buffer__"))
            .is_ok_and(|buffer| buffer.is_instance_of::<PyFunction>())
        {
            return None;
        }
        let view = PyMemoryView::from(object).ok()?;
        let length: usize = view.getattr(intern!(py, "nbytes")).ok()?.extract().ok()?;
        let bytes = view.call_method1(intern!(py, "cast"), ("B",)).ok()?;
        let start = bytes.get_item(first(py, self.bytes)).ok()?;
        let start = start.call_method0(intern!(py, "tobytes")).ok()?;
        Some(self.bytes(start.cast::<PyBytes>().ok()?.as_bytes(), length))
    }
}

fn integer(int: &Bound<'_, PyInt>) -> u64 {
    match int.extract::<i64>() {
        Ok(small) => mix(kind::INT, small as u64),
        Err(_) => mix(kind::HUGE, huge(int)),
    }
}

/// Like the whole number that it is, if it is one.
fn number(float: &Bound<'_, PyFloat>) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let value = float.value();
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        return mix(kind::INT, value as i64 as u64);
    }
    if value.is_finite() && value.fract() == 0.0 {
        return mix(kind::HUGE, huge(float));
    }
    let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    mix(kind::FLOAT, bits)
}

/// The hash of a number beyond 64 bits, which is native and the same for ints and floats; one of a class that
/// is derived goes without.
fn huge(number: &Bound<'_, PyAny>) -> u64 {
    let is_plain =
        number.is_exact_instance_of::<PyInt>() || number.is_exact_instance_of::<PyFloat>();
    if is_plain { number.hash().map_or(0, |hash| hash as u64) } else { 0 }
}

/// The slice of the first so many.
fn first(py: Python<'_>, count: usize) -> Bound<'_, PySlice> {
    PySlice::new(py, 0, isize::try_from(count).unwrap_or(isize::MAX), 1)
}

/// The name under which a class keeps a slot: a private one carries the name of the class.
fn mangled(name: &Bound<'_, PyAny>, class: &Bound<'_, PyAny>) -> Option<String> {
    let name = name.cast::<PyString>().ok()?.to_str().ok()?;
    if !name.starts_with("__") || name.ends_with("__") {
        return Some(name.to_owned());
    }
    let class = class.cast::<PyType>().ok()?.name().ok()?;
    Some(format!("_{}{name}", class.to_str().ok()?.trim_start_matches('_')))
}
