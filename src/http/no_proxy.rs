//! The hosts that requests reach without the proxy of the environment.
//!
//! `NO_PROXY` as Go and curl read it: names with their subdomains, also as `.name` and `*.name`; addresses; networks; `*`; each
//! name or address with or without a port. <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>,
//! <https://curl.se/libcurl/c/CURLOPT_NOPROXY.html>. The library knows neither ports, brackets nor `*.name`.

use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

#[derive(Debug, Default)]
pub(super) struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    host: String,
    /// Without one the entry holds for every port.
    port: Option<u16>,
}

impl NoProxy {
    pub(super) fn from_env() -> Self {
        let variables = ["NO_PROXY", "no_proxy"].into_iter().filter_map(|name| std::env::var(name).ok());
        Self::parse(&variables.into_iter().find(|list| !list.is_empty()).unwrap_or_default())
    }

    fn parse(list: &str) -> Self {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        Self { entries: entries.map(Entry::parse).collect() }
    }

    pub(super) fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let is_relevant = |entry: &&Entry| entry.port.is_none() || entry.port == url.port_or_known_default();
        let hosts: Vec<&str> = self.entries.iter().filter(is_relevant).map(|entry| entry.host.as_str()).collect();
        // The library's `*` holds for names only.
        if hosts.contains(&"*") {
            return true;
        }
        let target = format!("http://{}/", host.trim_end_matches('.')).parse();
        // Whatever is not intercepted by a proxy for everything is an exception.
        let matcher = Matcher::builder().all("http://proxy.invalid").no(hosts.join(",")).build();
        target.is_ok_and(|target| matcher.intercept(&target).is_none())
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            // An IPv6 address without brackets has no port.
            None if text.parse::<IpAddr>().is_ok() || text.contains('/') => (text, None),
            None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let host = host.trim_end_matches('.');
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        Self { host: host.to_owned(), port: port.and_then(|port| port.parse().ok()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_as_in_go_and_curl() {
        let cases: [(&str, &[&str], &[&str]); 13] = [
            ("", &[], &["http://h.example/"]),
            ("*", &["http://h.example/", "https://10.0.0.1/", "http://[2001:db8::1]/"], &[]),
            ("h.example", &["https://h.example/", "https://a.H.example:8443/"], &["https://oh.example/"]),
            (".h.example", &["https://a.h.example/"], &["https://oh.example/"]),
            ("*.h.example", &["https://a.b.h.example/"], &["https://oh.example/"]),
            ("h.example.", &["https://h.example/", "https://h.example./"], &[]),
            ("h.example:8443", &["https://h.example:8443/"], &["https://h.example/", "http://h.example:80/"]),
            ("h.example:443", &["https://h.example/", "https://a.h.example/"], &["http://h.example/"]),
            ("10.0.0.0/8", &["http://10.1.2.3:8200/"], &["http://11.1.2.3/"]),
            ("10.1.2.3:8200", &["http://10.1.2.3:8200/"], &["http://10.1.2.3/"]),
            ("2001:db8::/32", &["http://[2001:db8::1]:8200/"], &["http://[2001:db9::1]/"]),
            ("[2001:db8::1]:8200", &["http://[2001:db8::1]:8200/"], &["http://[2001:db8::1]/"]),
            (
                "a.example, [::2],2001:db8::1\tb.example",
                &["http://[2001:db8::1]/", "http://b.example/"],
                &["http://c.example"],
            ),
        ];
        for (list, direct, proxied) in cases {
            let no_proxy = NoProxy::parse(list);
            for (urls, want) in [(direct, true), (proxied, false)] {
                for url in urls {
                    assert_eq!(no_proxy.matches(&Url::parse(url).unwrap()), want, "{list} {url}");
                }
            }
        }
    }
}
