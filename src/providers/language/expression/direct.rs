//! Expressions that need no loop, such as `.owner.name // .login`, `.state == "BLOCKED"` and `.user + {active: $maps.x[.id]}`. Most
//! fields of a token are of this kind; they are evaluated without jq, whose iterators and contexts cost some ten allocations per
//! value.

use jaq_core::ValT as _;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part, Path};
use jaq_json::{Map, Num, Val};

use super::{Unreadable, Variables};

/// An expression that yields at most one value.
pub(super) enum Direct {
    Input,
    Constant(Val),
    /// By its number in `Variables`.
    Variable(usize),
    Path(Box<Direct>, Vec<(Direct, Opt)>),
    Pipe(Box<Direct>, Box<Direct>),
    /// `left // right`.
    Alternative(Box<Direct>, Box<Direct>),
    /// `left == right`, or `!=`.
    Comparison(Box<Direct>, Box<Direct>, Cmp),
    /// `if … then … elif … else … end`: conditions with their results, and the last result.
    Choice(Vec<(Direct, Direct)>, Box<Direct>),
    /// `type`.
    TypeName,
    /// `{a: …, b: …}` with constant keys.
    Object(Vec<(Val, Direct)>),
    /// `left + {…}`.
    Extended(Box<Direct>, Box<Direct>),
}

impl Direct {
    /// `None` if the expression needs jq. `number` is that of a variable.
    pub(super) fn of(term: &Term<&str>, number: &dyn Fn(&str) -> Option<usize>) -> Option<Self> {
        let direct = |term| Self::of(term, number);
        let boxed = |term| direct(term).map(Box::new);
        // Of several operands, one without a value would make it matter which of them jq evaluates first.
        let operand = |term| direct(term).filter(|operand| !operand.may_be_empty());
        Some(match term {
            Term::Id => Self::Input,
            Term::Str(None, parts) => Self::Constant(string(parts)?),
            Term::Num(digits) => Self::Constant(Val::Num(Num::Int(digits.parse().ok()?))),
            Term::Call("null", args) if args.is_empty() => Self::Constant(Val::Null),
            Term::Call("true", args) if args.is_empty() => Self::Constant(Val::Bool(true)),
            Term::Call("false", args) if args.is_empty() => Self::Constant(Val::Bool(false)),
            Term::Call("type", args) if args.is_empty() => Self::TypeName,
            Term::Var(name) => Self::Variable(number(name)?),
            Term::Path(head, Path(parts)) => {
                let (head, steps) =
                    (direct(head)?, parts.iter().map(|part| step(part, number)).collect::<Option<_>>()?);
                Self::path(head, steps)?
            }
            Term::BinOp(left, BinaryOp::Pipe(None), right) => {
                let (left, right) = (boxed(left)?, boxed(right)?);
                // Objects of objects could grow without limit, for which jq has a budget.
                if left.builds() && right.builds() {
                    return None;
                }
                Self::Pipe(left, right)
            }
            Term::BinOp(left, BinaryOp::Alt, right) => Self::Alternative(boxed(left)?, boxed(right)?),
            Term::BinOp(left, BinaryOp::Cmp(operator @ (Cmp::Eq | Cmp::Ne)), right) => {
                Self::Comparison(operand(left)?.into(), operand(right)?.into(), *operator)
            }
            Term::BinOp(left, BinaryOp::Math(Math::Add), right) => match (operand(left)?, operand(right)?) {
                (left, right @ Self::Object(_)) if !left.builds() => Self::Extended(left.into(), right.into()),
                _ => return None,
            },
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases.iter().map(|(condition, then)| Some((direct(condition)?, direct(then)?)));
                let otherwise = otherwise.as_deref().map_or(Some(Self::Input), direct)?;
                Self::Choice(cases.collect::<Option<_>>()?, otherwise.into())
            }
            Term::Obj(entries) => {
                let entries = entries.iter().map(|(key, value)| {
                    let Self::Constant(key @ Val::TStr(_)) = direct(key)? else { return None };
                    let value = match value {
                        Some(value) => operand(value)?,
                        None => Self::Path(Self::Input.into(), vec![(Self::Constant(key.clone()), Opt::Essential)]),
                    };
                    (!value.builds()).then_some((key, value))
                });
                Self::Object(entries.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// A path whose keys are constants, or need no loop.
    fn path(head: Self, steps: Vec<(Self, Opt)>) -> Option<Self> {
        let constant = steps.iter().all(|(key, _)| matches!(key, Self::Constant(_)));
        let path = Self::Path(head.into(), steps);
        (constant || !path.may_be_empty()).then_some(path)
    }

    /// Whether there may be no value: after `?`.
    fn may_be_empty(&self) -> bool {
        match self {
            Self::Input | Self::Constant(_) | Self::Variable(_) | Self::TypeName => false,
            Self::Path(head, steps) => {
                head.may_be_empty()
                    || steps.iter().any(|(key, optional)| key.may_be_empty() || matches!(optional, Opt::Optional))
            }
            Self::Pipe(left, right)
            | Self::Alternative(left, right)
            | Self::Comparison(left, right, _)
            | Self::Extended(left, right) => left.may_be_empty() || right.may_be_empty(),
            Self::Choice(cases, otherwise) => {
                let case = |(condition, then): &(Self, Self)| condition.may_be_empty() || then.may_be_empty();
                cases.iter().any(case) || otherwise.may_be_empty()
            }
            Self::Object(entries) => entries.iter().any(|(_, value)| value.may_be_empty()),
        }
    }

    /// Whether its value may be an object that it makes.
    fn builds(&self) -> bool {
        match self {
            Self::Input | Self::Constant(_) | Self::Variable(_) | Self::TypeName | Self::Comparison(..) => false,
            Self::Object(_) | Self::Extended(..) => true,
            Self::Path(head, _) => head.builds(),
            Self::Pipe(left, right) | Self::Alternative(left, right) => left.builds() || right.builds(),
            Self::Choice(cases, otherwise) => cases.iter().any(|(_, then)| then.builds()) || otherwise.builds(),
        }
    }

    /// The value, if there is one.
    pub(super) fn value(&self, variables: &Variables, input: Val) -> Result<Option<Val>, Unreadable> {
        Ok(Some(match self {
            Self::Input => input,
            Self::Constant(value) => value.clone(),
            Self::Variable(number) => variables.get(*number),
            Self::TypeName => type_name(&input),
            Self::Path(head, steps) => return Self::at_path(head, steps, variables, input),
            Self::Pipe(left, right) => match left.value(variables, input)? {
                Some(value) => return right.value(variables, value),
                None => return Ok(None),
            },
            Self::Alternative(left, right) => match left.value(variables, input.clone())? {
                Some(value) if value.as_bool() => value,
                _ => return right.value(variables, input),
            },
            Self::Comparison(left, right, operator) => {
                let (Some(left), Some(right)) = (left.value(variables, input.clone())?, right.value(variables, input)?)
                else {
                    return Ok(None);
                };
                Val::Bool(operator.run(&left, &right))
            }
            Self::Choice(cases, otherwise) => {
                for (condition, then) in cases {
                    match condition.value(variables, input.clone())? {
                        Some(value) if value.as_bool() => return then.value(variables, input),
                        Some(_) => {}
                        None => return Ok(None),
                    }
                }
                return otherwise.value(variables, input);
            }
            Self::Object(entries) => {
                let mut object = Map::with_capacity_and_hasher(entries.len(), Default::default());
                for (key, value) in entries {
                    let Some(value) = value.value(variables, input.clone())? else { return Ok(None) };
                    object.insert(key.clone(), value);
                }
                Val::obj(object)
            }
            Self::Extended(left, right) => {
                let (Some(left), Some(right)) = (left.value(variables, input.clone())?, right.value(variables, input)?)
                else {
                    return Ok(None);
                };
                (left + right).map_err(|_| Unreadable)?
            }
        }))
    }

    /// The keys are evaluated for the path's input.
    fn at_path(
        head: &Self,
        steps: &[(Self, Opt)],
        variables: &Variables,
        input: Val,
    ) -> Result<Option<Val>, Unreadable> {
        let keys_need_input = steps.iter().any(|(key, _)| !matches!(key, Self::Constant(_)));
        let outer = if keys_need_input { input.clone() } else { Val::Null };
        let Some(mut value) = head.value(variables, input)? else { return Ok(None) };
        for (key, optional) in steps {
            let result = match key {
                Self::Constant(key) => value.index(key),
                key => match key.value(variables, outer.clone())? {
                    Some(key) => value.index(&key),
                    None => return Ok(None),
                },
            };
            value = match (result, optional) {
                (Ok(value), _) => value,
                (Err(_), Opt::Optional) => return Ok(None),
                (Err(_), Opt::Essential) => return Err(Unreadable),
            };
        }
        Ok(Some(value))
    }
}

/// As jq's `type`.
fn type_name(value: &Val) -> Val {
    let name = match value {
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Num(_) => "number",
        Val::BStr(_) | Val::TStr(_) => "string",
        Val::Arr(_) => "array",
        Val::Obj(_) => "object",
    };
    Val::utf8_str(name)
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

/// A step of a path.
fn step((part, optional): &(Part<Term<&str>>, Opt), number: &dyn Fn(&str) -> Option<usize>) -> Option<(Direct, Opt)> {
    match part {
        Part::Index(key) => Some((Direct::of(key, number)?, *optional)),
        Part::Range(..) => None,
    }
}
