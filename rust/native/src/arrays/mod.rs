//! The batch functions of physics as ufuncs of numpy.
//!
//! Broadcasting, casting, `out=`, `where=`, `axis=` and overlapping memory are numpy's own, as is
//! letting other threads run; what is ours is the loop over one dimension ([`elementwise`]) or over
//! one matrix ([`matrices`]). numpy is imported when the ufuncs are first asked for.
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_ptr_alignment,
    reason = "numpy counts in signed numbers, and has aligned what its byte pointers point to"
)]

mod columns;
mod elementwise;
mod matrices;
mod quiet;

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr;

use numpy::npyffi::objects::PyUFuncGenericFunction;
use numpy::npyffi::types::NPY_TYPES;
use numpy::npyffi::ufunc::PY_UFUNC_API;
use pyo3::prelude::*;
use pyo3::types::PyDict;

const DOUBLE: c_char = NPY_TYPES::NPY_DOUBLE as c_char;
const SINGLE: c_char = NPY_TYPES::NPY_FLOAT as c_char;
/// 64 bits, whichever of C's types has them.
const INTEGER: c_char = if size_of::<c_long>() == 8 {
    NPY_TYPES::NPY_LONG as c_char
} else {
    NPY_TYPES::NPY_LONGLONG as c_char
};

/// One ufunc: for each loop, the types of its inputs and outputs.
struct Function {
    name: &'static CStr,
    inputs: usize,
    loops: &'static [(PyUFuncGenericFunction, &'static [c_char])],
    /// The core dimensions, for loops over more than one element.
    signature: Option<&'static CStr>,
}

const FUNCTIONS: [Function; 7] = [
    Function {
        name: c"decay",
        inputs: 4,
        loops: &[
            (Some(elementwise::decay::<true>), &[SINGLE, SINGLE, DOUBLE, DOUBLE, SINGLE]),
            (Some(elementwise::decay::<false>), &[DOUBLE; 5]),
        ],
        signature: None,
    },
    Function {
        name: c"interfere",
        inputs: 4,
        loops: &[
            (Some(elementwise::interfere::<true>), &[SINGLE; 6]),
            (Some(elementwise::interfere::<false>), &[DOUBLE; 6]),
        ],
        signature: None,
    },
    Function {
        name: c"resultant",
        inputs: 2,
        loops: &[(Some(matrices::resultant), &[DOUBLE; 4])],
        signature: Some(c"(n),(n)->(),()"),
    },
    Function {
        name: c"resultants",
        inputs: 3,
        loops: &[(Some(matrices::resultants), &[DOUBLE, DOUBLE, INTEGER, DOUBLE, DOUBLE])],
        signature: Some(c"(n),(n),(n)->(g),(g)"),
    },
    Function {
        name: c"superpose",
        inputs: 4,
        loops: &[(Some(matrices::superpose), &[DOUBLE; 5])],
        signature: Some(c"(n),(n),(n),(m)->(m)"),
    },
    Function {
        name: c"superpose_both",
        inputs: 4,
        loops: &[(Some(matrices::superpose_both), &[DOUBLE; 6])],
        signature: Some(c"(n),(n),(n),(m)->(m),(m)"),
    },
    Function {
        name: c"coherence",
        inputs: 1,
        loops: &[(Some(matrices::coherence), &[DOUBLE; 2])],
        signature: Some(c"(n,t)->(n,n)"),
    },
];

/// The ufuncs by their names, made anew.
#[pyfunction]
pub fn array_functions(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    py.import("numpy")?;
    let functions = PyDict::new(py);
    for function in FUNCTIONS {
        functions.set_item(function.name, function.made(py)?)?;
    }
    Ok(functions)
}

impl Function {
    fn made(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        // A ufunc keeps these pointers and lives as long as the process, so they are never freed.
        let loops: Vec<_> = self.loops.iter().map(|(body, _)| *body).collect();
        let types: Vec<_> = self.loops.iter().flat_map(|(_, types)| *types).copied().collect();
        let data: Vec<*mut c_void> = vec![ptr::null_mut(); loops.len()];
        let operands = self.loops[0].1.len();
        // SAFETY: attached; each loop has its body, its data and a type for each operand; numpy's
        // table of functions is that of the numpy that is imported.
        let made = unsafe {
            PY_UFUNC_API.PyUFunc_FromFuncAndDataAndSignature(
                py,
                loops.leak().as_mut_ptr(),
                data.leak().as_mut_ptr(),
                types.leak().as_mut_ptr(),
                self.loops.len() as c_int,
                self.inputs as c_int,
                (operands - self.inputs) as c_int,
                -1, // PyUFunc_None: nothing to reduce to
                self.name.as_ptr(),
                c"".as_ptr(),
                0,
                self.signature.map_or(ptr::null(), CStr::as_ptr),
            )
        };
        // SAFETY: a new reference, or null with an error set.
        unsafe { Bound::from_owned_ptr_or_err(py, made) }
    }
}
