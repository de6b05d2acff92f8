//! The budget of one run of an expression, in bytes of what it builds.
//!
//! jq has no limit: `. + .`, repeated thirty times, turns one letter into a gigabyte.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use jaq_core::box_iter::box_once;
use jaq_core::data::{DataT, HasLut};
use jaq_core::native::{bome, run, v};
use jaq_core::{Bind, Error, Lut, Native};
use jaq_json::{Num, Rc, Val};

/// In bytes, for all strings and lists of one run. A page of 10,000 rows takes 3 MB.
pub(crate) const BUDGET: u64 = 64 << 20;

/// The cost of a list element.
pub(crate) const ELEMENT: u64 = 16;

/// The cost of a list in addition to its elements.
const LIST: u64 = 64;

/// jq on JSON, with a budget.
pub(crate) struct Jq;

/// The state that the functions of one run share.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    pub(crate) lut: &'a Lut<Jq>,
    /// The remaining budget.
    pub(crate) budget: &'a Cell<u64>,
}

impl DataT for Jq {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

impl<'a> HasLut<'a, Jq> for Data<'a> {
    fn lut(&self) -> &'a Lut<Jq> {
        self.lut
    }
}

/// A native function: its name, arguments and implementation.
pub(crate) type Function = (&'static str, Box<[Bind]>, Native<Jq>);

pub(crate) fn spend(budget: &Cell<u64>, cost: u64) -> Result<(), Error<Val>> {
    let left = budget.get().checked_sub(cost).ok_or_else(|| fault("an expression builds too much"))?;
    budget.set(left);
    Ok(())
}

/// An error of a function. It is never shown; `try` can catch it.
pub(crate) fn fault(words: &str) -> Error<Val> {
    Error::new(Val::utf8_str(words.to_owned().into_bytes()))
}

/// The functions that `prelude` substitutes for everything that grows.
pub(crate) fn functions() -> [Function; 7] {
    [
        run(("_add", v(2), |(mut context, input)| {
            // In `. + $x` the input is the left side: it grows in place once there is no other reference to it.
            drop(input);
            let budget = context.data().budget;
            let right = context.pop_var();
            let left = context.pop_var();
            drop(context);
            bome(add(left, right, budget))
        })),
        run(("_mul", v(2), |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            bome(product(left, right))
        })),
        run(("_list", [Bind::Fun(())].into(), |mut cv| {
            let budget = cv.0.data().budget;
            let (inner, context) = cv.0.pop_fun();
            if let Err(error) = spend(budget, LIST) {
                return bome(Err(error));
            }
            let elements = inner.run((context, cv.1)).map(|element| {
                spend(budget, ELEMENT)?;
                element
            });
            box_once(elements.collect())
        })),
        run(("_text", v(0), |cv| bome(text(cv.1, cv.0.data().budget)))),
        run(("tostring", v(0), |cv| bome(text(cv.1, cv.0.data().budget)))),
        run(("tojson", v(0), |cv| bome(json(&cv.1, cv.0.data().budget)))),
        run(("join", v(1), |mut cv| {
            let budget = cv.0.data().budget;
            let separator = cv.0.pop_var();
            bome(join(&cv.1, &separator, budget))
        })),
    ]
}

/// The right side is copied; the left side grows in place, unless it is shared.
fn add(left: Val, right: Val, budget: &Cell<u64>) -> Result<Val, Error<Val>> {
    let shared = match &left {
        Val::TStr(text) | Val::BStr(text) => !text.is_unique(),
        Val::Arr(list) => Rc::strong_count(list) > 1,
        Val::Obj(map) => Rc::strong_count(map) > 1,
        _ => true,
    };
    spend(budget, size(&right) + if shared { size(&left) } else { 0 })?;
    left + right
}

/// The cost of a copy.
fn size(value: &Val) -> u64 {
    match value {
        Val::TStr(text) | Val::BStr(text) => text.len() as u64,
        Val::Arr(list) => list.len() as u64 * ELEMENT,
        Val::Obj(map) => map.len() as u64 * 2 * ELEMENT,
        Val::Num(Num::BigInt(number)) => number.bits() / 8,
        _ => 0,
    }
}

/// As in jq, null is an empty string.
fn join(list: &Val, separator: &Val, budget: &Cell<u64>) -> Result<Val, Error<Val>> {
    let (Val::Arr(list), Val::TStr(separator)) = (list, separator) else {
        return Err(fault("`join` takes a list and a text"));
    };
    let mut joined = Vec::new();
    for (number, element) in list.iter().enumerate() {
        let part = match element {
            Val::Null => Val::utf8_str(Vec::new()),
            Val::Arr(_) | Val::Obj(_) => return Err(fault("`join` takes a list of texts and numbers")),
            plain => text(plain.clone(), budget)?,
        };
        let Val::TStr(part) = part else { return Err(fault("`join` takes a list of texts and numbers")) };
        spend(budget, (part.len() + separator.len()) as u64)?;
        if number > 0 {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(&part);
    }
    Ok(Val::utf8_str(joined))
}

/// Numbers only: a string times a number has any size, and big integers take any time.
fn product(left: Val, right: Val) -> Result<Val, Error<Val>> {
    match (left, right) {
        (Val::Num(Num::BigInt(_)), _) | (_, Val::Num(Num::BigInt(_))) => Err(fault("too large a number")),
        (left @ Val::Num(_), right @ Val::Num(_)) => left * right,
        _ => Err(fault("`*` multiplies numbers only")),
    }
}

/// A string unchanged, anything else as JSON.
fn text(value: Val, budget: &Cell<u64>) -> Result<Val, Error<Val>> {
    match value {
        text @ (Val::TStr(_) | Val::BStr(_)) => Ok(text),
        other => json(&other, budget),
    }
}

fn json(value: &Val, budget: &Cell<u64>) -> Result<Val, Error<Val>> {
    let mut to = Bounded { text: String::new(), budget };
    write!(to, "{value}").map_err(|_| fault("an expression builds too much"))?;
    Ok(Val::utf8_str(to.text.into_bytes()))
}

/// Stops when the budget is spent: values share their parts, so that their JSON can be of any size.
struct Bounded<'a> {
    text: String,
    budget: &'a Cell<u64>,
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Even a bracket costs time.
        spend(self.budget, ELEMENT.max(text.len() as u64)).map_err(|_| fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}
