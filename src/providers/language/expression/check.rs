//! The subset of jq that a definition may use, and the settings, look-up tables and names that an expression mentions.
//!
//! It excludes what may not terminate, what modifies its input, and what reads anything but its input.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern as Destructured, Term};
use jaq_core::path::{Part, Path};

use super::term::{children, part_children};
use super::{Checked, ExpressionScope, Pattern, VARIABLES, span};
use crate::providers::language::scalar_span::SpanError;
use crate::schema::diagnostic::{did_you_mean, nearest};

/// The functions that an expression may call, by their number of arguments.
const ALLOWED: [&str; 4] = [
    "abs add all any arrays ascii_downcase ascii_upcase booleans ceil empty explode false first flatten floor \
     from_entries fromdate fromjson gmtime implode iterables jwt_claims keys keys_unsorted last length ltrim max min \
     mktime not null nulls numbers objects pem_not_after reverse round rtrim scalars sha256 sort strings to_entries toboolean \
     todate tojson tonumber tostring trim true type unique values @base64 @base64d @json @text @uri @urid",
    "add all any capture contains endswith first flatten group_by has in index indices inside isempty join last ltrimstr \
     map map_values match max_by min_by nth rindex rtrimstr scan select sort_by split splits startswith strftime \
     strptime test unique_by with_entries",
    "all any capture gsub limit match nth scan skip split splits sub test",
    "gsub sub",
];

/// The name and the number of arguments of each function that an expression may call.
pub(super) fn allowed() -> impl Iterator<Item = (&'static str, usize)> + Clone {
    ALLOWED.iter().enumerate().flat_map(|(arity, names)| names.split(' ').map(move |name| (name, arity)))
}

/// Checks an expression against the subset, and against the names in scope.
pub(super) fn check<'s>(
    term: &mut Term<&'s str>,
    code: &'s str,
    scope: &ExpressionScope<'_>,
) -> Result<Checked, Vec<SpanError>> {
    let mut checker = Checker { code, scope, locals: Vec::new(), errors: Vec::new(), found: Checked::default() };
    checker.term(term);
    if !checker.errors.is_empty() {
        return Err(checker.errors);
    }
    let mut found = checker.found;
    found.variables.sort_unstable();
    found.variables.dedup();
    Ok(found)
}

/// The text of a string without interpolation.
fn literal(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let text = |part: &StrPart<&str, Term<&str>>| match part {
        StrPart::Str(text) => Some((*text).to_owned()),
        StrPart::Char(character) => Some(character.to_string()),
        StrPart::Term(_) => None,
    };
    parts.iter().map(text).collect()
}

struct Checker<'s, 'n> {
    code: &'s str,
    scope: &'n ExpressionScope<'n>,
    /// The variables that the expression has bound.
    locals: Vec<&'s str>,
    errors: Vec<SpanError>,
    found: Checked,
}

impl<'s> Checker<'s, '_> {
    fn error(&mut self, part: &str, message: impl Into<String>) {
        self.errors.push(SpanError::new(span(self.code, part), message));
    }

    fn term(&mut self, term: &mut Term<&'s str>) {
        match term {
            Term::Call(name, args) => {
                self.call(name, args.len());
                self.pattern_text(name, args);
            }
            Term::Str(Some(format), _) => self.call(format, 0),
            Term::Var(name) => self.variable(name),
            Term::Path(head, path) => return self.path(head, path),
            Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
                self.term(left);
                let outer = self.locals.len();
                self.pattern(pattern);
                self.term(right);
                self.locals.truncate(outer);
                return;
            }
            Term::Fold(name, ..) => {
                let instead = "use `map`, `add`, `any`, `min` or `group_by`";
                return self.error(name, format!("`{name}` is not allowed in expressions; {instead}"));
            }
            Term::Label(name, _) | Term::Break(name) => {
                return self.error(name, "labels are not allowed in expressions");
            }
            Term::Def(defs, _) => {
                let name = defs.first().map_or(self.code, |def| def.name);
                return self.error(name, "function definitions are not allowed in expressions");
            }
            _ => {}
        }
        children(term, &mut |child| self.term(child));
    }

    fn pattern(&mut self, pattern: &mut Destructured<&'s str>) {
        match pattern {
            Destructured::Var(name @ ("$settings" | "$maps")) => {
                self.error(name, format!("`{name}` is already defined; choose another name"));
            }
            Destructured::Var(name) => self.locals.push(name),
            Destructured::Arr(patterns) => patterns.iter_mut().for_each(|pattern| self.pattern(pattern)),
            Destructured::Obj(entries) => {
                for (key, pattern) in entries {
                    self.term(key);
                    self.pattern(pattern);
                }
            }
        }
    }

    fn call(&mut self, name: &'s str, arity: usize) {
        let arities: Vec<usize> = allowed().filter(|(known, _)| *known == name).map(|(_, arity)| arity).collect();
        let message = match &arities[..] {
            arities if arities.contains(&arity) => return,
            [] => {
                let mut hint = did_you_mean(name, allowed().map(|(known, _)| known));
                if hint.is_empty() && arity == 0 && !name.starts_with('@') {
                    hint = format!("; write a string as '\"{name}\"'");
                }
                format!("unknown function `{name}`{hint}")
            }
            [0] => format!("`{name}` takes no argument"),
            [1] => format!("`{name}` takes one argument, such as `{name}(.)`"),
            arities => {
                let arities: Vec<String> = arities.iter().map(ToString::to_string).collect();
                format!("`{name}` takes {} arguments, not {arity}", arities.join(" or "))
            }
        };
        self.error(name, message);
    }

    /// Notes a regular expression that is written in the code, with its flags.
    fn pattern_text(&mut self, name: &'s str, args: &[Term<&'s str>]) {
        // The position of the flags. `split` takes a regular expression only with flags.
        let flags_at = match (name, args.len()) {
            ("capture" | "match" | "scan" | "splits" | "test", _) | ("split", 2) => 1,
            ("gsub" | "sub", _) => 2,
            _ => return,
        };
        let Some(text) = args.first().and_then(literal) else { return };
        let flags = match args.get(flags_at) {
            None => Some(String::new()),
            Some(Term::Call("null", none)) if none.is_empty() => Some(String::new()),
            Some(flags) => literal(flags),
        };
        let Some(flags) = flags else { return };
        let at = span(self.code, name);
        self.found.patterns.push(Pattern { at, is_test: name == "test", text, flags });
    }

    fn variable(&mut self, name: &'s str) {
        if self.locals.contains(&name) {
            return;
        }
        if name == "$settings" || name == "$maps" {
            return self.error(name, format!("write `{name}.NAME`; `{name}` alone is not allowed"));
        }
        let number = match VARIABLES.iter().position(|known| *known == name) {
            Some(number) => Some(number),
            // Of equal names the last is in scope.
            None => self.scope.names.iter().rposition(|known| known == &name[1..]).map(|at| at + VARIABLES.len()),
        };
        match number {
            Some(number) => self.found.variables.push(number),
            None => {
                let outer: Vec<String> = self.scope.names.iter().map(|name| format!("${name}")).collect();
                let known =
                    VARIABLES.into_iter().chain(self.locals.iter().copied()).chain(outer.iter().map(String::as_str));
                let hint = did_you_mean(name, known);
                self.error(name, format!("unknown variable `{name}`{hint}"));
            }
        }
    }

    /// `$settings.x` and `$maps.x` are resolved now.
    fn path(&mut self, head: &mut Term<&'s str>, Path(parts): &mut Path<Term<&'s str>>) {
        let table = match head {
            Term::Var(variable @ "$settings") => Some((0, &mut self.found.settings, self.scope.settings, *variable)),
            Term::Var(variable @ "$maps") => Some((1, &mut self.found.maps, self.scope.maps, *variable)),
            _ => None,
        };
        let name = match parts.first() {
            Some((Part::Index(Term::Str(None, text)), _)) => match &text[..] {
                [StrPart::Str(name)] => Some(*name),
                _ => None,
            },
            _ => None,
        };
        let mut rest = &mut parts[..];
        if let (Some((number, mentioned, known, variable)), Some(name)) = (table, name) {
            if known.iter().any(|known| known == name) {
                self.found.variables.push(number);
                if !mentioned.iter().any(|mentioned| mentioned == name) {
                    mentioned.push(name.to_owned());
                }
            } else {
                let hint = nearest(name, known.iter().map(String::as_str));
                let hint = hint.map_or(String::new(), |name| format!("; did you mean `{variable}.{name}`?"));
                let at = span(self.code, variable).start..span(self.code, name).end;
                self.errors.push(SpanError::new(at, format!("unknown `{variable}.{name}`{hint}")));
            }
            rest = &mut rest[1..];
        } else {
            self.term(head);
        }
        for (part, _) in rest {
            part_children(part, &mut |term| self.term(term));
        }
    }
}
