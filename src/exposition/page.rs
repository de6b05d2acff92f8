//! The `/metrics` page: kept compressed, in parts of which only those that change are rendered again; each scrape appends the
//! exporter's own metrics.
//!
//! With 100,000 tokens the page has tens of megabytes, and rendering all of it takes about a second. Two Prometheus servers
//! scrape it every fifteen seconds, but it changes only when a collection finishes or a token changes band. Only the
//! compressed form is kept: for a client that does not accept gzip it is decompressed while the client reads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::Compression;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::exporter::ExporterMetrics;
use super::families::Family;
use super::gzip::{self, GzipPart, Inflate};
use super::parts::{Rendering, TokenParts};
use super::sources::{self, SourceStatus};
use super::text::{Format, Writer};
use super::{Exposure, Labels};
use crate::core::clock::Clock;
use crate::core::inventory::{Inventory, SharedInventory};

/// How often the clock is checked at least: a sleep does not notice that the clock was set or the machine was suspended.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// After the start, parts that were compressed fast are compressed well, one at a time.
const FIRST_RECOMPRESSION: Duration = Duration::from_secs(30);

/// The pause after each, as a multiple of the time that it took: at most a twentieth of a core.
const RECOMPRESSION_PAUSE: u32 = 19;

pub struct Page {
    inventory: SharedInventory,
    exporter: Arc<ExporterMetrics>,
    clock: Clock,
    exposure: Mutex<Exposure>,
    rendered: Mutex<Arc<Rendered>>,
    /// Locked while the page is rendered, so that of two renderings the one with the newer inventory is last.
    tokens: Mutex<TokenParts>,
    token_renderings: AtomicU64,
}

/// The page at a given time, without the exporter's own metrics.
struct Rendered {
    gauges: GzipPart,
    counters: GzipPart,
    openmetrics_counters: GzipPart,
    next_change: Option<DateTime<Utc>>,
}

impl Page {
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn new(
        inventory: SharedInventory,
        exposure: impl Into<Exposure>,
        exporter: Arc<ExporterMetrics>,
        clock: Clock,
    ) -> io::Result<Self> {
        let exposure = exposure.into();
        let mut tokens = TokenParts::default();
        let rendering = Rendering { exposure: exposure.clone(), level: Compression::fast() };
        let rendered = Rendered::of(&mut tokens, &inventory, &rendering, clock())?;
        Ok(Self {
            inventory,
            exporter,
            clock,
            exposure: Mutex::new(exposure),
            rendered: Mutex::new(Arc::new(rendered)),
            token_renderings: AtomicU64::new(tokens.renderings()),
            tokens: Mutex::new(tokens),
        })
    }

    pub fn labels(&self) -> Labels {
        self.exposure.lock().labels
    }

    /// Whether the tokens of a source have the series from which alerts are made.
    pub fn alerts_on(&self, source: &str) -> bool {
        self.exposure.lock().selection.alerts_on(source)
    }

    /// Takes effect at the next rendering, which the collector triggers after a reload.
    pub fn set_exposure(&self, exposure: impl Into<Exposure>) {
        *self.exposure.lock() = exposure.into();
    }

    /// Renders what has changed. Blocks for up to a second if 100,000 tokens did.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn render(&self) -> io::Result<()> {
        self.render_at(Compression::default())
    }

    /// Renders a restored inventory. The first scrape waits for this: compress fast. Each part is a third larger until its tokens
    /// change or `run` compresses it again.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn render_first(&self) -> io::Result<()> {
        self.render_at(Compression::fast())
    }

    /// Compresses one part well that was compressed fast. Whether there was one.
    fn recompress(&self) -> io::Result<bool> {
        let level = Compression::default();
        let is_found = self.tokens.lock().outdate_other_than(level);
        if is_found {
            self.render_at(level)?;
        }
        Ok(is_found)
    }

    fn render_at(&self, level: Compression) -> io::Result<()> {
        let mut tokens = self.tokens.lock();
        let now = (self.clock)();
        self.inventory.write().update_states(now);
        let rendering = Rendering { exposure: self.exposure.lock().clone(), level };
        let rendered = Rendered::of(&mut tokens, &self.inventory, &rendering, now)?;
        self.token_renderings.store(tokens.renderings(), Ordering::Relaxed);
        *self.rendered.lock() = Arc::new(rendered);
        Ok(())
    }

    /// How many times the tokens of a source were rendered since the start.
    pub fn token_renderings(&self) -> u64 {
        self.token_renderings.load(Ordering::Relaxed)
    }

    /// Renders the page whenever the revision or a band changes. Returns when the revision's sender is dropped.
    pub async fn run(self: Arc<Self>, mut revision: watch::Receiver<u64>) {
        let mut recompression = Some(Instant::now() + FIRST_RECOMPRESSION);
        loop {
            let next_change = self.rendered.lock().next_change;
            tokio::select! {
                changed = revision.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(sleep_until(next_change, (self.clock)())) => {
                    if next_change.is_none_or(|at| (self.clock)() < at) {
                        continue;
                    }
                }
                () = wait_until(recompression) => {
                    let started = Instant::now();
                    let is_found = self.blocking(Self::recompress).await.unwrap_or(false);
                    recompression = is_found.then(|| Instant::now() + RECOMPRESSION_PAUSE * started.elapsed());
                    continue;
                }
            }
            self.blocking(Self::render).await;
        }
    }

    /// Renders on a thread of its own; `None` if that fails.
    async fn blocking<T: Send + 'static>(self: &Arc<Self>, render: fn(&Self) -> io::Result<T>) -> Option<T> {
        let page = Arc::clone(self);
        match tokio::task::spawn_blocking(move || render(&page)).await {
            Ok(Ok(result)) => return Some(result),
            Ok(Err(error)) => {
                tracing::error!(%error, "cannot render the metrics; serving the previous page")
            }
            Err(error) => {
                tracing::error!(%error, "rendering panicked; serving the previous page")
            }
        }
        None
    }

    /// The page as gzip. All responses share the memory of the large chunks.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn compressed(&self, format: Format) -> io::Result<Vec<Bytes>> {
        let rendered = Arc::clone(&self.rendered.lock());
        let exporter = GzipPart::new(self.exporter.text(format).as_bytes())?;
        Ok(gzip::stream(&[&rendered.gauges, rendered.counters(format), &exporter]))
    }

    /// The page without compression: its size in bytes, and its chunks, each decompressed when it is wanted.
    pub fn plain(&self, format: Format) -> (u64, impl Iterator<Item = io::Result<Bytes>> + Send + use<>) {
        let rendered = Arc::clone(&self.rendered.lock());
        let exporter = Bytes::from(self.exporter.text(format));
        let inflate = Inflate::new(&[&rendered.gauges, rendered.counters(format)]);
        (inflate.left() + exporter.len() as u64, inflate.chain(std::iter::once(Ok(exporter))))
    }
}

impl Rendered {
    fn of(
        tokens: &mut TokenParts,
        inventory: &SharedInventory,
        rendering: &Rendering,
        now: DateTime<Utc>,
    ) -> io::Result<Self> {
        let inventory = tokens.update(inventory, rendering, now)?;
        let mut gauges = tokens.join()?;
        let sources = sources(&inventory, tokens);
        let mut writer = Writer::compressing(rendering.level);
        sources::write_gauges(&mut writer, &sources, &rendering.exposure, now);
        gauges.push(writer.into_part()?);
        let mut counters = Vec::new();
        for (family, write) in sources::counters(&rendering.exposure.selection) {
            let mut writer = Writer::samples_of(family, rendering.level);
            write(&mut writer, &sources);
            counters.push((family, writer.into_part()?));
        }
        let credentials = sources.iter().filter_map(|status| status.source.credential_next_change(now));
        Ok(Self {
            next_change: credentials.chain(tokens.next_change()).min(),
            gauges: GzipPart::join(&gauges),
            counters: with_headers(&counters, Format::Text)?,
            openmetrics_counters: with_headers(&counters, Format::OpenMetrics)?,
        })
    }

    fn counters(&self, format: Format) -> &GzipPart {
        match format {
            Format::Text => &self.counters,
            Format::OpenMetrics => &self.openmetrics_counters,
        }
    }
}

fn sources<'a>(inventory: &'a Inventory, tokens: &TokenParts) -> Vec<SourceStatus<'a>> {
    let counts = tokens.counts();
    let of = |name| counts.get(name).cloned().unwrap_or_default();
    inventory.sources().map(|(name, source)| SourceStatus { name, source, counts: of(name) }).collect()
}

/// Parts with samples, each after the header of its family.
fn with_headers(parts: &[(&Family, GzipPart)], format: Format) -> io::Result<GzipPart> {
    let mut all = Vec::new();
    for (family, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
        all.extend([Writer::header_part(family, format)?, part.clone()]);
    }
    Ok(GzipPart::join(&all))
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// How long to sleep until `at`, or until the clock must be checked.
fn sleep_until(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    // A time that has passed without a change must not cause a busy loop.
    let least = Duration::from_millis(100);
    let left = at.map_or(MAX_SLEEP, |at| (at - now).to_std().unwrap_or_default());
    left.clamp(least, MAX_SLEEP)
}
