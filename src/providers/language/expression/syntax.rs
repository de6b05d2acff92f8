//! From an expression's text to its syntax tree, with limits to its size and depth, and mistakes in words.

use jaq_core::load::lex::{self, Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{self, Parser, Term};

use super::span;
use crate::providers::language::scalar_span::SpanError;

/// The longest expression, in bytes. The longest of the built-in definitions has 400.
const LENGTH: usize = 4_000;

/// How many brackets and operators may stand in one another. jq's parser, its compiler and the program that comes of it
/// go as deep on the stack.
const DEPTH: usize = 100;

/// Reads an expression.
pub(super) fn parse(code: &str) -> Result<Term<&str>, Vec<SpanError>> {
    if code.len() > LENGTH {
        return Err(vec![SpanError::new(0..1, format!("an expression has at most {LENGTH} bytes"))]);
    }
    if brackets(code) > DEPTH {
        return Err(too_deep());
    }
    let tokens = Lexer::new(code).lex().map_err(|errors| unlexed(code, &errors))?;
    let mut slips = Vec::new();
    if look(code, &tokens, &mut slips) > DEPTH {
        return Err(too_deep());
    }
    if !slips.is_empty() {
        return Err(slips);
    }
    Parser::new(&tokens).parse(|parser| parser.term()).map_err(|errors| unparsed(code, &errors))
}

fn too_deep() -> Vec<SpanError> {
    vec![SpanError::new(0..1, "more stands in one another here than an expression may have")]
}

/// How deep brackets go, at most: a bracket within a text counts too.
fn brackets(code: &str) -> usize {
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

/// Finds assignments, which the syntax tree does not place, and tells how deep the tree will at most be.
fn look(code: &str, tokens: &[Token<&str>], slips: &mut Vec<SpanError>) -> usize {
    let mut flat = 0;
    let mut nested = 0;
    for Token(text, kind) in tokens {
        match kind {
            Tok::Sym if matches!(*text, "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=") => {
                let hint = if *text == "=" { "; did you mean `==`?" } else { "" };
                slips.push(SpanError::new(span(code, text), format!("an expression changes nothing{hint}")));
            }
            Tok::Sym if !matches!(*text, "," | ":" | ";" | "?") && !text.starts_with('.') => flat += 1,
            Tok::Word if matches!(*text, "if" | "try" | "as" | "or" | "and" | "def" | "label" | "elif") => flat += 1,
            Tok::Block(inner) => nested = nested.max(1 + look(code, inner, slips)),
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        nested = nested.max(2 + look(code, inner, slips));
                    }
                }
            }
            _ => {}
        }
    }
    flat + nested
}

fn unlexed(code: &str, errors: &[lex::Error<&str>]) -> Vec<SpanError> {
    let Some((expected, at)) = errors.first() else { return vec![SpanError::new(0..1, "not jq")] };
    let start = span(code, at).start;
    let wide = start..start + at.chars().next().map_or(0, char::len_utf8);
    vec![match expected {
        lex::Expect::Delim(open) => SpanError::new(span(code, open), format!("not jq: this `{open}` is never closed")),
        lex::Expect::Digit => SpanError::new(wide, "not jq: a digit should stand here"),
        lex::Expect::Ident => SpanError::new(wide, "not jq: a name should stand here"),
        lex::Expect::Escape => SpanError::new(wide, "not jq: no such escape; a backslash is written `\\\\`"),
        lex::Expect::Unicode => SpanError::new(wide, "not jq: four hexadecimal digits should stand here"),
        _ => match at.chars().next() {
            Some(close @ (')' | ']' | '}')) => SpanError::new(wide, format!("not jq: this `{close}` closes nothing")),
            Some('\'') => SpanError::new(wide, "not jq: texts stand between `\"`, not `'`"),
            Some(other) => SpanError::new(wide, format!("not jq: unexpected `{other}`")),
            None => SpanError::new(wide, "not jq: unexpected end"),
        },
    }]
}

fn unparsed(code: &str, errors: &[parse::TError<'_, &str>]) -> Vec<SpanError> {
    let Some((expected, found)) = errors.first() else { return vec![SpanError::new(0..1, "not jq")] };
    let expected = match expected {
        parse::Expect::Just("") | parse::Expect::Nothing => "nothing more".to_owned(),
        parse::Expect::Just(text) => format!("`{text}`"),
        parse::Expect::Var => "a variable such as `$x`".to_owned(),
        parse::Expect::Pattern => "a variable, or a pattern of variables".to_owned(),
        parse::Expect::ElseOrEnd => "`else` or `end`".to_owned(),
        parse::Expect::CommaOrRBrack => "`,` or `]`".to_owned(),
        parse::Expect::CommaOrRBrace => "`,` or `}`".to_owned(),
        parse::Expect::SemicolonOrRParen => "`;` or `)`".to_owned(),
        parse::Expect::Key => "a key".to_owned(),
        parse::Expect::Term => "an expression".to_owned(),
        _ => "something else".to_owned(),
    };
    vec![match found {
        Some(Token(text, _)) => {
            let at = span(code, text);
            let first = text.chars().next().map_or(0, char::len_utf8);
            let at = if text.contains(['\n', ' ', '"']) { at.start..at.start + first } else { at };
            let shown = &code[at.clone()];
            SpanError::new(at, format!("not jq: {expected} should stand here, not `{shown}`"))
        }
        None if code.trim().is_empty() => SpanError::new(0..code.len(), "an expression is missing; all of it is `.`"),
        None => SpanError::new(code.len()..code.len(), format!("not jq: {expected} should follow")),
    }]
}
