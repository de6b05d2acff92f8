//! Tokens that are the same credential as another token of their source, such as a certificate in a Secret and the object that
//! renews it: while that one is listed, they are not, so that one credential alerts once.

use std::collections::HashSet;

use crate::core::intake::Intake;
use crate::core::outcome::ListingResult;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::TokenMap;
use crate::providers::language::value;

/// A token, and the one that is the same credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SameToken {
    id: Box<str>,
    other: Box<str>,
}

impl SameToken {
    /// `None` if the row names no other token, or an unreadable one: both are then shown.
    pub(super) fn of(map: &TokenMap, variables: &Variables, row: &Val, id: &str) -> Option<Self> {
        let other = map.same_as.as_ref()?.first(variables, row.clone()).ok()??;
        let other = value::text(&other).filter(|other| !other.is_empty())?;
        Some(Self { id: id.into(), other: other.into() })
    }
}

/// Removes the tokens whose other token is listed: in this collection, or before it if a listing is incomplete now. Of tokens
/// that name each other none is removed.
pub(super) fn remove(listings: &mut [ListingResult], same: &[SameToken], intake: &Intake) {
    if same.is_empty() {
        return;
    }
    let is_complete = listings.iter().all(|listed| listed.gaps.is_empty());
    let naming: HashSet<&str> = same.iter().map(|same| &*same.id).collect();
    let removed: HashSet<&str> = {
        let tokens = listings.iter().flat_map(|listed| &listed.scopes).flat_map(|scope| &scope.tokens);
        let listed: HashSet<&str> = tokens.map(|token| &*token.id).collect();
        let is_listed =
            |other: &str| !naming.contains(other) && (listed.contains(other) || !is_complete && intake.knows(other));
        same.iter().filter(|same| is_listed(&same.other)).map(|same| &*same.id).collect()
    };
    for listed in listings {
        let rows = listed.rows.get_or_insert_default();
        for scope in &mut listed.scopes {
            rows.listed_as_another += scope.tokens.remove(|token| removed.contains(&*token.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::failure::{Failure, Reason};
    use crate::core::intake::Tokens;
    use crate::core::outcome::{Gap, Path, ScopeResult};
    use crate::core::token::{Expiry, Token};

    fn listed(name: &str, ids: &[&str]) -> ListingResult {
        let tokens: Tokens = ids.iter().map(|id| Token::new(*id, "k", Expiry::Never)).collect();
        let scope = ScopeResult { path: Path::root().join(name), tokens, malformed: Vec::new(), is_step: false };
        ListingResult { scopes: vec![scope], ..ListingResult::new(name) }
    }

    fn failed(name: &str) -> ListingResult {
        let gap = Gap::all(Failure::new(Reason::Forbidden, "GET /: 403 after 1 attempt"));
        ListingResult { gaps: vec![gap], ..ListingResult::new(name) }
    }

    fn same(id: &str, other: &str) -> SameToken {
        SameToken { id: id.into(), other: other.into() }
    }

    /// The ids that are left, and how many were removed.
    fn left(mut listings: Vec<ListingResult>, same: &[SameToken], known: &[&str]) -> (Vec<String>, u64) {
        let known: Vec<_> = known.iter().map(|id| triomphe::Arc::new(Token::new(*id, "k", Expiry::Never))).collect();
        remove(&mut listings, same, &Intake::knowing(known));
        let tokens = listings.iter().flat_map(|listed| &listed.scopes).flat_map(|scope| &scope.tokens);
        let ids = tokens.map(|token| token.id.to_string()).collect();
        (ids, listings.iter().flat_map(|listed| &listed.rows).map(|rows| rows.listed_as_another).sum())
    }

    #[test]
    fn token_is_removed_only_while_the_other_one_is_listed() {
        let secrets = || listed("secret", &["web", "orphan", "plain"]);
        let names = [same("web", "certificate/web"), same("orphan", "certificate/gone")];
        let both = vec![secrets(), listed("certificate", &["certificate/web"])];
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(left(both.clone(), &names, &[]), (ids(&["orphan", "plain", "certificate/web"]), 1));
        assert_eq!(left(vec![secrets()], &names, &[]), (ids(&["web", "orphan", "plain"]), 0));
        // A Certificate of the previous collection is no longer there if its listing is complete.
        let known = ["certificate/gone", "certificate/web"];
        assert_eq!(left(both, &names, &known), (ids(&["orphan", "plain", "certificate/web"]), 1));
        // If its listing failed, the inventory keeps it, so the Secret must not alert too.
        assert_eq!(
            left(vec![secrets(), failed("certificate")], &names, &["certificate/web"]),
            (ids(&["orphan", "plain"]), 1)
        );
        assert_eq!(left(vec![secrets(), failed("certificate")], &names, &[]), (ids(&["web", "orphan", "plain"]), 0));
    }

    #[test]
    fn tokens_that_name_each_other_or_themselves_all_stay() {
        let names = [same("a", "b"), same("b", "a"), same("c", "c")];
        let (ids, removed) = left(vec![listed("l", &["a", "b", "c"])], &names, &["a", "b", "c"]);
        assert_eq!((ids.len(), removed), (3, 0));
    }
}
