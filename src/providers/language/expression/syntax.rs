//! Parses an expression, with limits to its length and depth.

use jaq_core::load::lex::{self, Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{self, Parser, Term};

use super::span;
use crate::providers::language::scalar_span::SpanError;

/// In bytes. The longest in the built-in definitions has 400.
const MAX_LENGTH: usize = 4_000;

/// The most brackets and operators that may be nested. jq's parser, its compiler and the compiled program recurse as deep.
const MAX_DEPTH: usize = 100;

pub(super) fn parse(code: &str) -> Result<Term<&str>, Vec<SpanError>> {
    if code.len() > MAX_LENGTH {
        return Err(vec![SpanError::new(0..1, format!("expression exceeds {MAX_LENGTH} bytes"))]);
    }
    let too_deep = || Err(vec![SpanError::new(0..1, format!("expression exceeds {MAX_DEPTH} levels of nesting"))]);
    if bracket_depth(code) > MAX_DEPTH {
        return too_deep();
    }
    let tokens = Lexer::new(code).lex().map_err(|errors| lexer_error(code, &errors))?;
    let mut errors = Vec::new();
    if inspect(code, &tokens, &mut errors) > MAX_DEPTH {
        return too_deep();
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Parser::new(&tokens).parse(|parser| parser.term()).map_err(|errors| parser_error(code, &errors))
}

/// The depth of brackets, including those in strings: an upper bound.
fn bracket_depth(code: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for c in code.bytes() {
        match c {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Reports assignments, which the syntax tree has no position for, and returns an upper bound of the tree's depth.
fn inspect(code: &str, tokens: &[Token<&str>], errors: &mut Vec<SpanError>) -> usize {
    let mut flat = 0;
    let mut nested = 0;
    for Token(text, kind) in tokens {
        match kind {
            Tok::Sym if matches!(*text, "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=") => {
                let hint = if *text == "=" { "; did you mean `==`?" } else { "" };
                errors.push(SpanError::new(span(code, text), format!("assignment is not allowed{hint}")));
            }
            Tok::Sym if !matches!(*text, "," | ":" | ";" | "?") && !text.starts_with('.') => flat += 1,
            Tok::Word if matches!(*text, "if" | "try" | "as" | "or" | "and" | "def" | "label" | "elif") => flat += 1,
            Tok::Block(inner) => nested = nested.max(1 + inspect(code, inner, errors)),
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        nested = nested.max(2 + inspect(code, inner, errors));
                    }
                }
            }
            _ => {}
        }
    }
    flat + nested
}

fn lexer_error(code: &str, errors: &[lex::Error<&str>]) -> Vec<SpanError> {
    let Some((expected, at)) = errors.first() else { return vec![SpanError::new(0..1, "invalid jq")] };
    let start = span(code, at).start;
    let found = at.chars().next();
    let (span, what) = match (expected, found) {
        (lex::Expect::Delim(open), _) => (span(code, open), format!("unclosed `{open}`")),
        (lex::Expect::Token, Some(close @ (')' | ']' | '}'))) => (start..start + 1, format!("unmatched `{close}`")),
        (lex::Expect::Token, Some('\'')) => (start..start + 1, "quote strings with `\"`, not `'`".to_owned()),
        (lex::Expect::Escape, _) => {
            (start..start + found.map_or(0, char::len_utf8), "invalid escape; write a backslash as `\\\\`".to_owned())
        }
        _ => {
            let shown = found.map_or("end".to_owned(), |found| format!("`{found}`"));
            let what = match expected {
                lex::Expect::Token => format!("unexpected {shown}"),
                expected => format!("expected {}, found {shown}", expected.as_str()),
            };
            (start..start + found.map_or(0, char::len_utf8), what)
        }
    };
    vec![SpanError::new(span, format!("invalid jq: {what}"))]
}

fn parser_error(code: &str, errors: &[parse::TError<'_, &str>]) -> Vec<SpanError> {
    let Some((expected, found)) = errors.first() else { return vec![SpanError::new(0..1, "invalid jq")] };
    let expected = match expected {
        parse::Expect::Just("") | parse::Expect::Nothing => "the end".to_owned(),
        parse::Expect::Just(text) => format!("`{text}`"),
        parse::Expect::Term => "an expression".to_owned(),
        other => other.as_str().to_owned(),
    };
    let (at, message) = match found {
        Some(Token(text, _)) => {
            let at = span(code, text);
            let first = text.chars().next().map_or(0, char::len_utf8);
            let at = if text.contains(['\n', ' ', '"']) { at.start..at.start + first } else { at };
            (at.clone(), format!("invalid jq: expected {expected}, found `{}`", &code[at]))
        }
        None if code.trim().is_empty() => {
            (0..code.len(), "expression is empty; use `.` for the whole input".to_owned())
        }
        None => (code.len()..code.len(), format!("invalid jq: expected {expected} after this")),
    };
    vec![SpanError::new(at, message)]
}
