//! The language of provider definitions: keys, expressions, templates, and their compilation. No I/O.

mod aws_query;
pub mod compile;
pub mod definition;
pub mod expression;
pub mod provider;
pub mod scalar_span;
pub mod settings;
pub mod template;
pub mod template_vars;
pub mod value;
