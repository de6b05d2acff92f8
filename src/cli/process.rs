//! What the process keeps to itself: no dump of its memory, which holds credentials, and no panic's words, which may quote
//! what was read.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tracing::{error, warn};

/// Switches core dumps off, and tells of panics without their words. To be called first.
pub(super) fn keep_to_itself() {
    panic::set_hook(Box::new(tell));
    // The limit alone does not bind a program that the kernel hands the dump to (core(5), core_pattern with `|`); a process
    // that is not dumpable has none made at all, and its memory and environment cannot be read by others of the same user.
    let limit = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if let Err(error) = limit.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable)) {
        warn!(%error, "core dumps cannot be switched off; a crash may write credentials to the disk");
    }
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = words(panic);
    let backtrace = Backtrace::capture();
    // Names of functions and files, where `RUST_BACKTRACE` asks for them.
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(place, what, backtrace, "a fault of this program: please report it with this line");
}

/// A message that was put together holds data; one that stands in the code as it is does not.
fn words(panic: &PanicHookInfo<'_>) -> &'static str {
    panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("its words may quote what was read, and are not shown")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    /// Not put together by the compiler, which would make one text of two that it knows.
    fn secret() -> String {
        ["canary", "in", "a", "panic"].join("-")
    }

    #[test]
    #[ignore = "run by the test below, in a process of its own"]
    fn in_a_process_of_its_own() {
        crate::cli::log::start(&crate::cli::args::LogArgs {
            level: crate::cli::args::Level::Debug,
            format: crate::cli::args::LogFormat::Json,
        });
        super::keep_to_itself();
        for panics in [
            (|| panic!("{} cannot be read", secret())) as fn(),
            || _ = secret().parse::<u64>().map_err(|_| secret()).unwrap(),
            || panic!("a text of the code"),
        ] {
            assert!(std::panic::catch_unwind(panics).is_err());
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    }

    #[test]
    fn a_panic_prints_where_it_was_and_nothing_that_was_read() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "cli::process::tests::in_a_process_of_its_own", "--ignored", "--nocapture"]);
        let output = command.env("RUST_BACKTRACE", "1").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        assert!(!said.contains(&secret()), "{said}");
        assert_eq!(said.matches("\"place\":\"src/cli/process.rs:").count(), 3, "{said}");
        assert!(said.contains("a text of the code") && said.contains("\"backtrace\":\"   0: "), "{said}");
    }
}
