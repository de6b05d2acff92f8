//! The page that a scrape is handed: rendered once per change, kept compressed, put together with what is new.
//!
//! With 100,000 tokens the page has tens of megabytes. To write and compress it takes around a second, and two
//! Prometheus servers ask for it every fifteen seconds; but it changes only when a collection ends, or a token enters a
//! band, and both are known. It is not kept uncompressed: whoever asks without gzip waits for the decompression.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use chrono::{DateTime, Utc};
use flate2::Compression;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::gzip::{self, GzipPart};
use super::program::ExporterMetrics;
use super::sources::next_credential_change;
use super::text::{Format, Writer};
use super::{Known, Labels};
use crate::core::clock::Clock;
use crate::core::inventory::{Inventory, SharedInventory};

/// The longest sleep between two looks at the clock. A sleep does not notice that the clock was set, or the machine
/// suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The page.
pub struct Page {
    inventory: SharedInventory,
    program: Arc<ExporterMetrics>,
    clock: Clock,
    labels: Mutex<Labels>,
    rendered: Mutex<Arc<Rendered>>,
    /// Held while the page is rendered: of two renderings, the one that has seen more must be the last.
    rendering: Mutex<()>,
}

/// The page at one instant, without what the program says of itself.
struct Rendered {
    gauges: GzipPart,
    counters: GzipPart,
    openmetrics_counters: GzipPart,
    next_change: Option<DateTime<Utc>>,
}

impl Page {
    /// A page of what is known now.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn new(
        inventory: SharedInventory,
        labels: Labels,
        program: Arc<ExporterMetrics>,
        clock: Clock,
    ) -> io::Result<Self> {
        // Whoever asks after a start waits for the first page; it is a third larger, and replaced soon.
        let rendered = Rendered::of(&inventory, labels, clock(), Compression::fast())?;
        Ok(Self {
            inventory,
            program,
            clock,
            labels: Mutex::new(labels),
            rendered: Mutex::new(Arc::new(rendered)),
            rendering: Mutex::default(),
        })
    }

    /// What of an owner may be shown.
    pub fn labels(&self) -> Labels {
        *self.labels.lock()
    }

    /// Sets what of an owner may be shown. It holds from the next rendering on: at a reload the collector's revision
    /// follows at once.
    pub fn set_labels(&self, labels: Labels) {
        *self.labels.lock() = labels;
    }

    /// Renders the page anew. This takes its time: up to a second with 100,000 tokens.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn render(&self) -> io::Result<()> {
        let _turn = self.rendering.lock();
        let rendered = Rendered::of(&self.inventory, self.labels(), (self.clock)(), Compression::default())?;
        *self.rendered.lock() = Arc::new(rendered);
        Ok(())
    }

    /// Renders the page anew whenever the revision changes, and whenever a token or a credential changes its band. Ends
    /// when the revision's sender is gone.
    pub async fn follow(self: Arc<Self>, mut revision: watch::Receiver<u64>) {
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
                    tracing::error!(%error, "the metrics could not be rendered; the page of before stays")
                }
                Err(error) => {
                    tracing::error!(%error, "the rendering of the metrics broke off; the page of before stays")
                }
            }
        }
    }

    /// The page as gzip, in pieces of which all but the small ones are shared by whoever is handed them.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub fn compressed(&self, format: Format) -> io::Result<Vec<Bytes>> {
        let rendered = Arc::clone(&self.rendered.lock());
        let program = GzipPart::new(self.program.text(format).as_bytes())?;
        Ok(gzip::join(&[&rendered.gauges, rendered.counters(format), &program]))
    }

    /// The page as it is. This takes its time: it is decompressed.
    ///
    /// # Errors
    /// None in practice: the compressor reads what it wrote.
    pub fn plain(&self, format: Format) -> io::Result<Vec<u8>> {
        let rendered = Arc::clone(&self.rendered.lock());
        let program = self.program.text(format);
        let parts = [&rendered.gauges, rendered.counters(format)];
        let length = parts.iter().map(|part| part.length()).sum::<u64>();
        let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + program.len());
        flate2::read::GzDecoder::new(ChunkReader(gzip::join(&parts).into())).read_to_end(&mut text)?;
        text.extend_from_slice(program.as_bytes());
        Ok(text)
    }
}

/// Reads pieces as one.
struct ChunkReader(VecDeque<Bytes>);

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.0.front().is_some_and(Bytes::is_empty) {
            self.0.pop_front();
        }
        let Some(piece) = self.0.front_mut() else { return Ok(0) };
        let count = piece.len().min(into.len());
        piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

impl Rendered {
    fn of(inventory: &RwLock<Inventory>, labels: Labels, now: DateTime<Utc>, level: Compression) -> io::Result<Self> {
        let mut gauges = Writer::packing(Format::Text, level);
        let mut counters = Writer::packing(Format::Text, level);
        let mut openmetrics_counters = Writer::packing(Format::OpenMetrics, level);
        let next_change = {
            let inventory = inventory.read();
            let known = Known::of(&inventory, now);
            known.gauges(&mut gauges, labels, now);
            known.counters(&mut counters);
            known.counters(&mut openmetrics_counters);
            let credentials = known.sources.iter().filter_map(|(_, source)| next_credential_change(source, now));
            credentials.chain(inventory.next_change(now)).min()
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

/// How long to sleep until an instant, or until the next look at the clock.
fn sleep_until(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    // At least a moment: an instant that has passed and yet brings no change must not become a busy loop.
    let least = Duration::from_millis(100);
    let left = at.map_or(LONGEST_SLEEP, |at| (at - now).to_std().unwrap_or_default());
    left.clamp(least, LONGEST_SLEEP)
}
