//! jq expressions: a subset of the language that always terminates and reads nothing but its input.
//!
//! An expression is parsed and checked (`syntax`, `check`), its additions, products, lists and strings are replaced by
//! functions with a budget (`prelude`, `bounds`), and it is compiled with only those definitions of jq's library that it
//! calls: that takes 15 µs and 2 kB instead of 500 µs and 90 kB. Simple ones are evaluated without jq (`direct`).

pub(in crate::providers) mod bounds;
mod check;
mod direct;
pub(in crate::providers) mod functions;
mod prelude;
mod syntax;
mod term;

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use jaq_core::load::parse::Term;
pub use jaq_json::Val;

use super::scalar_span::SpanError;
use bounds::{Data, Jq};
use direct::Direct;

/// The variables that every expression sees, before the `as` names.
const VARIABLES: [&str; 6] = ["$settings", "$maps", "$body", "$headers", "$status", "$rows"];

const INVALID_PATTERN: &str =
    "invalid regular expression or flags; a backslash is written twice in a string: \"\\\\d+\"";

/// A compiled expression. Cheap to share, `Send + Sync`.
#[derive(Clone)]
pub struct Expression(Arc<Inner>);

struct Inner {
    path: String,
    code: String,
    program: Program,
    settings: Vec<String>,
    maps: Vec<String>,
}

enum Program {
    Direct(Direct),
    /// With the variables that it uses, by their number in `Variables`.
    Jq(jaq_core::Filter<Jq>, Vec<usize>),
}

impl fmt::Debug for Expression {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Expression({})", self.0.path)
    }
}

/// The values of an expression's variables; null if they do not apply.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// `$settings`: the source's settings, and `auth`, the name of the scheme.
    pub settings: Val,
    /// `$maps`: the look-up tables by name, each an object.
    pub maps: Val,
    /// `$body`: the whole response.
    pub body: Val,
    /// `$headers`: the response headers, with names in lower case.
    pub headers: Val,
    /// `$status`: the response status code.
    pub status: Val,
    /// `$rows`: the number of rows on this page.
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

/// A run-time error. It carries no message: jq's errors quote values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression does not match the response")]
pub struct Unreadable;

/// The names that an expression may use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpressionScope<'a> {
    pub(crate) settings: &'a [String],
    pub(crate) maps: &'a [String],
    /// The `as` names to the left, in order.
    pub(crate) names: &'a [String],
}

/// What an expression mentions.
#[derive(Default)]
struct Checked {
    variables: Vec<usize>,
    settings: Vec<String>,
    maps: Vec<String>,
    patterns: Vec<Pattern>,
}

/// A regular expression that is written in the code.
struct Pattern {
    at: Range<usize>,
    /// Whether it is an argument of `test`, which has another library than jq's own functions.
    is_test: bool,
    text: String,
    flags: String,
}

impl Pattern {
    /// Whether it compiles: if not, each use would fail at run time.
    fn is_valid(&self) -> bool {
        if self.is_test {
            return functions::compiled(&self.text, &self.flags).is_ok();
        }
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let code = format!("[match({}; {})]", quoted(&self.text), quoted(&self.flags));
        let filter = syntax::parse(&code).ok().and_then(|term| prelude::compile(term, &[]));
        let program = filter.map(|filter| Program::Jq(filter, Vec::new()));
        let inner = |program| Inner { path: String::new(), code, program, settings: Vec::new(), maps: Vec::new() };
        let empty = Val::utf8_str(Vec::new());
        program.is_some_and(|program| Expression(Arc::new(inner(program))).run(&Variables::default(), empty).is_ok())
    }
}

impl Expression {
    /// Compiles an expression at a path of the definition.
    ///
    /// # Errors
    /// Every error, with its position in `code`.
    pub(crate) fn compile(path: &str, code: &str, scope: &ExpressionScope<'_>) -> Result<Self, Vec<SpanError>> {
        Self::compile_as(path, code, scope, Direct::of)
    }

    /// `direct` decides which expressions are evaluated without jq.
    fn compile_as(
        path: &str,
        code: &str,
        scope: &ExpressionScope<'_>,
        direct: impl FnOnce(&Term<&str>, &dyn Fn(&str) -> Option<usize>) -> Option<Direct>,
    ) -> Result<Self, Vec<SpanError>> {
        let mut term = syntax::parse(code)?;
        let Checked { variables, settings, maps, patterns } = check::check(&mut term, code, scope)?;
        let invalid = patterns.into_iter().filter(|pattern| !pattern.is_valid());
        let invalid: Vec<_> = invalid.map(|pattern| SpanError::new(pattern.at, INVALID_PATTERN)).collect();
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let names: Vec<String> = scope.names.iter().map(|name| format!("${name}")).collect();
        let all: Vec<&str> = VARIABLES.into_iter().chain(names.iter().map(String::as_str)).collect();
        let program = match direct(&term, &|name| variable_number(name, &all)) {
            Some(direct) => Program::Direct(direct),
            None => {
                let globals: Vec<&str> = variables.iter().map(|number| all[*number]).collect();
                let filter = prelude::compile(term, &globals)
                    .ok_or_else(|| vec![SpanError::new(0..code.len(), "not supported by this jq compiler")])?;
                Program::Jq(filter, variables)
            }
        };
        Ok(Self(Arc::new(Inner { path: path.to_owned(), code: code.to_owned(), program, settings, maps })))
    }

    /// All values that the expression yields.
    ///
    /// # Errors
    /// If the input does not have the expected shape, or the result exceeds the budget.
    pub fn run(&self, variables: &Variables, input: Val) -> Result<Vec<Val>, Unreadable> {
        let mut yielded = Vec::new();
        self.each(variables, input, &mut |value| {
            yielded.push(value);
            true
        })?;
        Ok(yielded)
    }

    /// The first value that the expression yields.
    ///
    /// # Errors
    /// As for [`Expression::run`].
    pub fn first(&self, variables: &Variables, input: Val) -> Result<Option<Val>, Unreadable> {
        let mut first = None;
        self.each(variables, input, &mut |value| {
            first = Some(value);
            false
        })?;
        Ok(first)
    }

    /// Whether the first value is neither null nor false. An error and no value count as false.
    pub fn truth(&self, variables: &Variables, input: Val) -> bool {
        matches!(self.first(variables, input), Ok(Some(value)) if !matches!(value, Val::Null | Val::Bool(false)))
    }

    /// Passes on each value until `take` returns false.
    fn each(&self, variables: &Variables, input: Val, take: &mut dyn FnMut(Val) -> bool) -> Result<(), Unreadable> {
        let (filter, used) = match &self.0.program {
            Program::Direct(direct) => {
                if let Some(value) = direct.value(variables, input)? {
                    self.record_coverage(&value);
                    take(value);
                }
                return Ok(());
            }
            Program::Jq(filter, used) => (filter, used),
        };
        let budget = Cell::new(bounds::BUDGET);
        let values = jaq_core::Vars::new(used.iter().map(|number| variables.get(*number)));
        let context = jaq_core::Ctx::<Jq>::new(Data { lut: &filter.lut, budget: &budget }, values);
        for result in filter.id.run((context, input)) {
            let value = result.map_err(|_| Unreadable)?;
            bounds::spend(&budget, bounds::ELEMENT).map_err(|_| Unreadable)?;
            self.record_coverage(&value);
            if !take(value) {
                break;
            }
        }
        Ok(())
    }

    fn record_coverage(&self, _value: &Val) {
        #[cfg(test)]
        crate::providers::tests::coverage::record(&*self.0, !matches!(_value, Val::Null));
    }

    /// Its path in the definition, such as `listings.instance.token.kind`.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The source code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The names in `$maps.NAME`.
    pub fn maps(&self) -> &[String] {
        &self.0.maps
    }

    /// The names in `$settings.NAME`.
    pub fn settings(&self) -> &[String] {
        &self.0.settings
    }

    /// Whether it has yielded anything but null on this thread.
    #[cfg(test)]
    pub(crate) fn has_yielded(&self) -> bool {
        crate::providers::tests::coverage::is_reached(&*self.0)
    }
}

/// The number of a variable in `Variables`; `all` are those in scope. Of equal names the last one counts.
fn variable_number(name: &str, all: &[&str]) -> Option<usize> {
    VARIABLES.iter().position(|known| *known == name).or_else(|| all.iter().rposition(|known| *known == name))
}

/// The byte range of a part of the code.
fn span(code: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(code.as_ptr() as usize).min(code.len());
    start..(start + part.len()).min(code.len())
}

#[cfg(test)]
mod tests;
