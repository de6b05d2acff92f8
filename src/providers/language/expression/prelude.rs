//! jq's library: the definitions that an expression needs, and the compilation of both.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::ops::Math;

use super::bounds;
use super::bounds::{Function, Jq};
use super::functions;
use super::term::children;

/// The definition of the expression: the compiler accepts a main program as text only.
const MAIN: &str = "expression__";

struct Definition {
    def: Def<&'static str>,
    calls: Vec<(&'static str, usize)>,
}

/// The definitions of jq's library, in order; each sees only those before it.
struct Library {
    definitions: Vec<Definition>,
    by_name: HashMap<(&'static str, usize), usize>,
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let ours: Vec<_> = our_functions().map(|(name, args, _)| (name, args.len())).collect();
        let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let definitions: Vec<Definition> = all
            .filter(|def| !ours.contains(&(def.name, def.args.len())))
            .map(|mut def| {
                let mut calls = Vec::new();
                bound(&mut def.body, &mut calls);
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

/// Our functions. They replace jq's with the same name: `fromjson`, and with it `tonumber`, uses as much stack as the string
/// is deep; `test` compiles its pattern for each row; the others have no budget.
fn our_functions() -> impl Iterator<Item = Function> {
    bounds::functions().into_iter().chain(functions::functions())
}

/// All native functions; of those with the same name the first counts.
fn native_functions() -> impl Iterator<Item = Function> {
    our_functions().chain(jaq_core::funs()).chain(jaq_std::funs()).chain(jaq_json::funs())
}

/// Compiles a checked expression with what it calls; `None` if the checks missed something.
pub(super) fn compile(mut term: Term<&str>, globals: &[&str]) -> Option<jaq_core::Filter<Jq>> {
    let mut calls = Vec::new();
    bound(&mut term, &mut calls);
    let (definitions, natives) = closure(&calls);
    let library = library();
    let main = Def { name: MAIN, args: Vec::new(), body: term };
    let definitions = definitions.into_iter().map(|number| library.definitions[number].def.clone()).chain([main]);
    let arena = Arena::default();
    let modules = Loader::new(definitions).load(&arena, File { code: MAIN, path: () }).ok()?;
    jaq_core::Compiler::default()
        .with_funs(native_functions().filter(|(name, args, _)| natives.contains(&(*name, args.len()))))
        .with_global_vars(globals.iter().copied())
        .compile(modules)
        .ok()
}

/// The definitions that these calls need, in the library's order, and every other function that is called.
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

/// Replaces everything that grows by functions with a budget, and collects the name and arity of each call.
fn bound<'s>(term: &mut Term<&'s str>, calls: &mut Vec<(&'s str, usize)>) {
    match term {
        Term::Obj(entries) => {
            for (key, value) in entries {
                match value {
                    Some(value) => {
                        bound(key, calls);
                        bound(value, calls);
                    }
                    // A key without a value is a variable or a string, and must stay one.
                    None => children(key, &mut |child| bound(child, calls)),
                }
            }
        }
        _ => children(term, &mut |child| bound(child, calls)),
    }
    *term = match std::mem::take(term) {
        Term::BinOp(left, BinaryOp::Math(Math::Add), right) => Term::Call("_add", vec![*left, *right]),
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => Term::Call("_mul", vec![*left, *right]),
        Term::Arr(Some(inner)) => Term::Call("_list", vec![*inner]),
        Term::Str(format, parts) if parts.iter().any(|part| matches!(part, StrPart::Term(_))) => {
            let format = format.unwrap_or("_text");
            calls.extend([("_add", 2), (format, 0)]);
            concatenated(format, parts)
        }
        other => other,
    };
    match term {
        Term::Call(name, args) => calls.push((name, args.len())),
        Term::Str(Some(format), _) => calls.push((format, 0)),
        _ => {}
    }
}

/// `"a\(.b)c"` as `"a" + (.b | format) + "c"`.
fn concatenated<'s>(format: &'s str, parts: Vec<StrPart<&'s str, Term<&'s str>>>) -> Term<&'s str> {
    let parts = parts.into_iter().map(|part| match part {
        StrPart::Term(term) => {
            Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(Term::Call(format, Vec::new())))
        }
        text => Term::Str(None, vec![text]),
    });
    let whole = parts.rev().reduce(|rest, part| Term::Call("_add", vec![part, rest]));
    whole.unwrap_or(Term::Str(None, Vec::new()))
}
