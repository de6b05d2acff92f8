//! The table of keys for the documentation.

/// The keys of the configuration file as Markdown tables.
pub fn reference() -> String {
    String::new()
}
