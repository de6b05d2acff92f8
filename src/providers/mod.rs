//! Draft.
pub mod expression;
pub mod provider;
pub mod template;
