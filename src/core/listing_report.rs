//! What a definition did, per listing: how many rows became tokens, and the usual signs of an error in it.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::outcome::{Outcome, RowCounts};
use super::token::{Expiry, LastUse, Token};

/// No vendor had tokens before this year: an earlier time has the wrong unit.
const FIRST_YEAR: i32 = 2000;
/// No vendor grants a longer lifetime that is not meant to be "never".
const FAR_AWAY: TimeDelta = TimeDelta::days(30 * 365);

/// The rows of one listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingReport {
    pub listing: String,
    /// Tokens without duplicates, before rules drop any.
    pub tokens: u64,
    pub never_expire: u64,
    /// Rows with the id of another row of the source.
    pub duplicates: u64,
    pub malformed: u64,
    /// Tokens that the inventory does not have: rules drop them, or they exceed `token_limit`.
    pub dropped: u64,
    pub rows: Option<RowCounts>,
    /// Signs of an error in the definition or in the rules.
    pub warnings: Vec<String>,
}

/// The reports on an outcome. [`ListingReport::set_kept`] must follow.
pub fn report(outcome: &Outcome, now: DateTime<Utc>) -> Vec<ListingReport> {
    let mut seen = HashSet::new();
    let listings = outcome.listings.iter().map(|listed| {
        let scopes = listed.scopes.iter().filter(|scope| !scope.is_step);
        let tokens: Vec<&Token> = scopes.flat_map(|scope| &scope.tokens).map(|token| &**token).collect();
        let unique: Vec<&Token> = tokens.iter().copied().filter(|token| seen.insert(&token.id)).collect();
        let mut report = ListingReport {
            listing: listed.name.clone(),
            tokens: unique.len() as u64,
            never_expire: unique.iter().filter(|token| token.expires == Expiry::Never).count() as u64,
            duplicates: (tokens.len() - unique.len()) as u64,
            malformed: listed.scopes.iter().map(|scope| scope.malformed.len() as u64).sum(),
            dropped: 0,
            rows: listed.rows.clone(),
            warnings: Vec::new(),
        };
        if let Some(rows) = &listed.rows {
            let has_scopes = listed.scopes.iter().any(|scope| !scope.is_step);
            if !has_scopes && listed.gaps.is_empty() {
                report.warn(
                    "`for_each` yields nothing, so no tokens are requested; if it should, check its `rows` and `take`"
                        .into(),
                );
            }
            report.warn_of_rows(rows);
            report.warn_of_values(rows, &unique, now);
        }
        report
    });
    listings.collect()
}

impl ListingReport {
    /// Sets how many of the tokens the inventory has after it recorded the outcome.
    pub fn set_kept(&mut self, kept: u64) {
        self.dropped = self.tokens.saturating_sub(kept);
        if self.tokens > 0 && kept == 0 {
            self.warn("no token is left: `rules` or `token_limit` drop all of them; check both".into());
        }
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Signs of a wrong path, filter or pagination.
    fn warn_of_rows(&mut self, rows: &RowCounts) {
        let RowCounts { read, taken, single_full_page, unused_list, .. } = rows;
        if let (0, Some(length)) = (*read, unused_list) {
            self.warn(format!(
                "no row was read, but a response contains a list of length {length}; check `rows` and `none`"
            ));
        }
        if *read > 0 && *taken == 0 {
            self.warn(format!(
                "no row was taken: `take` yields nothing for any of the {read} rows; check its condition"
            ));
        }
        if let Some(size) = single_full_page {
            self.warn(format!(
                "a page of {size} rows is full, but no next page was found; check `next`, or add it to the definition"
            ));
        }
        if self.duplicates > 0 {
            let (these, have) = if self.duplicates == 1 { ("row", "has") } else { ("rows", "have") };
            let duplicates = self.duplicates;
            self.warn(format!("{duplicates} {these} {have} the id of another row; check that `id` is unique"));
        }
    }

    /// Signs of a wrong field, or of a wrong unit of time.
    fn warn_of_values(&mut self, rows: &RowCounts, tokens: &[&Token], now: DateTime<Utc>) {
        if tokens.is_empty() {
            return;
        }
        let all = |holds: &dyn Fn(&Token) -> bool| tokens.iter().all(|token| holds(token));
        let has_values = rows.fields.get("expires_at").is_some_and(|field| field.values > 0);
        let expiry = |holds: &dyn Fn(DateTime<Utc>) -> bool| all(&|token| token.expires.timestamp().is_some_and(holds));
        let is_early = |at: DateTime<Utc>| at.year() < FIRST_YEAR;
        let is_far = |at: DateTime<Utc>| at.signed_duration_since(now) > FAR_AWAY;
        let warning = if !has_values {
            "`expires_at` never had a value, so every token never expires; check the name of the field"
        } else if all(&|token| token.expires == Expiry::Never) {
            "every token never expires, although `expires_at` has values; check `times` and `never`"
        } else if all(&|token| token.expires == Expiry::Unknown) {
            "no expiry is readable; state the format and unit of `expires_at` in `times`"
        } else if expiry(&is_early) {
            "every token expires before the year 2000; check the unit of `expires_at` in `times`"
        } else if expiry(&is_far) {
            "every token expires in more than 30 years; check the unit of `expires_at` in `times`"
        } else if all(&|token| token.created_at.is_some() && token.created_at == token.expires.timestamp()) {
            "every token expires when it is created; check `expires_at` and `created_at`"
        } else if tokens.len() > 1 && expiry(&|at| at <= now) {
            "every token has expired; check that `expires_at` is the expiry"
        } else {
            ""
        };
        let unknown = tokens.iter().filter(|token| token.expires == Expiry::Unknown).count();
        if (1..tokens.len()).contains(&unknown) {
            self.warn(format!("unreadable expiry in {unknown} of {} tokens; check `times` and `never`", tokens.len()));
        }
        if !warning.is_empty() {
            self.warn(warning.into());
        }
        let is_wrong = |at: DateTime<Utc>| at.year() < FIRST_YEAR || at > now + TimeDelta::days(1);
        if all(&|token| token.created_at.is_some_and(is_wrong)) {
            self.warn("every token is created in the future or before the year 2000; check `created_at`".into());
        }
        if all(&|token| matches!(token.last_used, LastUse::At(at) if is_wrong(at))) {
            self.warn("every token was last used in the future or before the year 2000; check `last_used_at`".into());
        }
        // Newer tokens replace older ones of the same name and owner: those are not alerted on.
        if tokens.len() > 2 && !tokens[0].name.is_empty() && all(&|token| token.name == tokens[0].name) {
            self.warn("every token has the same name, so that newer ones replace older ones; check `name`".into());
        }
        if tokens.len() > 1 && all(&|token| token.disabled) {
            self.warn("every token is disabled, so none causes an alert; check `disabled`".into());
        }
        for (name, field) in &rows.fields {
            if field.unreadable > 0 && field.values == 0 {
                self.warn(format!("`{name}` is unreadable in every row that has it; check its expression"));
            }
        }
    }

    /// The mapped fields that no token has, in alphabetical order. `expires_at` has a warning.
    pub fn fields_without_value(&self) -> Vec<&'static str> {
        let fields = self.rows.iter().flat_map(|rows| &rows.fields);
        let empty = fields.filter(|(name, field)| **name != "expires_at" && field.values + field.unreadable == 0);
        empty.map(|(name, _)| *name).collect()
    }

    /// The fields that are unreadable in some rows, with their number.
    pub fn unreadable_fields(&self) -> Vec<(&'static str, u64)> {
        let fields = self.rows.iter().flat_map(|rows| &rows.fields);
        fields.filter(|(_, field)| field.unreadable > 0).map(|(name, field)| (*name, field.unreadable)).collect()
    }

    /// `rows read: 120, taken: 118, malformed: 4, duplicates: 2, dropped by rules: 2, tokens: 110, never expire: 3`.
    pub fn counts(&self) -> String {
        let Self { tokens, never_expire, duplicates, malformed, dropped, rows, .. } = self;
        let rows = rows.as_ref().map_or(String::new(), |rows| {
            let sample = if rows.is_sample { " (the first ones)" } else { "" };
            format!("rows read: {}{sample}, taken: {}, ", rows.read, rows.taken)
        });
        let tokens = tokens - dropped;
        let others = self.rows.as_ref().map_or(0, |rows| rows.listed_as_another);
        let others = if others > 0 { format!("listed as another token: {others}, ") } else { String::new() };
        format!(
            "{rows}malformed: {malformed}, duplicates: {duplicates}, {others}dropped by rules: {dropped}, tokens: {tokens}, never \
             expire: {never_expire}"
        )
    }
}
