//! Keeps secrets in the process: no core dump, which has credentials in it, and no panic message, which may quote a response.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, warn};

use super::log::LogWriter;

/// Limit for writing the message of a panic, after which the process may end.
const PANIC_FLUSH: Duration = Duration::from_millis(500);

/// Disables core dumps and replaces the panic hook. Call it before credentials are read.
pub(super) fn protect(log: LogWriter) {
    panic::set_hook(Box::new(move |panic| {
        // A hook that panics aborts the process, so this only queues a line. It works without a log, too.
        log_panic(panic);
        log.flush(PANIC_FLUSH);
    }));
    // The limit does not apply to a program that the kernel pipes the dump to (core(5), core_pattern with `|`). A process that
    // is not dumpable has no dump at all, and others of the same user cannot read its memory and environment.
    let limit = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if let Err(error) = limit.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)) {
        warn!(%error, "cannot disable core dumps; a crash could write credentials to disk");
    }
}

/// Makes a write beyond `ulimit -f` an error like that of a full disk. By default the kernel's signal ends the process.
pub(super) fn survive_file_size_limit() {
    // The handler stays when its stream is dropped.
    if let Err(error) = signal(SignalKind::from_raw(Signal::XFSZ.as_raw())) {
        warn!(%error, "cannot handle SIGXFSZ; a file at its size limit would end the process");
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    // A message that was formatted at run time may hold data; a literal of the code does not.
    let literal = panic.payload().downcast_ref::<&'static str>().copied();
    let what = literal.unwrap_or("message withheld: it may contain data");
    let backtrace = Backtrace::capture();
    // Names of functions and files, if `RUST_BACKTRACE` is set.
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(place, what, backtrace, "internal error; please report this line");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    /// Joined at run time: the compiler would make a literal of it.
    fn secret() -> String {
        ["canary", "in", "a", "panic"].join("-")
    }

    #[test]
    #[ignore = "run by the test below, in a process of its own"]
    fn in_a_process_of_its_own() {
        let log = crate::cli::log::start(&crate::cli::args::LogArgs {
            level: tracing::Level::DEBUG,
            format: crate::cli::args::LogFormat::Json,
        });
        super::protect(log.unwrap());
        for panics in [
            (|| panic!("invalid: {}", secret())) as fn(),
            || _ = secret().parse::<u64>().map_err(|_| secret()).unwrap(),
            || panic!("a literal"),
        ] {
            assert!(std::panic::catch_unwind(panics).is_err());
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    }

    #[test]
    fn panic_log_has_the_location_and_no_data() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "cli::process::tests::in_a_process_of_its_own", "--ignored", "--nocapture"]);
        let output = command.env("RUST_BACKTRACE", "1").output().unwrap();
        let log = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && log.contains("1 passed"), "{log}");
        assert!(!log.contains(&secret()), "{log}");
        assert_eq!(log.matches("\"place\":\"src/cli/process.rs:").count(), 3, "{log}");
        assert!(log.contains("a literal") && log.contains("\"backtrace\":\"   0: "), "{log}");
    }

    #[test]
    fn panic_is_handled_if_nothing_can_be_logged() {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "cli::process::tests::in_a_process_of_its_own", "--ignored", "--nocapture"]);
        let output = command.stderr(full()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("1 passed"), "{}: {text}", output.status);
    }
}
