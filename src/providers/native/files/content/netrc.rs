//! `.netrc`.
//! <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>

use chrono::{DateTime, Utc};

use super::{Credential, secret};

/// A credential for each machine with a password; `None` if the text is not a netrc.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Option<Vec<Credential>> {
    let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
    let (mut found, mut machine, mut login) = (Vec::new(), None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" => (machine, login) = (Some(words.next()?), None),
            "default" => (machine, login) = (Some("default"), None),
            "login" => login = Some(words.next()?),
            "account" => _ = words.next()?,
            "password" => {
                let password = words.next()?;
                let part = [machine?, login.unwrap_or_default()].join(" ");
                found.push(secret(password, now).at(part.trim_end()));
            }
            "macdef" => break, // it ends at an empty line, which is not visible here; nothing follows in practice
            _ => return None,
        }
    }
    machine.map(|_| found)
}
