//! Renewal steps as people write them: in a rule, and in an entry of the provider `manual`.

use serde_json::json;

use super::table::DomainType;
use crate::core::renewal::{MAX_LINES, Renewal};

pub static RENEW: DomainType = DomainType {
    words: "text",
    json_schema: || json!({"type": "string", "minLength": 1}),
    check: |reader, node, path| {
        let Some(text) = reader.string(node, path) else { return };
        let problem = match Renewal::parse(&text) {
            Ok(_) => return,
            Err(0) => "the text is empty; say who renews the token, and where".to_owned(),
            Err(lines) => format!("{lines} lines; at most {MAX_LINES}: who, where, by which command"),
        };
        reader.error(node.at, format!("{path}: {problem}"));
    },
};
