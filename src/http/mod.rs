//! The manners of HTTP, in one layer: what is sent, retried, waited for, followed and refused.
//!
//! `client` sends one `message` and brings one reply. On the way it takes its turn (`limit`), goes out (`transport`),
//! follows what may be followed (`redirect`, `origin`), reads no more than it may (`exchange`), and where that fails
//! (`fault`) or is refused decides when to try again (`retry`, from what `quota` reads). `page` judges next pages.

pub mod client;
mod error;
mod exchange;
mod limit;
pub mod message;
pub mod options;
mod origin;
pub mod page_guard;
pub mod quota;
pub(crate) mod redact;
mod redirect;
pub mod retry;
mod transport;
