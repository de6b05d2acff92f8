//! jq's own library: which definitions an expression needs, and the compiler's work on it and them.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

use super::bounds;
use super::bounds::{Function, Jq};
use super::functions;

/// The definition that holds the expression itself. The compiler takes its main program as text only.
const MAIN: &str = "expression__";

/// Functions of jq that ours stand in for: `fromjson`, and `tonumber` by it, go as deep on the stack as the text does;
/// `test` compiles its pattern anew for each row.
const REPLACED: [(&str, usize); 8] = [
    ("tostring", 0),
    ("tojson", 0),
    ("fromjson", 0),
    ("tonumber", 0),
    ("toboolean", 0),
    ("join", 1),
    ("test", 1),
    ("test", 2),
];

struct Definition {
    def: Def<&'static str>,
    calls: Vec<(&'static str, usize)>,
}

/// The definitions of jq's library, in their order; each sees only those before it.
struct Library {
    definitions: Vec<Definition>,
    by_name: HashMap<(&'static str, usize), usize>,
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let definitions: Vec<Definition> = all
            .filter(|def| !REPLACED.contains(&(def.name, def.args.len())))
            .map(|mut def| {
                def.body = bounded(def.body);
                let mut calls = Vec::new();
                called(&def.body, &mut calls);
                Definition { def, calls }
            })
            .collect();
        let by_name = definitions
            .iter()
            .enumerate()
            .map(|(number, definition)| ((definition.def.name, definition.def.args.len()), number))
            .collect();
        Library { definitions, by_name }
    })
}

/// All functions, ours last: jq looks for the first of a name, and those of the same name are left out.
fn functions_of_jq() -> impl Iterator<Item = Function> {
    jaq_core::funs::<Jq>()
        .chain(jaq_std::funs::<Jq>())
        .chain(jaq_json::funs::<Jq>())
        .filter(|(name, args, _)| !REPLACED.contains(&(*name, args.len())))
        .chain(bounds::functions())
        .chain(functions::functions())
}

/// Compiles a checked expression with what it calls; none where the checks have let something through.
pub(super) fn compile(term: Term<&str>, globals: &[&str]) -> Option<jaq_core::Filter<Jq>> {
    let term = bounded(term);
    let mut calls = Vec::new();
    called(&term, &mut calls);
    let (definitions, natives) = closure(&calls);
    let library = library();
    let main = Def { name: MAIN, args: Vec::new(), body: term };
    let definitions = definitions.into_iter().map(|number| library.definitions[number].def.clone()).chain([main]);
    let arena = Arena::default();
    let modules = Loader::new(definitions).load(&arena, File { code: MAIN, path: () }).ok()?;
    jaq_core::Compiler::default()
        .with_funs(functions_of_jq().filter(|(name, args, _)| natives.contains(&(*name, args.len()))))
        .with_global_vars(globals.iter().copied())
        .compile(modules)
        .ok()
}

/// The definitions that these calls need, in the library's order, and the names of everything else that is called.
fn closure<'s>(calls: &[(&'s str, usize)]) -> (BTreeSet<usize>, BTreeSet<(&'s str, usize)>) {
    let library = library();
    let mut definitions = BTreeSet::new();
    let mut others = BTreeSet::new();
    let mut open: Vec<(&str, usize)> = calls.to_vec();
    while let Some(call) = open.pop() {
        match library.by_name.get(&call) {
            Some(number) if definitions.insert(*number) => open.extend(&library.definitions[*number].calls),
            Some(_) => {}
            None => {
                others.insert(call);
            }
        }
    }
    (definitions, others)
}

/// Leads everything that grows through the functions that keep to the budget.
fn bounded(term: Term<&str>) -> Term<&str> {
    match term {
        Term::BinOp(left, BinaryOp::Math(Math::Add), right) => {
            Term::Call("_add", vec![bounded(*left), bounded(*right)])
        }
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => {
            Term::Call("_mul", vec![bounded(*left), bounded(*right)])
        }
        Term::Arr(Some(inner)) => Term::Call("_list", vec![bounded(*inner)]),
        Term::Str(format, parts) if parts.iter().any(|part| matches!(part, StrPart::Term(_))) => {
            interpolated(format, parts)
        }
        other => children(other, &bounded),
    }
}

/// `"a\(.b)c"` as `"a" + (.b | text) + "c"`.
fn interpolated<'s>(format: Option<&'s str>, parts: Vec<StrPart<&'s str, Term<&'s str>>>) -> Term<&'s str> {
    let mut whole = None;
    for part in parts.into_iter().rev() {
        let part = match part {
            StrPart::Term(term) => {
                let shown = Term::Call(format.unwrap_or("_text"), Vec::new());
                Term::BinOp(Box::new(bounded(term)), BinaryOp::Pipe(None), Box::new(shown))
            }
            plain => Term::Str(None, vec![plain]),
        };
        whole = Some(match whole {
            Some(rest) => Term::Call("_add", vec![part, rest]),
            None => part,
        });
    }
    whole.unwrap_or(Term::Str(None, Vec::new()))
}

/// The same term with each term in it changed.
fn children<'s>(term: Term<&'s str>, change: &impl Fn(Term<&'s str>) -> Term<&'s str>) -> Term<&'s str> {
    let boxed = |term: Box<Term<&'s str>>| Box::new(change(*term));
    let all = |terms: Vec<Term<&'s str>>| terms.into_iter().map(change).collect::<Vec<_>>();
    match term {
        Term::Arr(inner) => Term::Arr(inner.map(boxed)),
        Term::Obj(entries) => {
            // A key that stands alone is a variable or a plain text, and must stay so.
            let entry = |(key, value): (Term<&'s str>, Option<Term<&'s str>>)| match value {
                Some(value) => (change(key), Some(change(value))),
                None => (key, None),
            };
            Term::Obj(entries.into_iter().map(entry).collect())
        }
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::BinOp(left, op, right) => Term::BinOp(boxed(left), op, boxed(right)),
        Term::Label(name, inner) => Term::Label(name, boxed(inner)),
        Term::Fold(name, over, pattern, args) => Term::Fold(name, boxed(over), pattern, all(args)),
        Term::TryCatch(tried, caught) => Term::TryCatch(boxed(tried), caught.map(boxed)),
        Term::IfThenElse(ifs, otherwise) => {
            let ifs = ifs.into_iter().map(|(condition, then)| (change(condition), change(then))).collect();
            Term::IfThenElse(ifs, otherwise.map(boxed))
        }
        Term::Def(defs, rest) => {
            let defs = defs.into_iter().map(|def| Def { body: change(def.body), ..def }).collect();
            Term::Def(defs, boxed(rest))
        }
        Term::Call(name, args) => Term::Call(name, all(args)),
        Term::Path(head, Path(parts)) => {
            let part = |part| match part {
                Part::Index(index) => Part::Index(change(index)),
                Part::Range(from, upto) => Part::Range(from.map(change), upto.map(change)),
            };
            let parts = parts.into_iter().map(|(inner, optional)| (part(inner), optional)).collect();
            Term::Path(boxed(head), Path(parts))
        }
        plain => plain,
    }
}

/// The names and numbers of arguments of everything that a term calls.
fn called<'s>(term: &Term<&'s str>, calls: &mut Vec<(&'s str, usize)>) {
    match term {
        Term::Call(name, args) => calls.push((name, args.len())),
        Term::Str(Some(format), _) => calls.push((format, 0)),
        Term::Def(defs, _) => defs.iter().for_each(|def| called(&def.body, calls)),
        _ => {}
    }
    crate::providers::language::expression::check::inner(term, &mut |inner| called(inner, calls));
}
