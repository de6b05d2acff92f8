//! Ways to authenticate that take more than a template.

pub(super) mod github_app;
