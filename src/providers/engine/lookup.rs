//! Look-up tables: filled by one sweep, or by one request for each key that tokens bring.
//!
//! A table that cannot be filled costs tokens the owner that it would have told, never the tokens: what it held before
//! stays, and the failure is counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::circuit_breaker::CircuitBreaker;
use super::context::CollectContext;
use crate::core::failure::{Failure, Reason};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{LookupFill, Map};
use crate::providers::language::value;

/// A value that no token asks for is kept for so many times the time for which it is used again: a token whose answer is
/// itself used again asks late, and should find the former value if the provider then has none.
const KEPT: u32 = 8;

/// What the tables of a source held when they were last filled.
pub(super) struct LookupCache {
    /// By the map's number: what a sweep brought.
    swept: Mutex<HashMap<usize, Val>>,
    /// By the map's number and the key: what a look-up brought.
    looked_up: Mutex<HashMap<(usize, String), CachedValue>>,
}

/// What a look-up brought, if anything, and when.
struct CachedValue {
    value: Option<Val>,
    at: DateTime<Utc>,
}

impl LookupCache {
    pub(super) fn new() -> Self {
        Self { swept: Mutex::default(), looked_up: Mutex::default() }
    }
}

/// By the map's number and the reason: the first failure, and how many there were.
type Failed = BTreeMap<(usize, Reason), (Failure, u64)>;

/// By the map's number and the key: what is asked for once.
type Cells = HashMap<(usize, String), Arc<OnceCell<()>>>;

/// The tables as one collection fills and reads them.
pub(super) struct LookupTables<'e> {
    maps: &'e [Map],
    memory: &'e LookupCache,
    /// Sweeps and look-ups that this collection has made: each is made once.
    asked: Mutex<Cells>,
    patience: Vec<CircuitBreaker>,
    failed: Mutex<Failed>,
}

impl<'e> LookupTables<'e> {
    pub(super) fn new(maps: &'e [Map], memory: &'e LookupCache) -> Self {
        let patience = maps.iter().map(|_| CircuitBreaker::default()).collect();
        Self { maps, memory, asked: Mutex::default(), patience, failed: Mutex::default() }
    }

    /// `$maps`, with what sweeps have brought.
    pub(super) fn swept(&self) -> Val {
        let swept = self.memory.swept.lock();
        value::object(self.maps.iter().enumerate().map(|(number, map)| {
            let table = swept.get(&number).cloned().unwrap_or_else(|| value::object([]));
            (value::val(&map.name), table)
        }))
    }

    fn asked(&self, number: usize, key: &str) -> Arc<OnceCell<()>> {
        self.asked.lock().entry((number, key.to_owned())).or_default().clone()
    }

    fn failed(&self, number: usize, failure: Failure) {
        self.failed.lock().entry((number, failure.reason)).or_insert((failure, 0)).1 += 1;
    }

    /// What has failed: one failure for each table and reason.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let failed = self.failed.lock();
        let told = failed.iter().map(|((number, _), (failure, count))| {
            let name = self.maps.get(*number).map_or("", |map| map.name.as_str());
            let more = if *count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            Failure { what: format!("the map `{name}`: {}{more}", failure.what), ..failure.clone() }
        });
        told.collect()
    }

    /// Forgets what look-ups brought for keys that no token brings any more.
    pub(super) fn forget(&self, now: DateTime<Utc>) {
        let asked = self.asked.lock();
        self.memory.looked_up.lock().retain(|(number, key), known| {
            asked.contains_key(&(*number, key.clone())) || self.is_fresh(*number, known, now, KEPT)
        });
    }

    /// Whether a value was had within so many times the time for which it is used again. One from the future is as old: the
    /// clock was set back.
    fn is_fresh(&self, number: usize, known: &CachedValue, now: DateTime<Utc>, times: u32) -> bool {
        match self.maps.get(number).map(|map| &map.fill) {
            Some(LookupFill::PerKey { keep, .. }) => {
                let keep = TimeDelta::from_std(keep.saturating_mul(times)).unwrap_or(TimeDelta::MAX);
                now.signed_duration_since(known.at).abs() < keep
            }
            Some(LookupFill::All(_)) | None => false,
        }
    }
}

impl CollectContext<'_> {
    /// Fills the tables of these numbers that are filled by one sweep, unless that was done.
    pub(super) async fn sweep(&self, numbers: &[usize]) {
        for number in numbers {
            let Some(map) = self.tables.maps.get(*number) else { continue };
            let LookupFill::All(key) = &map.fill else { continue };
            let cell = self.tables.asked(*number, "");
            let fill = async {
                match self.swept(map, key).await {
                    Ok(table) => {
                        self.tables.memory.swept.lock().insert(*number, table);
                    }
                    Err(failure) => self.tables.failed(*number, failure),
                }
            };
            cell.get_or_init(|| fill).await;
        }
    }

    async fn swept(&self, map: &Map, key: &Expression) -> Result<Val, Failure> {
        let mut entries = Vec::new();
        let mut unread = 0;
        let mut pages = self.pages(&map.request, self.names())?;
        while let Some(page) = pages.next().await? {
            unread += page.odd.len() as u64;
            for (_, row) in page.taken {
                let key = key.first(&page.variables, row.clone()).ok().flatten();
                match (key.as_ref().and_then(value::text), map.value.first(&page.variables, row)) {
                    (Some(key), Ok(value)) => entries.extend(value.map(|value| (value::val(&key), value))),
                    _ => unread += 1,
                }
            }
        }
        self.note(|noted| noted.unread_fields += unread);
        Ok(value::object(entries))
    }

    /// What expressions on these rows see: the tables of these numbers that are filled by key, looked up where they must
    /// be. `$maps` then has the keys of these rows only, so that it costs what they cost.
    pub(super) async fn looked_up(
        &self,
        numbers: &[usize],
        mut variables: Variables,
        rows: &[(u64, Val)],
    ) -> Variables {
        for number in numbers {
            let Some(map) = self.tables.maps.get(*number) else { continue };
            let LookupFill::PerKey { key, .. } = &map.fill else { continue };
            let mut keys = Vec::new();
            let mut seen = HashSet::new();
            for (_, row) in rows {
                let key = key.first(&variables, row.clone()).ok().flatten().as_ref().and_then(value::text);
                keys.extend(key.filter(|key| seen.insert(key.clone())));
            }
            let asking: Vec<_> = keys.iter().map(|key| self.look_up(*number, map, key)).collect();
            stream::iter(asking).buffer_unordered(self.concurrency).for_each(|()| std::future::ready(())).await;
            let known = self.tables.memory.looked_up.lock();
            let entries = keys.into_iter().filter_map(|key| {
                let value = known.get(&(*number, key.clone()))?.value.clone()?;
                Some((value::val(&key), value))
            });
            variables.maps = with(variables.maps, &map.name, value::object(entries.collect::<Vec<_>>()));
        }
        variables
    }

    /// One key, unless its value is known, or was asked for in this collection.
    async fn look_up(&self, number: usize, map: &Map, key: &str) {
        let cell = self.tables.asked(number, key);
        let ask = async {
            let is_known = self
                .tables
                .memory
                .looked_up
                .lock()
                .get(&(number, key.to_owned()))
                .is_some_and(|known| self.tables.is_fresh(number, known, self.now, 1));
            let Some(patience) = self.tables.patience.get(number) else { return };
            if is_known || patience.lost().is_some() || self.is_over() {
                return;
            }
            let found = self.found(map, key).await;
            patience.heard(found.as_ref().err());
            match found {
                Ok(value) => {
                    let known = CachedValue { value, at: self.now };
                    self.tables.memory.looked_up.lock().insert((number, key.to_owned()), known);
                }
                Err(failure) => self.tables.failed(number, failure),
            }
        };
        cell.get_or_init(|| ask).await;
    }

    async fn found(&self, map: &Map, key: &str) -> Result<Option<Val>, Failure> {
        let Some(page) = self.answer(&map.request, self.names().with_key(key)).await? else { return Ok(None) };
        let value = map.value.first(&page.variables, page.body);
        value.map_err(|_| Failure::new(Reason::Mapping, "the value cannot be read in the answer"))
    }
}

/// `$maps` with another table in it.
fn with(maps: Val, name: &str, table: Val) -> Val {
    let Val::Obj(maps) = maps else { return value::object([(value::val(name), table)]) };
    let others = maps.iter().map(|(name, table)| (name.clone(), table.clone()));
    value::object(others.chain([(value::val(name), table)]).collect::<Vec<_>>())
}
