//! Which content of a shared object was read or written.

/// The version of an object in the shared store, as a GET or PUT returned it. A conditional put names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Without quotes.
    pub etag: String,
    /// The generation of a store that compares generations instead of ETags.
    pub generation: Option<String>,
}
