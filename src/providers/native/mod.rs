//! Providers that are not HTTP APIs, written in Rust instead of as a definition.
//!
//! In reading order: `local_source` (a source that reads this machine), `files`, `manual`.

pub mod files;
mod local_source;
mod manual;

use super::provider_info::ProviderInfo;
use super::{Source, SourceSpec};
use crate::schema::diagnostic::Diagnostics;

/// Creates a source.
pub(super) type Connect = fn(SourceSpec) -> Result<Box<dyn Source>, Diagnostics>;

/// All native providers.
pub(super) fn all() -> [(ProviderInfo, Connect); 2] {
    [(manual::info(), manual::connect), (files::info(), files::connect)]
}
