//! The manners of HTTP, in one layer: what is sent, retried, waited for, followed and refused.

pub mod client;
pub mod limit;
pub mod page;
pub mod retry;
