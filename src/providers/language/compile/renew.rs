//! Renewal steps by kind.

use super::Compiler;
use crate::core::renewal::{Renewal, Renewals};
use crate::schema::record::Record;

/// The longest text: with its title it is shown whole.
const MAX_LEN: usize = 190;

impl Compiler {
    pub(super) fn renewals(&mut self, root: &Record<'_>) -> Renewals {
        root.records("renew").iter().map(|record| (record.key_name(), self.renewal(record))).collect()
    }

    fn renewal(&mut self, record: &Record<'_>) -> Renewal {
        if record.is_map && !record.has_unknown && record.first_given(&["where", "command"]).is_none() {
            self.error(record.name_at(), format!("{}: add `where` or `command`", record.path));
        }
        for key in ["who", "where", "command"] {
            let length = record.text(key).map_or(0, |text| text.chars().count());
            if length > MAX_LEN {
                let path = record.path_of(key);
                self.error(record.value_at(key), format!("{path}: {length} characters; at most {MAX_LEN}"));
            }
        }
        let (place, command) = (record.text("where"), record.text("command"));
        let who = self.text(record, "who");
        Renewal::new(&who, place.as_deref(), command.as_deref(), record.text("docs"))
    }
}
