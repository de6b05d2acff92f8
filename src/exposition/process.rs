//! The metrics of the process, under the names that all Prometheus clients use. Read from /proc; absent without one.

use std::fs;
use std::io::Read as _;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

use super::families::Kind;

/// A name, its HELP, its type, and its value.
pub(super) type ProcessMetric = (&'static str, &'static str, Kind, f64);

/// Unix timestamp, in seconds, at which this process started. Ask once: the kernel derives the boot time from the clock, so
/// it moves when the clock is set.
pub(super) fn started_at() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat_field(&own_stat()?, 22)? / clock_ticks_per_second())
}

/// The metrics as of now, ordered by name.
pub(super) fn process_metrics(started_at: Option<u64>) -> Vec<ProcessMetric> {
    let stat = own_stat();
    let field = |number| stat.as_deref().and_then(|stat| stat_field(stat, number));
    let cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / clock_ticks_per_second());
    let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
    let resident = field(24).map(|pages| pages * page_size() as u64);
    let metrics = [
        ("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", Kind::Counter, cpu),
        (
            "process_max_fds",
            "Maximum number of open file descriptors.",
            Kind::Gauge,
            getrlimit(Resource::Nofile).current,
        ),
        ("process_open_fds", "Number of open file descriptors.", Kind::Gauge, open_files),
        ("process_resident_memory_bytes", "Resident memory size in bytes.", Kind::Gauge, resident),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            Kind::Gauge,
            started_at,
        ),
        ("process_threads", "Number of OS threads in the process.", Kind::Gauge, field(20)),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", Kind::Gauge, field(23)),
    ];
    // Whole numbers far below 2^53 are exact in a float.
    metrics.into_iter().filter_map(|(name, help, kind, value)| Some((name, help, kind, value? as f64))).collect()
}

fn own_stat() -> Option<String> {
    // One read, which returns the whole line. The standard library would need five, as the size of the file is not known.
    let mut line = [0; 1_024];
    let length = fs::File::open("/proc/self/stat").ok()?.read(&mut line).ok()?;
    Some(String::from_utf8_lossy(line.get(..length)?).into_owned())
}

/// A field by its number in proc_pid_stat(5). The second, the program's name in parentheses, may contain blanks.
fn stat_field(stat: &str, number: usize) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn stat_field_skips_the_program_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 14 15 0 0 20 0 20 0 22 23 24 18446744073709551615";
        let fields = [14, 15, 20, 22, 23, 24, 99].map(|number| stat_field(stat, number));
        assert_eq!(fields, [Some(14), Some(15), Some(20), Some(22), Some(23), Some(24), None]);
    }

    #[test]
    fn process_metrics_describe_this_process() {
        let value = |wanted: &str| {
            let metrics = process_metrics(started_at());
            assert_eq!(metrics.len(), 7, "{metrics:?}");
            assert!(metrics.is_sorted_by_key(|metric| metric.0));
            metrics.into_iter().find(|(name, ..)| *name == wanted).unwrap().3
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        // The boot time is a whole second.
        assert!((-2.0..600.0).contains(&(now - value("process_start_time_seconds"))));
        assert!(value("process_threads") >= 2.0 && value("process_cpu_seconds_total") < 600.0);
        let resident = value("process_resident_memory_bytes");
        assert!(resident > 1e6 && resident < value("process_virtual_memory_bytes"), "{resident}");
        let open = value("process_open_fds");
        let more: Vec<fs::File> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let grown = value("process_open_fds") - open;
        assert!((50.0..150.0).contains(&grown), "{grown}, other tests run at the same time");
        drop(more);
        assert!(value("process_max_fds") >= open);
    }
}
