//! Files that people write: YAML with positions, read against a table of keys, from which the JSON Schema and the
//! documentation come too. An error has its line and a remedy, and all errors are reported at once.

pub mod csv;
pub mod diagnostic;
pub mod json_schema;
pub mod markdown;
pub mod reader;
pub mod record;
pub mod renewal;
pub mod table;
pub mod yaml;
