//! The intake of a collection: every token that a source reports is normalized, compared with the known one and shared, one at a
//! time, while the source maps its responses. No second copy of the inventory exists while a source is collected.

mod normalize;
mod pool;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use self::normalize::Normalizer;
pub use self::pool::Pool;
use super::adjustment::Adjustments;
use super::token::{Expiry, Token};
use super::value_pattern::ValuePatterns;

/// An expiry that is reported as seconds from now varies with the latency of each response. Up to this difference the
/// known one stays.
const EXPIRY_TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// What a source knows when a collection begins. The default is that of a source without tokens.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// Ordered by id.
    known: Vec<triomphe::Arc<Token>>,
    pool: Arc<Mutex<Pool>>,
    /// The time of the newest entry that was read of each log.
    newest: BTreeMap<String, DateTime<Utc>>,
    /// Which credentials are looked for.
    patterns: ValuePatterns,
}

impl Intake {
    /// `known` is ordered by id. The pool belongs to the source.
    pub(super) fn new(known: Vec<triomphe::Arc<Token>>, pool: Arc<Mutex<Pool>>) -> Self {
        Self { known, pool, ..Self::default() }
    }

    /// The same with the newest entries of logs.
    pub(crate) fn after(self, newest: BTreeMap<String, DateTime<Utc>>) -> Self {
        Self { newest, ..self }
    }

    /// The same for a collection that looks for credentials.
    #[must_use]
    pub fn looking_for(self, patterns: ValuePatterns) -> Self {
        Self { patterns, ..self }
    }

    /// Which credentials are looked for.
    pub fn patterns(&self) -> &ValuePatterns {
        &self.patterns
    }

    /// The time of the newest entry that was read of this log.
    pub fn newest(&self, listing: &str) -> Option<DateTime<Utc>> {
        self.newest.get(listing).copied()
    }

    /// An intake that knows these tokens, which are ordered by id here.
    #[cfg(test)]
    pub(crate) fn knowing(mut known: Vec<triomphe::Arc<Token>>) -> Self {
        known.sort_by(|one, other| one.id.cmp(&other.id));
        Self { known, ..Self::default() }
    }

    /// Whether the source had this token when the collection began.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.known.binary_search_by(|known| (*known.id).cmp(id)).is_ok()
    }

    /// Adds a token to those of its scope: the known one, if it is equal.
    pub fn add(&self, mut token: Token, to: &mut Tokens) {
        Normalizer(&mut to.adjustments).normalize(&mut token);
        let known = self.known.binary_search_by(|known| known.id.cmp(&token.id));
        let known = known.ok().map(|at| &self.known[at]);
        if let Some(known) = known {
            keep_approximate_expiry(&mut token, known);
        }
        to.tokens.push(match known.filter(|known| ***known == token) {
            Some(known) => triomphe::Arc::clone(known),
            None => {
                self.pool.lock().share(&mut token);
                triomphe::Arc::new(token)
            }
        });
    }

    /// [`Self::add`] for all tokens of a scope.
    pub fn tokens(&self, tokens: impl IntoIterator<Item = Token>) -> Tokens {
        let mut added = Tokens::default();
        tokens.into_iter().for_each(|token| self.add(token, &mut added));
        added
    }
}

fn keep_approximate_expiry(token: &mut Token, known: &Token) {
    if let (true, Expiry::At(new), Expiry::At(previous)) = (token.approximate, token.expires, known.expires)
        && (new - previous).abs() <= EXPIRY_TOLERANCE
    {
        token.expires = known.expires;
    }
}

/// The tokens of a scope, as an [`Intake`] added them, and what it adjusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    tokens: Vec<triomphe::Arc<Token>>,
    adjustments: Adjustments,
}

impl Tokens {
    pub fn adjustments(&self) -> &Adjustments {
        &self.adjustments
    }

    /// Removes tokens, and returns their number.
    pub(crate) fn remove(&mut self, is_removed: impl Fn(&Token) -> bool) -> u64 {
        let before = self.tokens.len();
        self.tokens.retain(|token| !is_removed(token));
        (before - self.tokens.len()) as u64
    }
}

impl Deref for Tokens {
    type Target = [triomphe::Arc<Token>];

    fn deref(&self) -> &Self::Target {
        &self.tokens
    }
}

impl<'a> IntoIterator for &'a Tokens {
    type Item = &'a triomphe::Arc<Token>;
    type IntoIter = std::slice::Iter<'a, triomphe::Arc<Token>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tokens.iter()
    }
}

impl IntoIterator for Tokens {
    type Item = triomphe::Arc<Token>;
    type IntoIter = std::vec::IntoIter<triomphe::Arc<Token>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tokens.into_iter()
    }
}

/// The tokens of a source of which nothing is known.
impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        Intake::default().tokens(tokens)
    }
}

#[cfg(test)]
mod tests;
