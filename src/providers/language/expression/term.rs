//! The direct subterms of a jq syntax tree.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::{Part, Path};

/// Calls `visit` with each of them.
pub(super) fn children<'s>(term: &mut Term<&'s str>, visit: &mut dyn FnMut(&mut Term<&'s str>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    visit(term);
                }
            }
        }
        Term::Arr(inner) => inner.iter_mut().for_each(|inner| visit(inner)),
        Term::Obj(entries) => {
            for (key, value) in entries {
                visit(key);
                value.iter_mut().for_each(&mut *visit);
            }
        }
        Term::Neg(inner) | Term::Label(_, inner) => visit(inner),
        Term::Def(defs, rest) => {
            defs.iter_mut().for_each(|def| visit(&mut def.body));
            visit(rest);
        }
        Term::BinOp(left, op, right) => {
            visit(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_children(pattern, visit);
            }
            visit(right);
        }
        Term::Fold(_, over, pattern, args) => {
            visit(over);
            pattern_children(pattern, visit);
            args.iter_mut().for_each(visit);
        }
        Term::TryCatch(tried, caught) => {
            visit(tried);
            caught.iter_mut().for_each(|caught| visit(caught));
        }
        Term::IfThenElse(ifs, otherwise) => {
            for (condition, then) in ifs {
                visit(condition);
                visit(then);
            }
            otherwise.iter_mut().for_each(|otherwise| visit(otherwise));
        }
        Term::Call(_, args) => args.iter_mut().for_each(visit),
        Term::Path(head, Path(parts)) => {
            visit(head);
            parts.iter_mut().for_each(|(part, _)| part_children(part, visit));
        }
    }
}

pub(super) fn part_children<'s>(part: &mut Part<Term<&'s str>>, visit: &mut dyn FnMut(&mut Term<&'s str>)) {
    match part {
        Part::Index(index) => visit(index),
        Part::Range(from, upto) => from.iter_mut().chain(upto).for_each(visit),
    }
}

fn pattern_children<'s>(pattern: &mut Pattern<&'s str>, visit: &mut dyn FnMut(&mut Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(patterns) => patterns.iter_mut().for_each(|pattern| pattern_children(pattern, visit)),
        Pattern::Obj(entries) => {
            for (key, pattern) in entries {
                visit(key);
                pattern_children(pattern, visit);
            }
        }
    }
}
