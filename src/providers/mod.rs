//! Draft.
pub mod expression;
mod functions;
pub mod provider;
mod scalar;
pub mod template;
