//! Whether the bands of a lead come in their order.

use super::config_reader::ConfigReader;
use super::duration::written;
use super::values::Values;
use crate::core::lead::Lead;

/// Notes a lead whose critical band would begin before its warning. `values` is what the file says of it, in part;
/// `lead` is what comes of that over the defaults; `inherited` says whose defaults these are.
pub(super) fn check(reading: &mut ConfigReader, values: &Values<'_>, lead: Lead, inherited: &str) {
    if lead.critical <= lead.warning {
        return;
    }
    let from = |key: &str| if values.given(key) { String::new() } else { format!(" ({inherited})") };
    let critical = format!("`critical`, {}{},", written(lead.critical), from("critical"));
    let warning = format!("`warning`, {}{}", written(lead.warning), from("warning"));
    let (place, way_out) = match (values.given("warning"), values.given("critical")) {
        (true, false) => ("warning", "give a shorter `critical` too"),
        (false, true) => ("critical", "give a longer `warning` too"),
        _ => ("critical", "`critical` is the shorter of the two"),
    };
    let message = format!("{}: {critical} is longer than {warning}; {way_out}", values.what);
    reading.error(values.place(place), message);
}
