//! The part of jq that a definition may use, and which settings, maps and names an expression mentions.
//!
//! Left out is what does not end by itself, what changes its input, and what reads anything else than its input.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Part, Path};

use super::{Checked, ExpressionScope, VARIABLES, span};
use crate::providers::language::scalar_span::SpanError;
use crate::schema::diagnostic::{did_you_mean, nearest};

/// The functions that an expression may call: the name, and with how many arguments.
pub(crate) const ALLOWED: &[(&str, &[usize])] = &[
    ("abs", &[0]),
    ("add", &[0, 1]),
    ("all", &[0, 1, 2]),
    ("any", &[0, 1, 2]),
    ("arrays", &[0]),
    ("ascii_downcase", &[0]),
    ("ascii_upcase", &[0]),
    ("booleans", &[0]),
    ("capture", &[1, 2]),
    ("ceil", &[0]),
    ("contains", &[1]),
    ("empty", &[0]),
    ("endswith", &[1]),
    ("explode", &[0]),
    ("false", &[0]),
    ("first", &[0, 1]),
    ("flatten", &[0, 1]),
    ("floor", &[0]),
    ("from_entries", &[0]),
    ("fromdate", &[0]),
    ("fromjson", &[0]),
    ("gmtime", &[0]),
    ("group_by", &[1]),
    ("gsub", &[2, 3]),
    ("has", &[1]),
    ("implode", &[0]),
    ("in", &[1]),
    ("index", &[1]),
    ("indices", &[1]),
    ("inside", &[1]),
    ("isempty", &[1]),
    ("iterables", &[0]),
    ("join", &[1]),
    ("jwt_claims", &[0]),
    ("keys", &[0]),
    ("keys_unsorted", &[0]),
    ("last", &[0, 1]),
    ("length", &[0]),
    ("limit", &[2]),
    ("ltrim", &[0]),
    ("ltrimstr", &[1]),
    ("map", &[1]),
    ("map_values", &[1]),
    ("match", &[1, 2]),
    ("max", &[0]),
    ("max_by", &[1]),
    ("min", &[0]),
    ("min_by", &[1]),
    ("mktime", &[0]),
    ("not", &[0]),
    ("nth", &[1, 2]),
    ("null", &[0]),
    ("nulls", &[0]),
    ("numbers", &[0]),
    ("objects", &[0]),
    ("pem_not_after", &[0]),
    ("reverse", &[0]),
    ("rindex", &[1]),
    ("round", &[0]),
    ("rtrim", &[0]),
    ("rtrimstr", &[1]),
    ("scalars", &[0]),
    ("scan", &[1, 2]),
    ("select", &[1]),
    ("skip", &[2]),
    ("sort", &[0]),
    ("sort_by", &[1]),
    ("split", &[1, 2]),
    ("splits", &[1, 2]),
    ("startswith", &[1]),
    ("strftime", &[1]),
    ("strings", &[0]),
    ("strptime", &[1]),
    ("sub", &[2, 3]),
    ("test", &[1, 2]),
    ("to_entries", &[0]),
    ("toboolean", &[0]),
    ("todate", &[0]),
    ("tojson", &[0]),
    ("tonumber", &[0]),
    ("tostring", &[0]),
    ("trim", &[0]),
    ("true", &[0]),
    ("type", &[0]),
    ("unique", &[0]),
    ("unique_by", &[1]),
    ("values", &[0]),
    ("with_entries", &[1]),
    ("@base64", &[0]),
    ("@base64d", &[0]),
    ("@json", &[0]),
    ("@text", &[0]),
    ("@uri", &[0]),
    ("@urid", &[0]),
];

/// Checks an expression against the part of jq that is allowed, and against the names that exist.
pub(super) fn check<'s>(
    term: Term<&'s str>,
    code: &'s str,
    scope: &ExpressionScope<'_>,
) -> Result<Checked<'s>, Vec<SpanError>> {
    let mut walk =
        Walk { code, scope, locals: Vec::new(), slips: Vec::new(), used: Vec::new(), mentions: [vec![], vec![]] };
    walk.term(&term);
    if !walk.slips.is_empty() {
        return Err(walk.slips);
    }
    let [settings, maps] = walk.mentions;
    let mut variables = walk.used;
    variables.sort_unstable();
    variables.dedup();
    Ok(Checked { term, variables, settings, maps })
}

struct Walk<'s, 'n> {
    code: &'s str,
    scope: &'n ExpressionScope<'n>,
    /// The variables that the expression itself has bound.
    locals: Vec<&'s str>,
    slips: Vec<SpanError>,
    /// The outer variables that are used, by their number.
    used: Vec<usize>,
    /// The settings and the maps that are used.
    mentions: [Vec<String>; 2],
}

impl<'s> Walk<'s, '_> {
    fn slip(&mut self, part: &str, message: impl Into<String>) {
        let at = span(self.code, part);
        self.slips.push(SpanError::new(at, message));
    }

    fn term(&mut self, term: &Term<&'s str>) {
        match term {
            Term::Call(name, args) => self.call(name, args.len()),
            Term::Str(Some(format), _) => self.call(format, 0),
            Term::Var(name) => self.variable(name),
            Term::Path(head, path) => return self.path(head, path),
            Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
                self.term(left);
                return self.bound(pattern, right);
            }
            Term::Fold(name, ..) => {
                return self.slip(
                    name,
                    format!("no `{name}` in an expression; `map`, `add`, `any`, `min`, `group_by` do without"),
                );
            }
            Term::Label(name, _) | Term::Break(name) => return self.slip(name, "no labels in an expression"),
            Term::Def(defs, _) => {
                let name = defs.first().map_or(self.code, |def| def.name);
                return self.slip(name, "an expression defines no functions");
            }
            _ => {}
        }
        inner(term, &mut |inner| self.term(inner));
    }

    /// A pattern, and the term that sees its variables.
    fn bound(&mut self, pattern: &Pattern<&'s str>, rest: &Term<&'s str>) {
        let outer = self.locals.len();
        self.pattern(pattern);
        self.term(rest);
        self.locals.truncate(outer);
    }

    fn pattern(&mut self, pattern: &Pattern<&'s str>) {
        match pattern {
            Pattern::Var(name @ ("$settings" | "$maps")) => {
                self.slip(name, format!("`{name}` means something already; take another name"));
            }
            Pattern::Var(name) => self.locals.push(name),
            Pattern::Arr(patterns) => patterns.iter().for_each(|pattern| self.pattern(pattern)),
            Pattern::Obj(entries) => {
                for (key, pattern) in entries {
                    self.term(key);
                    self.pattern(pattern);
                }
            }
        }
    }

    fn call(&mut self, name: &'s str, arity: usize) {
        match ALLOWED.iter().find(|(known, _)| *known == name) {
            Some((_, arities)) if arities.contains(&arity) => {}
            Some((_, [0])) => self.slip(name, format!("`{name}` takes no argument")),
            Some((_, [1])) => self.slip(name, format!("`{name}` takes one argument, such as `{name}(.)`")),
            Some((_, arities)) => {
                let numbers: Vec<String> = arities.iter().map(ToString::to_string).collect();
                self.slip(name, format!("`{name}` takes {} arguments, not {arity}", numbers.join(" or ")));
            }
            None => {
                let known = ALLOWED.iter().map(|(known, _)| *known);
                let mut hint = did_you_mean(name, known);
                if hint.is_empty() && arity == 0 && !name.starts_with('@') {
                    hint = format!("; a constant text is written '\"{name}\"'");
                }
                self.slip(name, format!("no function `{name}`{hint}"));
            }
        }
    }

    fn variable(&mut self, name: &'s str) {
        if self.locals.contains(&name) {
            return;
        }
        if name == "$settings" || name == "$maps" {
            return self.slip(name, format!("`{name}` is used with a name: `{name}.NAME`"));
        }
        let number = match VARIABLES.iter().position(|known| *known == name) {
            Some(number) => Some(number),
            // The last of a name hides those before it.
            None => self.scope.names.iter().rposition(|known| known == &name[1..]).map(|at| at + VARIABLES.len()),
        };
        match number {
            Some(number) => self.used.push(number),
            None => {
                let outer: Vec<String> = self.scope.names.iter().map(|name| format!("${name}")).collect();
                let known =
                    VARIABLES.into_iter().chain(self.locals.iter().copied()).chain(outer.iter().map(String::as_str));
                let hint = did_you_mean(name, known);
                self.slip(name, format!("nothing is called `{name}` here{hint}"));
            }
        }
    }

    /// `$settings.x` and `$maps.x` are looked up now; every other path is walked.
    fn path(&mut self, head: &Term<&'s str>, Path(parts): &Path<Term<&'s str>>) {
        let table = match head {
            Term::Var("$settings") => Some((0, self.scope.settings)),
            Term::Var("$maps") => Some((1, self.scope.maps)),
            _ => None,
        };
        let name = match parts.first() {
            Some((Part::Index(Term::Str(None, text)), _)) => match &text[..] {
                [StrPart::Str(name)] => Some(*name),
                _ => None,
            },
            _ => None,
        };
        let mut rest = &parts[..];
        if let (Some((table, known)), Term::Var(variable), Some(name)) = (table, head, name) {
            self.mention(table, known, variable, name);
            rest = &parts[1..];
        } else {
            self.term(head);
        }
        for (part, _) in rest {
            part_terms(part, &mut |term| self.term(term));
        }
    }

    fn mention(&mut self, table: usize, known: &[String], variable: &'s str, name: &'s str) {
        if known.iter().any(|known| known == name) {
            self.used.push(table);
            if !self.mentions[table].iter().any(|mentioned| mentioned == name) {
                self.mentions[table].push(name.to_owned());
            }
            return;
        }
        let hint = nearest(name, known.iter().map(String::as_str));
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean `{variable}.{name}`?"));
        let at = span(self.code, variable).start..span(self.code, name).end;
        self.slips.push(SpanError::new(at, format!("no `{variable}.{name}` is declared{hint}")));
    }
}

fn part_terms<'t, 's>(part: &'t Part<Term<&'s str>>, visit: &mut impl FnMut(&'t Term<&'s str>)) {
    match part {
        Part::Index(index) => visit(index),
        Part::Range(from, upto) => from.iter().chain(upto).for_each(visit),
    }
}

/// Visits the terms that stand directly in a term.
pub(super) fn inner<'t, 's>(term: &'t Term<&'s str>, visit: &mut dyn FnMut(&'t Term<&'s str>)) {
    match term {
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    visit(term);
                }
            }
        }
        Term::Arr(inner) => inner.iter().for_each(|inner| visit(inner)),
        Term::Obj(entries) => {
            for (key, value) in entries {
                visit(key);
                value.iter().for_each(&mut *visit);
            }
        }
        Term::Neg(inner) | Term::Label(_, inner) | Term::Def(_, inner) => visit(inner),
        Term::BinOp(left, op, right) => {
            visit(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_terms(pattern, visit);
            }
            visit(right);
        }
        Term::Fold(_, over, pattern, args) => {
            visit(over);
            pattern_terms(pattern, visit);
            args.iter().for_each(visit);
        }
        Term::TryCatch(tried, caught) => {
            visit(tried);
            caught.iter().for_each(|caught| visit(caught));
        }
        Term::IfThenElse(ifs, otherwise) => {
            for (condition, then) in ifs {
                visit(condition);
                visit(then);
            }
            otherwise.iter().for_each(|otherwise| visit(otherwise));
        }
        Term::Call(_, args) => args.iter().for_each(visit),
        Term::Path(head, Path(parts)) => {
            visit(head);
            for (part, _) in parts {
                part_terms(part, &mut |term| visit(term));
            }
        }
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
    }
}

fn pattern_terms<'t, 's>(pattern: &'t Pattern<&'s str>, visit: &mut dyn FnMut(&'t Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(patterns) => patterns.iter().for_each(|pattern| pattern_terms(pattern, visit)),
        Pattern::Obj(entries) => {
            for (key, pattern) in entries {
                visit(key);
                pattern_terms(pattern, visit);
            }
        }
    }
}
