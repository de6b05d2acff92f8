//! The `/metrics` page: rendered once per change and kept compressed; each scrape appends the exporter's own metrics.
//!
//! With 100,000 tokens the page has tens of megabytes, and rendering takes about a second. Two Prometheus servers scrape it
//! every fifteen seconds, but it changes only when a collection finishes or a token changes band. Only the compressed form
//! is kept: a client that does not accept gzip waits for the decompression.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use chrono::{DateTime, Utc};
use flate2::Compression;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::exporter::ExporterMetrics;
use super::gzip::{self, GzipPart};
use super::text::{Format, Writer};
use super::{Contents, Labels};
use crate::core::clock::Clock;
use crate::core::inventory::{Inventory, SharedInventory};

/// How often the clock is checked at least: a sleep does not notice that the clock was set or the machine was suspended.
const MAX_SLEEP: Duration = Duration::from_secs(60);

pub struct Page {
    inventory: SharedInventory,
    exporter: Arc<ExporterMetrics>,
    clock: Clock,
    labels: Mutex<Labels>,
    rendered: Mutex<Arc<Rendered>>,
    /// Locked while the page is rendered, so that of two renderings the one with the newer inventory is last.
    rendering: Mutex<()>,
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
        labels: Labels,
        exporter: Arc<ExporterMetrics>,
        clock: Clock,
    ) -> io::Result<Self> {
        // The first scrape waits for this: compress fast. The page is a third larger, and soon replaced.
        let rendered = Rendered::of(&inventory, labels, clock(), Compression::fast())?;
        Ok(Self {
            inventory,
            exporter,
            clock,
            labels: Mutex::new(labels),
            rendered: Mutex::new(Arc::new(rendered)),
            rendering: Mutex::default(),
        })
    }

    pub fn labels(&self) -> Labels {
        *self.labels.lock()
    }

    /// Takes effect at the next rendering, which the collector triggers after a reload.
    pub fn set_labels(&self, labels: Labels) {
        *self.labels.lock() = labels;
    }

    /// Renders the page. Blocks for up to a second with 100,000 tokens.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn render(&self) -> io::Result<()> {
        let _guard = self.rendering.lock();
        let now = (self.clock)();
        self.inventory.write().update_states(now);
        let rendered = Rendered::of(&self.inventory, self.labels(), now, Compression::default())?;
        *self.rendered.lock() = Arc::new(rendered);
        Ok(())
    }

    /// Renders the page whenever the revision or a band changes. Returns when the revision's sender is dropped.
    pub async fn run(self: Arc<Self>, mut revision: watch::Receiver<u64>) {
        loop {
            let next_change = self.rendered.lock().next_change;
            tokio::select! {
                changed = revision.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(sleep_until(next_change, (self.clock)())) => {
                    if next_change.is_none_or(|at| (self.clock)() < at) {
                        continue;
                    }
                }
            }
            let page = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || page.render()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "cannot render the metrics; serving the previous page")
                }
                Err(error) => {
                    tracing::error!(%error, "rendering panicked; serving the previous page")
                }
            }
        }
    }

    /// The page as gzip. All responses share the memory of the large chunks.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn compressed(&self, format: Format) -> io::Result<Vec<Bytes>> {
        let rendered = Arc::clone(&self.rendered.lock());
        let exporter = GzipPart::new(self.exporter.text(format).as_bytes())?;
        Ok(gzip::join(&[&rendered.gauges, rendered.counters(format), &exporter]))
    }

    /// The page without compression. Blocks for the decompression.
    ///
    /// # Errors
    /// None in practice.
    pub fn plain(&self, format: Format) -> io::Result<Vec<u8>> {
        let rendered = Arc::clone(&self.rendered.lock());
        let exporter = self.exporter.text(format);
        let parts = [&rendered.gauges, rendered.counters(format)];
        let length = parts.iter().map(|part| part.length()).sum::<u64>();
        let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + exporter.len());
        flate2::read::GzDecoder::new(ChunkReader(gzip::join(&parts).into())).read_to_end(&mut text)?;
        text.extend_from_slice(exporter.as_bytes());
        Ok(text)
    }
}

/// Reads chunks as one stream.
struct ChunkReader(VecDeque<Bytes>);

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.0.front().is_some_and(Bytes::is_empty) {
            self.0.pop_front();
        }
        let Some(chunk) = self.0.front_mut() else { return Ok(0) };
        let count = chunk.len().min(into.len());
        chunk.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl Rendered {
    fn of(inventory: &RwLock<Inventory>, labels: Labels, now: DateTime<Utc>, level: Compression) -> io::Result<Self> {
        let mut gauges = Writer::compressing(Format::Text, level);
        let mut counters = Writer::compressing(Format::Text, level);
        let mut openmetrics_counters = Writer::compressing(Format::OpenMetrics, level);
        let next_change = {
            let inventory = inventory.read();
            let contents = Contents::of(&inventory, now);
            contents.write_gauges(&mut gauges, labels, now);
            contents.write_counters(&mut counters);
            contents.write_counters(&mut openmetrics_counters);
            inventory.next_change(now)
        };
        Ok(Self {
            gauges: gauges.into_part()?,
            counters: counters.into_part()?,
            openmetrics_counters: openmetrics_counters.into_part()?,
            next_change,
        })
    }

    fn counters(&self, format: Format) -> &GzipPart {
        match format {
            Format::Text => &self.counters,
            Format::OpenMetrics => &self.openmetrics_counters,
        }
    }
}

/// How long to sleep until `at`, or until the clock must be checked.
fn sleep_until(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    // A time that has passed without a change must not cause a busy loop.
    let least = Duration::from_millis(100);
    let left = at.map_or(MAX_SLEEP, |at| (at - now).to_std().unwrap_or_default());
    left.clamp(least, MAX_SLEEP)
}
