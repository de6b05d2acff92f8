//! The name of a page in its query, for names that a path cannot have.

use crate::pages::filter::Parameters;

/// The parameter `name`.
#[derive(Default)]
pub(super) struct Name(pub(super) Option<String>);

impl Parameters for Name {
    fn names(&self) -> &'static [&'static str] {
        &["name"]
    }

    fn set(&mut self, _: &str, value: &str) -> Result<(), String> {
        self.0 = Some(value.to_owned());
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|name| ("name", name.clone())).collect()
    }
}
