//! The proxy of a source.

use url::Url;

use super::config_reader::ConfigReader;
use crate::schema::yaml::Node;

const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// Reads the URL of a proxy. One with a password does not come here: it is refused as a secret.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<Url> {
    let text = reading.filled(node, what)?;
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(error) => {
            let message = format!("{what}: not a URL: {error}; write it such as `http://proxy.example.com:3128`");
            reading.error(node.at, message);
            return None;
        }
    };
    if !SCHEMES.contains(&url.scheme()) || !url.has_host() {
        let schemes = SCHEMES.map(|scheme| format!("{scheme}://")).join(", ");
        reading.error(node.at, format!("{what}: a proxy's URL begins with one of {schemes}"));
        return None;
    }
    if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() {
        reading.error(node.at, format!("{what}: a proxy's URL ends after the port"));
        return None;
    }
    Some(url)
}
