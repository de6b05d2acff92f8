//! The look-up tables behind `$maps`: loaded at once, or by one request for each key.
//!
//! A failure costs tokens the owner or name that the table would have added, never the tokens: the table keeps its previous
//! values, and the failure is counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::circuit_breaker::CircuitBreaker;
use super::pages::Pages;
use super::session::Session;
use crate::core::failure::{Failure, Reason};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{LookupFill, LookupTable};
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// An unused value is evicted after this many times its `keep`. A token whose scope is cached asks late, and should then
/// find the previous value if the provider does not respond.
const KEEP_FACTOR: u32 = 8;

/// The number of a table in the definition, and a key.
type Key = (usize, String);

/// The values of a source's tables, from one collection to the next.
#[derive(Default)]
pub(super) struct LookupCache {
    /// The tables that are loaded at once, by number.
    loaded: Mutex<HashMap<usize, Val>>,
    /// The values that were looked up by key.
    by_key: Mutex<HashMap<Key, CachedValue>>,
}

struct CachedValue {
    /// `None` if the provider has none.
    value: Option<Val>,
    at: DateTime<Utc>,
}

/// The tables during one collection.
pub(super) struct LookupTables<'e> {
    tables: &'e [LookupTable],
    cache: &'e LookupCache,
    now: DateTime<Utc>,
    concurrency: usize,
    /// What this collection has loaded; the key of a table that is loaded at once is empty.
    done: Mutex<HashMap<Key, Arc<OnceCell<()>>>>,
    /// One for each table.
    breakers: Vec<CircuitBreaker>,
    /// By table and reason: the first failure and their number.
    failures: Mutex<BTreeMap<(usize, Reason), (Failure, u64)>>,
    unread_rows: Mutex<u64>,
}

impl<'e> LookupTables<'e> {
    pub(super) fn new(
        tables: &'e [LookupTable],
        cache: &'e LookupCache,
        now: DateTime<Utc>,
        concurrency: usize,
    ) -> Self {
        let breakers = tables.iter().map(|_| CircuitBreaker::default()).collect();
        let (done, failures, unread_rows) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { tables, cache, now, concurrency, done, breakers, failures, unread_rows }
    }

    /// `$maps` with the tables that are loaded at once.
    pub(super) fn loaded(&self) -> Val {
        let loaded = self.cache.loaded.lock();
        value::object(self.tables.iter().enumerate().map(|(number, table)| {
            let values = loaded.get(&number).cloned().unwrap_or_else(|| value::object([]));
            (value::val(&table.name), values)
        }))
    }

    /// Loads those of these tables that are loaded at once, unless this collection did.
    pub(super) async fn load_all(&self, session: &Session<'_>, numbers: &[usize]) {
        for number in numbers {
            let table = &self.tables[*number];
            let LookupFill::All(key) = &table.fill else { continue };
            if !is_filled(session, table) {
                continue;
            }
            let load = async {
                match self.load(session, table, key).await {
                    Ok(values) => drop(self.cache.loaded.lock().insert(*number, values)),
                    Err(failure) => self.record_failure(*number, failure),
                }
            };
            self.cell(*number, "").get_or_init(|| load).await;
        }
    }

    async fn load(&self, session: &Session<'_>, table: &LookupTable, key: &Expression) -> Result<Val, Failure> {
        let (mut entries, mut unread) = (Vec::new(), 0);
        let mut pages =
            Pages::new(session, &table.request, TemplateVars::new(&session.account.settings), self.loaded())?;
        while let Some(page) = pages.next().await? {
            unread += page.malformed.len() as u64;
            for (_, row) in page.items {
                match (key_of(key, &page.variables, &row), table.value.first(&page.variables, row)) {
                    (Some(key), Ok(value)) => entries.extend(value.map(|value| (value::val(&key), value))),
                    _ => unread += 1,
                }
            }
        }
        *self.unread_rows.lock() += unread;
        Ok(value::object(entries))
    }

    /// Whether any of these tables is filled by key.
    pub(super) fn are_looked_up(&self, numbers: &[usize]) -> bool {
        numbers.iter().any(|number| matches!(self.tables[*number].fill, LookupFill::PerKey { .. }))
    }

    /// The variables of expressions on these rows: with the tables that are filled by key. `$maps` has the keys of these rows
    /// only, so that its size depends on the page, not on the table.
    pub(super) async fn with_lookups(
        &self,
        session: &Session<'_>,
        numbers: &[usize],
        mut variables: Variables,
        rows: &[(u64, Val)],
    ) -> Variables {
        for number in numbers {
            let table = &self.tables[*number];
            let LookupFill::PerKey { key, .. } = &table.fill else { continue };
            if !is_filled(session, table) {
                continue;
            }
            let mut seen = HashSet::new();
            let keys = rows.iter().filter_map(|(_, row)| key_of(key, &variables, row));
            let keys: Vec<String> = keys.filter(|key| seen.insert(key.clone())).collect();
            let lookups: Vec<_> = keys.iter().map(|key| self.look_up(session, *number, table, key)).collect();
            stream::iter(lookups).buffer_unordered(self.concurrency).for_each(|()| std::future::ready(())).await;
            let cached = self.cache.by_key.lock();
            let entries = keys.into_iter().filter_map(|key| {
                let entry = (value::val(&key), cached.get(&(*number, key))?.value.clone()?);
                Some(entry)
            });
            let entries = value::object(entries.collect::<Vec<_>>());
            variables.maps = value::with_field(&variables.maps, &table.name, entries);
        }
        variables
    }

    /// Looks up one key, unless its value is fresh or this collection did.
    async fn look_up(&self, session: &Session<'_>, number: usize, table: &LookupTable, key: &str) {
        let look_up = async {
            let cache = &self.cache.by_key;
            let id = (number, key.to_owned());
            let is_fresh = cache.lock().get(&id).is_some_and(|cached| self.is_fresh(number, cached, 1));
            let breaker = &self.breakers[number];
            if is_fresh || breaker.tripped().is_some() || session.is_past_deadline() {
                return;
            }
            let found = self.request_value(session, table, key).await;
            breaker.record(found.as_ref().err());
            match found {
                Ok(value) => drop(cache.lock().insert(id, CachedValue { value, at: self.now })),
                Err(failure) => self.record_failure(number, failure),
            }
        };
        self.cell(number, key).get_or_init(|| look_up).await;
    }

    async fn request_value(
        &self,
        session: &Session<'_>,
        table: &LookupTable,
        key: &str,
    ) -> Result<Option<Val>, Failure> {
        let vars = TemplateVars { key: Some(key), ..TemplateVars::new(&session.account.settings) };
        let page = Pages::new(session, &table.request, vars, self.loaded())?.next().await?;
        let Some(page) = page else { return Ok(None) };
        let value = table.value.first(&page.variables, page.body);
        value.map_err(|_| Failure::new(Reason::Mapping, "cannot read the value in the response"))
    }

    fn cell(&self, number: usize, key: &str) -> Arc<OnceCell<()>> {
        self.done.lock().entry((number, key.to_owned())).or_default().clone()
    }

    fn record_failure(&self, number: usize, failure: Failure) {
        self.failures.lock().entry((number, failure.reason)).or_insert((failure, 0)).1 += 1;
    }

    /// Whether a value is younger than this many times its `keep`. A value from the future, after the clock was set back, ages
    /// in the same way.
    fn is_fresh(&self, number: usize, cached: &CachedValue, times: u32) -> bool {
        let LookupFill::PerKey { keep, .. } = &self.tables[number].fill else { return false };
        let keep = TimeDelta::from_std(keep.saturating_mul(times)).unwrap_or(TimeDelta::MAX);
        self.now.signed_duration_since(cached.at).abs() < keep
    }

    /// Ends the collection: evicts values that no token uses, and returns one failure for each table and reason, and the
    /// number of rows that could not be read.
    pub(super) fn finish(&self) -> (Vec<Failure>, u64) {
        let done = self.done.lock();
        self.cache
            .by_key
            .lock()
            .retain(|key, cached| done.contains_key(key) || self.is_fresh(key.0, cached, KEEP_FACTOR));
        let failures = self.failures.lock();
        let failures = failures.iter().map(|((number, _), (failure, count))| {
            let more = if *count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            let what = format!("maps.{}: {}{more}", self.tables[*number].name, failure.what);
            Failure { what, ..failure.clone() }
        });
        (failures.collect(), *self.unread_rows.lock())
    }
}

fn is_filled(session: &Session<'_>, table: &LookupTable) -> bool {
    let variables = Variables { settings: session.account.settings.clone(), ..Variables::default() };
    table.when.as_ref().is_none_or(|when| when.truth(&variables, Val::Null))
}

fn key_of(key: &Expression, variables: &Variables, row: &Val) -> Option<String> {
    key.first(variables, row.clone()).ok().flatten().as_ref().and_then(value::text)
}
