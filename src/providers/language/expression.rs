//! jq expressions: a part of the language that ends by itself and reads nothing but its input.
//!
//! An expression is read and checked (`syntax`, `check`), its additions, products, lists and texts are led through
//! functions that keep to a budget (`prelude`, `bounds`), and it is compiled with only those definitions of jq's own
//! library that it calls: that takes 15 µs and 2 kB instead of 500 µs and 90 kB.

pub(in crate::providers) mod bounds;
mod check;
pub(in crate::providers) mod functions;
mod prelude;
mod syntax;

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use jaq_json::Val;

use super::scalar_span::SpanError;
use bounds::{Data, Jq};
#[cfg(test)]
use check::ALLOWED;

/// The variables that every expression sees, before the `as` names.
const VARIABLES: [&str; 6] = ["$settings", "$maps", "$body", "$headers", "$status", "$rows"];

/// A compiled expression. Cheap to share, `Send + Sync`.
#[derive(Clone)]
pub struct Expression(Arc<Inner>);

struct Inner {
    path: String,
    code: String,
    filter: jaq_core::Filter<Jq>,
    /// Which of the variables it uses, by their place in `Variables`.
    variables: Vec<usize>,
    settings: Vec<String>,
    maps: Vec<String>,
    yielded: AtomicBool,
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<Variables>();
};

impl fmt::Debug for Expression {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Expression({})", self.0.path)
    }
}

/// The values of an expression's variables. Those that do not apply are null.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// `$settings`: the source's settings, and `auth`, the name of the scheme.
    pub settings: Val,
    /// `$maps`: an object of the look-up tables, each an object.
    pub maps: Val,
    /// `$body`: the page's whole answer.
    pub body: Val,
    /// `$headers`: the answer's headers, their names in lower case.
    pub headers: Val,
    /// `$status`: the answer's status.
    pub status: Val,
    /// `$rows`: how many rows this page has.
    pub rows: Val,
    /// The values of the `as` names to the left, in order.
    pub names: Vec<Val>,
}

impl Variables {
    fn get(&self, number: usize) -> Val {
        let known = [&self.settings, &self.maps, &self.body, &self.headers, &self.status, &self.rows];
        match known.get(number) {
            Some(value) => (*value).clone(),
            None => self.names.get(number - known.len()).cloned().unwrap_or_default(),
        }
    }
}

/// A run-time error. Holds nothing: jq's own errors quote values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an expression cannot be applied to what the provider answered")]
pub struct Unreadable;

/// The names that an expression may use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpressionScope<'a> {
    /// The settings.
    pub(crate) settings: &'a [String],
    /// The look-up tables.
    pub(crate) maps: &'a [String],
    /// The `as` names to the left, in order.
    pub(crate) names: &'a [String],
}

/// What parsing and checking have found.
struct Checked<'s> {
    term: jaq_core::load::parse::Term<&'s str>,
    variables: Vec<usize>,
    settings: Vec<String>,
    maps: Vec<String>,
}

impl Expression {
    /// Compiles an expression. `path` is its place in the definition, such as `listings.instance.token.kind`.
    pub(crate) fn compile(path: &str, code: &str, scope: &ExpressionScope<'_>) -> Result<Self, Vec<SpanError>> {
        let checked = check::check(syntax::parse(code)?, code, scope)?;
        let names: Vec<String> = scope.names.iter().map(|name| format!("${name}")).collect();
        let all: Vec<&str> = VARIABLES.into_iter().chain(names.iter().map(String::as_str)).collect();
        let globals: Vec<&str> = checked.variables.iter().map(|number| all[*number]).collect();
        let filter = prelude::compile(checked.term, &globals)
            .ok_or_else(|| vec![SpanError::new(0..code.len(), "not jq that this program can compile")])?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            code: code.to_owned(),
            filter,
            variables: checked.variables,
            settings: checked.settings,
            maps: checked.maps,
            yielded: AtomicBool::new(false),
        })))
    }

    /// All that the expression yields.
    ///
    /// # Errors
    /// Where the input is not of the shape that the expression expects, or it yields more than there is room for.
    pub fn run(&self, variables: &Variables, input: Val) -> Result<Vec<Val>, Unreadable> {
        let mut yielded = Vec::new();
        self.each(variables, input, &mut |value| {
            yielded.push(value);
            true
        })?;
        Ok(yielded)
    }

    /// The first thing that the expression yields.
    ///
    /// # Errors
    /// Where the input is not of the shape that the expression expects.
    pub fn first(&self, variables: &Variables, input: Val) -> Result<Option<Val>, Unreadable> {
        let mut first = None;
        self.each(variables, input, &mut |value| {
            first = Some(value);
            false
        })?;
        Ok(first)
    }

    /// Whether the first thing that it yields is neither null nor false. Where it fails or yields nothing, it is not so.
    pub fn truth(&self, variables: &Variables, input: Val) -> bool {
        matches!(self.first(variables, input), Ok(Some(value)) if !matches!(value, Val::Null | Val::Bool(false)))
    }

    /// Hands on what the expression yields until the receiver has had enough.
    fn each(&self, variables: &Variables, input: Val, take: &mut dyn FnMut(Val) -> bool) -> Result<(), Unreadable> {
        let Inner { filter, variables: used, yielded, .. } = &*self.0;
        let budget = Cell::new(bounds::BUDGET);
        let values = jaq_core::Vars::new(used.iter().map(|number| variables.get(*number)));
        let context = jaq_core::Ctx::<Jq>::new(Data { lut: &filter.lut, budget: &budget }, values);
        for result in filter.id.run((context, input)) {
            let value = result.map_err(|_| Unreadable)?;
            bounds::spend(&budget, bounds::ELEMENT).map_err(|_| Unreadable)?;
            if !matches!(value, Val::Null) && !yielded.load(Ordering::Relaxed) {
                yielded.store(true, Ordering::Relaxed);
            }
            if !take(value) {
                break;
            }
        }
        Ok(())
    }

    /// Its place in the definition, such as `listings.instance.token.kind`.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The expression as it is written. It sees the same where it is the same, and the variables are.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The look-up tables that it reads as `$maps.NAME`.
    pub fn maps(&self) -> &[String] {
        &self.0.maps
    }

    /// The settings that it reads as `$settings.NAME`.
    pub fn settings(&self) -> &[String] {
        &self.0.settings
    }

    /// Whether it has yielded anything but null since it was compiled: what no scenario reaches is not tested.
    pub fn has_yielded(&self) -> bool {
        self.0.yielded.load(Ordering::Relaxed)
    }
}

/// Where a part of a code stands in it.
fn span(code: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(code.as_ptr() as usize).min(code.len());
    start..(start + part.len()).min(code.len())
}

#[cfg(test)]
mod tests;
