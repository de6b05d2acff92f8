//! Expressions that need no loop, such as `.owner.name // .login` and `.state == "BLOCKED"`. Most fields of a token are of this
//! kind; they are evaluated without jq, whose iterators and contexts cost some ten allocations per value.

use jaq_core::ValT as _;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part, Path};
use jaq_json::{Num, Val};

use super::{Unreadable, Variables};

/// An expression that yields at most one value.
pub(super) enum Direct {
    Input,
    Constant(Val),
    /// By its number in `Variables`.
    Variable(usize),
    Path(Box<Direct>, Vec<(Val, Opt)>),
    Pipe(Box<Direct>, Box<Direct>),
    /// `left // right`.
    Alternative(Box<Direct>, Box<Direct>),
    /// `left == right`, or `!=`.
    Comparison(Box<Direct>, Box<Direct>, Cmp),
}

impl Direct {
    /// `None` if the expression needs jq. `number` is that of a variable.
    pub(super) fn of(term: &Term<&str>, number: &dyn Fn(&str) -> Option<usize>) -> Option<Self> {
        let boxed = |term| Self::of(term, number).map(Box::new);
        Some(match term {
            Term::Id => Self::Input,
            Term::Str(None, parts) => Self::Constant(string(parts)?),
            Term::Num(digits) => Self::Constant(Val::Num(Num::Int(digits.parse().ok()?))),
            Term::Call("null", args) if args.is_empty() => Self::Constant(Val::Null),
            Term::Call("true", args) if args.is_empty() => Self::Constant(Val::Bool(true)),
            Term::Call("false", args) if args.is_empty() => Self::Constant(Val::Bool(false)),
            Term::Var(name) => Self::Variable(number(name)?),
            Term::Path(head, Path(parts)) => Self::Path(boxed(head)?, parts.iter().map(step).collect::<Option<_>>()?),
            Term::BinOp(left, BinaryOp::Pipe(None), right) => Self::Pipe(boxed(left)?, boxed(right)?),
            Term::BinOp(left, BinaryOp::Alt, right) => Self::Alternative(boxed(left)?, boxed(right)?),
            Term::BinOp(left, BinaryOp::Cmp(operator @ (Cmp::Eq | Cmp::Ne)), right) => {
                let (left, right) = (boxed(left)?, boxed(right)?);
                // Without a value on one side, it would matter which side jq evaluates first.
                if left.may_be_empty() || right.may_be_empty() {
                    return None;
                }
                Self::Comparison(left, right, *operator)
            }
            _ => return None,
        })
    }

    /// Whether there may be no value: after `?`.
    fn may_be_empty(&self) -> bool {
        match self {
            Self::Input | Self::Constant(_) | Self::Variable(_) => false,
            Self::Path(head, steps) => {
                head.may_be_empty() || steps.iter().any(|(_, optional)| matches!(optional, Opt::Optional))
            }
            Self::Pipe(left, right) | Self::Alternative(left, right) | Self::Comparison(left, right, _) => {
                left.may_be_empty() || right.may_be_empty()
            }
        }
    }

    /// The value, if there is one.
    pub(super) fn value(&self, variables: &Variables, input: Val) -> Result<Option<Val>, Unreadable> {
        match self {
            Self::Input => Ok(Some(input)),
            Self::Constant(value) => Ok(Some(value.clone())),
            Self::Variable(number) => Ok(Some(variables.get(*number))),
            Self::Path(head, steps) => {
                let Some(mut value) = head.value(variables, input)? else { return Ok(None) };
                for (key, optional) in steps {
                    value = match (value.index(key), optional) {
                        (Ok(value), _) => value,
                        (Err(_), Opt::Optional) => return Ok(None),
                        (Err(_), Opt::Essential) => return Err(Unreadable),
                    };
                }
                Ok(Some(value))
            }
            Self::Pipe(left, right) => match left.value(variables, input)? {
                Some(value) => right.value(variables, value),
                None => Ok(None),
            },
            Self::Alternative(left, right) => match left.value(variables, input.clone())? {
                Some(value) if value.as_bool() => Ok(Some(value)),
                _ => right.value(variables, input),
            },
            Self::Comparison(left, right, operator) => {
                let left = left.value(variables, input.clone())?;
                let right = right.value(variables, input)?;
                Ok(left.zip(right).map(|(left, right)| Val::Bool(operator.run(&left, &right))))
            }
        }
    }
}

/// A string without interpolation.
fn string(parts: &[StrPart<&str, Term<&str>>]) -> Option<Val> {
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(part) => text.push(*part),
            StrPart::Term(_) => return None,
        }
    }
    Some(Val::utf8_str(text))
}

/// A step of a path whose key is a constant.
fn step((part, optional): &(Part<Term<&str>>, Opt)) -> Option<(Val, Opt)> {
    match part {
        Part::Index(key) => match Direct::of(key, &|_| None)? {
            Direct::Constant(key) => Some((key, *optional)),
            _ => None,
        },
        Part::Range(..) => None,
    }
}
