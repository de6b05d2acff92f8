//! Templates: `{name}`, `{name.field}`, `{+name}`.
/// A template.
#[derive(Debug)]
pub struct Template;
