//! The program. All of its code is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    token_expiry_exporter::cli::main().await
}
