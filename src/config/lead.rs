//! The lead of the file, a source or a rule, and whether its bands are in order.

use crate::core::lead::{Lead, LeadChange};
use crate::schema::reader::Reader;
use crate::schema::record::{Record, format_duration};

/// What `alert_lead` sets.
pub(super) fn change(values: &Record<'_>) -> LeadChange {
    LeadChange { warning: values.duration("alert_lead.warning"), critical: values.duration("alert_lead.critical") }
}

/// Reports a lead whose band `critical` would begin before `warning`. `lead` is the result of applying `alert_lead` to a
/// default; `origin` says whose default that is.
pub(super) fn check(reader: &mut Reader, values: &Record<'_>, lead: Lead, origin: &str) {
    if lead.critical <= lead.warning {
        return;
    }
    let band = |name: &str, lead| {
        let given = values.is_given(&format!("alert_lead.{name}"));
        let origin = if given { String::new() } else { format!(" ({origin})") };
        (given, format!("`{name}`, {}{origin}", format_duration(lead)))
    };
    let ((has_warning, warning), (has_critical, critical)) =
        (band("warning", lead.warning), band("critical", lead.critical));
    let (key, remedy) = match (has_warning, has_critical) {
        (true, false) => ("alert_lead.warning", "set a shorter `critical` too"),
        (false, true) => ("alert_lead.critical", "set a longer `warning` too"),
        _ => ("alert_lead.critical", "`critical` must be the shorter of the two"),
    };
    let message = format!("{}: {critical}, is longer than {warning}; {remedy}", values.path_of("alert_lead"));
    reader.error(values.value_at(key), message);
}
