//! Stub.
use super::Wanted;
use super::provider::Provider;
use crate::core::mistake::Mistakes;
pub(crate) struct Settled { pub settings: serde_json::Map<String, serde_json::Value>, pub scheme: usize, pub listings: Vec<usize> }
impl Provider {
    pub(crate) fn settle(&self, _: &Wanted) -> Result<Settled, Mistakes> { todo!() }
}
