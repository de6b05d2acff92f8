//! jq expressions: a part of the language that ends by itself and reads nothing but its input.

use std::sync::Arc;

pub use jaq_json::Val;

/// A compiled expression. Cheap to share, `Send + Sync`.
#[derive(Clone)]
pub struct Expression(Arc<()>);
impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Expression")
    }
}

/// The values of an expression's variables, in the order of the names that it was compiled with.
#[derive(Clone, Debug)]
pub struct Variables(Vec<Val>);

/// A run-time error. Holds nothing: jq's own errors quote values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;
