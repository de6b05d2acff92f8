//! The thread that writes the log, so that nothing else waits for standard error or fails with it.
//!
//! A line that cannot be written, or finds the queue full because nobody reads the log, is lost and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::stream::write_all;

/// Lines that may wait for the thread.
const QUEUE: usize = 4096;

/// How often [`LogWriter::flush`] looks.
const POLL: Duration = Duration::from_millis(1);

#[derive(Clone)]
pub(in crate::cli) struct LogWriter {
    queue: SyncSender<Vec<u8>>,
    /// Lines that are neither written nor lost yet.
    pending: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl LogWriter {
    /// # Errors
    /// If the system allows no further thread.
    pub(in crate::cli) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_capacity(QUEUE, to)
    }

    fn with_capacity(capacity: usize, to: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(capacity);
        let writer = Self { queue, pending: Arc::default(), lost: Arc::default() };
        let (pending, lost) = (Arc::clone(&writer.pending), Arc::clone(&writer.lost));
        thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(to, &lines, &pending, &lost))?;
        Ok(writer)
    }

    /// Lines that were lost since the start.
    pub(in crate::cli) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    /// Queues a line with its line break. Never waits.
    pub(in crate::cli) fn line(&self, line: impl Into<Vec<u8>>) {
        self.pending.fetch_add(1, Ordering::AcqRel);
        if self.queue.try_send(line.into()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.pending.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Waits until every line is written or lost, but at most until the limit.
    pub(in crate::cli) fn flush(&self, limit: Duration) {
        let started = Instant::now();
        while self.pending.load(Ordering::Acquire) > 0 && started.elapsed() < limit {
            thread::sleep(POLL);
        }
    }
}

fn write_lines(mut to: impl Write, lines: &Receiver<Vec<u8>>, pending: &AtomicUsize, lost: &AtomicU64) {
    // The beginning of a lost line may be in the file.
    let mut is_torn = false;
    for line in lines {
        let line = if is_torn { [b"\n", &line[..]].concat() } else { line };
        let mut rest = &line[..];
        match write_all(&mut to, &mut rest) {
            Ok(()) => is_torn = false,
            Err(_) => {
                lost.fetch_add(1, Ordering::Relaxed);
                is_torn |= rest.len() < line.len();
            }
        }
        pending.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    /// A disk with space for this many bytes.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Disk {
        fn add_space(&self, bytes: usize) {
            self.0.lock().unwrap().0 += bytes;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (space, written) = &mut *self.0.lock().unwrap();
            let length = bytes.len().min(*space);
            written.extend(&bytes[..length]);
            *space -= length;
            if length == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LIMIT: Duration = Duration::from_secs(10);

    fn lost(writer: &LogWriter) -> u64 {
        writer.flush(LIMIT);
        writer.lost().load(Ordering::Relaxed)
    }

    #[test]
    fn writer_loses_and_counts_lines_that_cannot_be_written_and_continues_on_a_new_line() {
        let disk = Disk::default();
        let writer = LogWriter::start(disk.clone()).unwrap();
        writer.line("one\n");
        assert_eq!((lost(&writer), disk.text().as_str()), (1, ""));
        disk.add_space(6);
        writer.line("two\n");
        writer.line("three\n");
        writer.line("four\n");
        assert_eq!((lost(&writer), disk.text().as_str()), (3, "two\nth"));
        disk.add_space(100);
        writer.line("five\n");
        writer.line("six\n");
        assert_eq!((lost(&writer), disk.text().as_str()), (3, "two\nth\nfive\nsix\n"));
    }

    /// Takes a line whenever the sender allows it.
    struct Slow(Receiver<()>, Disk);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writer_loses_and_counts_lines_beyond_its_queue_and_never_waits() {
        let (reads, blocked) = channel();
        let disk = Disk::default();
        disk.add_space(1000);
        let writer = LogWriter::with_capacity(2, Slow(blocked, disk.clone())).unwrap();
        writer.line("0\n");
        // Until the thread has taken the first line out of the queue.
        let deadline = Instant::now() + LIMIT;
        let mut line = 0;
        while writer.lost.load(Ordering::Relaxed) < 3 {
            line += 1;
            writer.line(format!("{line}\n"));
            assert!(Instant::now() < deadline);
            thread::sleep(POLL);
        }
        let started = Instant::now();
        writer.flush(Duration::from_millis(50));
        assert!(started.elapsed() < LIMIT, "a flush has its limit");
        drop(reads);
        writer.line("lost or last\n");
        writer.flush(LIMIT);
        assert!(disk.text().starts_with("0\n1\n"), "{}", disk.text());
        let written = disk.text().lines().count() as u64;
        assert_eq!(written + writer.lost.load(Ordering::Relaxed), line + 2, "every line is written or counted");
    }
}
