//! The compressed samples of tokens, by family and group of sources. Only a group in which a source changed is rendered again. A
//! source of a million tokens has many groups of its own: one of its tokens changes band every few seconds.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use flate2::Compression;
use parking_lot::{RwLock, RwLockReadGuard};

use super::Exposure;
use super::counts::TokenCounts;
use super::groups;
use super::gzip::GzipPart;
use super::text::{Format, Writer};
use super::tokens::FAMILIES;
use crate::core::inventory::Inventory;

/// A source with more tokens is divided into groups of so many.
const MAX_TOKENS: usize = 5_000;

/// How often at most changes are rendered before the inventory is locked for the rest of them.
const UNLOCKED_PASSES: usize = 3;

/// How tokens are rendered. Parts of another exposure are rendered again, those of another level are good until they change.
#[derive(Clone, Debug)]
pub(super) struct Rendering {
    pub(super) exposure: Exposure,
    pub(super) level: Compression,
}

#[derive(Default)]
pub(super) struct TokenParts {
    /// In the order of the sources' names.
    groups: Vec<Group>,
    /// Sources rendered since the start; each group of a large one counts.
    renderings: u64,
}

/// Tokens whose samples are compressed together: those of some small sources, or some of one large source.
struct Group {
    sources: Vec<Rendered>,
    /// Positions in the list of each source's tokens. As long as its revision is the same, they are the same tokens.
    tokens: Range<usize>,
    rendering: Rendering,
    /// The parts are valid from here until the next change.
    rendered_at: DateTime<Utc>,
    next_change: Option<DateTime<Utc>>,
    /// To be rendered again although nothing changed.
    is_outdated: bool,
    /// One of each family.
    parts: Vec<GzipPart>,
}

/// One source of a group, as it was rendered.
struct Rendered {
    name: String,
    /// Of its tokens.
    revision: u64,
    counts: Arc<TokenCounts>,
}

impl TokenParts {
    /// Renders what has changed, and returns the inventory that has exactly these tokens. Rendering all of them takes long, so it
    /// locks the inventory for one group at a time, and a collection can be recorded in between: a few times it renders again what
    /// that changed, the last time under one lock.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(super) fn update<'a>(
        &mut self,
        inventory: &'a RwLock<Inventory>,
        rendering: &Rendering,
        now: DateTime<Utc>,
    ) -> io::Result<RwLockReadGuard<'a, Inventory>> {
        for _ in 0..UNLOCKED_PASSES {
            let before = self.renderings;
            self.update_from(|| inventory.read(), rendering, now)?;
            if self.renderings == before {
                break;
            }
        }
        let locked = inventory.read();
        self.update_from(|| &*locked, rendering, now)?;
        Ok(locked)
    }

    fn update_from<I: Deref<Target = Inventory>>(
        &mut self,
        inventory: impl Fn() -> I,
        rendering: &Rendering,
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        let first_names: Vec<_> = self.groups.iter().filter_map(Group::first_of_source).cloned().collect();
        let divided = groups::divide(&first_names, inventory().token_counts().collect());
        let previous = std::mem::take(&mut self.groups);
        let mut previous: BTreeMap<_, _> =
            previous.into_iter().filter_map(|group| Some((group.key()?, group))).collect();
        for names in divided {
            // All groups of a source are of one revision.
            let inventory = inventory();
            for tokens in ranges(&names, &inventory) {
                let known = names.first().and_then(|first| previous.remove(&(first.clone(), tokens.start)));
                let is_current = |group: &Group| group.is_current(&names, &tokens, &inventory, rendering, now);
                let group = match known.filter(is_current) {
                    Some(group) => group,
                    None => {
                        self.renderings += names.len() as u64;
                        Group::render(&names, tokens, &inventory, rendering, now)?
                    }
                };
                self.groups.push(group);
            }
        }
        Ok(())
    }

    /// Has one group rendered again that was compressed at another level. Whether there is one.
    pub(super) fn outdate_other_than(&mut self, level: Compression) -> bool {
        let other = self.groups.iter_mut().find(|group| group.rendering.level != level);
        other.map(|group| group.is_outdated = true).is_some()
    }

    /// The parts, each family after its header.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(super) fn join(&self) -> io::Result<Vec<GzipPart>> {
        let mut joined = Vec::new();
        for (number, family) in FAMILIES.iter().enumerate() {
            let parts = self.groups.iter().filter_map(|group| group.parts.get(number)).filter(|part| !part.is_empty());
            let mut parts = parts.peekable();
            if parts.peek().is_some() {
                // In both formats the same, as these are gauges.
                let header = Writer::header_part(family.family, Format::Text)?;
                joined.push(GzipPart::join(std::iter::once(&header).chain(parts)));
            }
        }
        Ok(joined)
    }

    /// How many tokens each source has, by its name.
    pub(super) fn counts(&self) -> BTreeMap<&str, Arc<TokenCounts>> {
        let mut counts = BTreeMap::<_, Arc<TokenCounts>>::new();
        for source in self.groups.iter().flat_map(|group| &group.sources) {
            let of_source = counts.entry(source.name.as_str());
            of_source
                .and_modify(|sum| Arc::make_mut(sum).add_all(&source.counts))
                .or_insert_with(|| Arc::clone(&source.counts));
        }
        counts
    }

    /// When a part changes without a collection.
    pub(super) fn next_change(&self) -> Option<DateTime<Utc>> {
        self.groups.iter().filter_map(|group| group.next_change).min()
    }

    pub(super) fn renderings(&self) -> u64 {
        self.renderings
    }
}

/// The tokens of each group of these sources: many groups if it is one large source.
fn ranges(names: &[String], inventory: &Inventory) -> impl Iterator<Item = Range<usize>> + use<> {
    let (tokens, step) = match names {
        [name] => (inventory.token_count(name).max(1), MAX_TOKENS),
        _ => (usize::MAX, usize::MAX),
    };
    (0..tokens).step_by(step).map(move |start| start..tokens.min(start.saturating_add(step)))
}

impl Group {
    fn key(&self) -> Option<(String, usize)> {
        self.sources.first().map(|source| (source.name.clone(), self.tokens.start))
    }

    /// The first name, unless other tokens of that source precede.
    fn first_of_source(&self) -> Option<&String> {
        self.sources.first().filter(|_| self.tokens.start == 0).map(|source| &source.name)
    }

    fn is_current(
        &self,
        names: &[String],
        tokens: &Range<usize>,
        inventory: &Inventory,
        rendering: &Rendering,
        now: DateTime<Utc>,
    ) -> bool {
        let is_current = |source: &Rendered| {
            inventory.revision(&source.name).is_some_and(|revision| revision.tokens == source.revision)
        };
        !self.is_outdated
            && self.rendering.exposure == rendering.exposure
            && self.rendered_at <= now
            && self.next_change.is_none_or(|at| now < at)
            && self.tokens == *tokens
            && self.sources.iter().map(|source| &source.name).eq(names)
            && self.sources.iter().all(is_current)
    }

    fn render(
        names: &[String],
        tokens: Range<usize>,
        inventory: &Inventory,
        rendering: &Rendering,
        now: DateTime<Utc>,
    ) -> io::Result<Self> {
        let mut writers: Vec<_> =
            FAMILIES.iter().map(|family| Writer::samples_of(family.family, rendering.level)).collect();
        let exposure = &rendering.exposure;
        let selection = &exposure.selection;
        let mut sources = Vec::with_capacity(names.len());
        let mut next_change: Option<DateTime<Utc>> = None;
        for name in names {
            let mut counts = TokenCounts::default();
            let series = selection.tokens_of(name);
            for view in inventory.source_tokens_at(name, tokens.clone(), now) {
                counts.add(&view);
                for (writer, family) in writers.iter_mut().zip(&FAMILIES) {
                    if selection.has_samples(series, family.family, &view) {
                        (family.write)(writer, &view, exposure);
                    }
                }
            }
            let change = inventory.source_next_change(name, tokens.clone(), now);
            next_change = next_change.into_iter().chain(change).min();
            let revision = inventory.revision(name).unwrap_or_default().tokens;
            sources.push(Rendered { name: name.clone(), revision, counts: Arc::new(counts) });
        }
        let parts = writers.into_iter().map(Writer::into_part).collect::<io::Result<_>>()?;
        let rendering = rendering.clone();
        Ok(Self { sources, tokens, rendering, rendered_at: now, next_change, is_outdated: false, parts })
    }
}
