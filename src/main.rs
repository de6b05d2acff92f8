//! The program. All of its code is in the library.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// glibc's keeps what short-lived values of a collection leave behind: see docs/decisions/allocator.md.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    token_expiry_exporter::cli::run()
}
