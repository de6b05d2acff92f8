//! Which tokens have metrics of their own.

use super::label_values::label_values;

label_values! {
    /// Which tokens of a source have series of their own; the counts of a source do not depend on it.
    #[derive(Default)]
    pub enum TokenSeries {
        /// Every token.
        #[default]
        All = "all",
        /// Tokens in an alert band.
        Due = "due",
        /// No token.
        None = "none",
    }
}
