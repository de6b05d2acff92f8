//! What is valid in a configuration but probably wrong; `check` prints it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::TimeDelta;
use regex::Regex;
use url::{Host, Url};

use crate::config::{Config, SourceConfig};
use crate::core::inventory::Policy;
use crate::core::owners::TEAM_LABEL;
use crate::providers::Catalogue;
use crate::providers::provider_info::{ProviderInfo, SettingType};
use crate::schema::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::schema::yaml::{Kind, Node};

/// The warnings, in the order of the file. `policies` are those of the sources of this shard.
pub(super) fn find(catalogue: &Catalogue, config: &Config, policies: &BTreeMap<String, Policy>) -> Vec<Diagnostic> {
    let mut warnings = config.credential_hints();
    for source in &config.sources {
        let Some(policy) = policies.get(&source.name.0) else { continue };
        warnings.extend(timeout(config, source, policy));
        let Some(info) = catalogue.get(&source.provider.0).filter(|info| !info.native) else { continue };
        let mut warn = |at: Span, key: &str, problem: &str| {
            warnings.push(config.text.error(at, format!("sources.{}.{key}: {problem}", source.name.0)));
        };
        for (key, node) in &source.settings {
            for (at, text) in texts(node) {
                if let Some(problem) = placeholder(text) {
                    warn(at, &key.name, &problem);
                }
            }
        }
        for (at, key, url) in urls(source, info) {
            if let Some(problem) = plain_http(source, &url) {
                warn(at, key, &problem);
            }
        }
        // Its `when` is false: without this warning it looks like a listing without tokens.
        for (name, at) in source.listings.iter().flatten().filter(|(name, _)| !policy.listings.contains(name)) {
            let problem = format!("`{name}` never runs with these settings; change them or remove it");
            warn(*at, "listings", &problem);
        }
    }
    warnings.extend(unknown_kinds(catalogue, config, policies));
    warnings.extend(contradictions(catalogue, config));
    warnings.extend(unmatched(catalogue, config, policies));
    warnings.sort_by_key(Diagnostic::line_number);
    warnings
}

/// A timeout that is written and longer than the interval.
fn timeout(config: &Config, source: &SourceConfig, policy: &Policy) -> Option<Diagnostic> {
    let at = source.timeout_at?;
    let timeout = TimeDelta::from_std(source.shared.timeout).ok()?;
    let name = &source.name.0;
    (timeout > policy.interval).then(|| {
        let (timeout, interval) = (timeout.num_seconds(), policy.interval.num_seconds());
        let message = format!("sources.{name}: `timeout` ({timeout} s) exceeds `interval` ({interval} s); a collection may outlast its interval");
        config.text.error(at, message)
    })
}

/// All strings in a value.
fn texts(node: &Node) -> Vec<(Span, &str)> {
    match &node.kind {
        Kind::Text(text) => vec![(node.at, text)],
        Kind::List(list) => list.iter().flat_map(texts).collect(),
        Kind::Map(entries) => entries.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

/// Why a value looks as if it was copied from a documentation.
fn placeholder(text: &str) -> Option<String> {
    const MARKS: &str = r"(?ix)
        … | \.\.\. | ^< .* >$ | 1a2b3c4d | ^0{8}-(0{4}-){3}0{12}$ | ^12345678-1234-
        | \b change[-_]?me \b | \b replace[-_]?me \b | \b your[-_] | x{4} | \b todo \b | \b placeholder \b";
    let is_example = || {
        let url = Url::parse(text).ok()?;
        let host = url.host_str()?.to_owned();
        let is_reserved = ["example.com", "example.net", "example.org", "example"]
            .iter()
            .any(|name| host == *name || host.ends_with(&format!(".{name}")));
        is_reserved.then_some(host)
    };
    if Regex::new(MARKS).is_ok_and(|marks| marks.is_match(text)) {
        return Some("looks like a placeholder; set the real value".to_owned());
    }
    is_example().map(|host| format!("`{host}` is reserved for documentation; set the real address"))
}

/// The URLs of a source, written or by default, with their positions and keys.
fn urls<'a>(source: &'a SourceConfig, info: &'a ProviderInfo) -> impl Iterator<Item = (Span, &'a str, Url)> {
    let settings = info.settings.iter().filter(|setting| setting.setting_type == SettingType::Url);
    settings.filter_map(|setting| {
        let written = source.settings.iter().find(|(key, _)| key.name == setting.name);
        let written = written.and_then(|(_, node)| Some((node.at, node.as_text()?)));
        let read = source.kubeconfig.as_ref().and_then(|(at, server)| Some((*at, &*server.as_ref()?.url)));
        let (at, text) = match written.or(read.filter(|_| setting.name == "url")) {
            Some(found) => found,
            None => (source.at, setting.default.as_ref()?.as_str()?),
        };
        Some((at, setting.name.as_str(), Url::parse(text).ok()?))
    })
}

/// Why a credential is sent to another machine without encryption.
fn plain_http(source: &SourceConfig, url: &Url) -> Option<String> {
    let is_local = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::from(address).to_canonical().is_loopback(),
    };
    let sent = match (source.credentials.parts().is_empty(), source.headers.secret.parts().is_empty()) {
        (false, _) => "the credential",
        (true, false) => "the secret headers",
        (true, true) => return None,
    };
    (url.scheme() == "http" && !is_local)
        .then(|| format!("plain http sends {sent} unencrypted to `{}`; use https", url.host_str().unwrap_or_default()))
}

/// The sources that a rule can match, by its `match.source` and `match.provider`.
fn matched<'a>(catalogue: &'a Catalogue, config: &'a Config, rule: usize) -> impl Iterator<Item = &'a SourceConfig> {
    let matches = config.rules.get(rule).map(|rule| &rule.matches);
    config.sources.iter().filter(move |source| {
        let provider = catalogue.get(&source.provider.0).map_or(&*source.provider.0, |info| &info.name);
        matches.is_some_and(|matches| {
            (matches.source.is_empty() || matches.source.contains(&source.name.0))
                && (matches.provider.is_empty() || matches.provider.iter().any(|name| name == provider))
        })
    })
}

/// Rules whose `match.source` and `match.provider` exclude each other.
fn contradictions(catalogue: &Catalogue, config: &Config) -> Vec<Diagnostic> {
    let unmatched = (0..config.rules.len()).filter(|rule| matched(catalogue, config, *rule).next().is_none());
    let message = |rule| format!("rules[{rule}].match: never matches: no source has this name and this provider");
    unmatched.map(|rule| config.text.error(config.rule_at(rule), message(rule))).collect()
}

/// Rules whose `match.labels` names a label that no token can have, or whose `match.expiry` waits for a rotation that no source
/// or earlier rule requires.
fn unmatched(catalogue: &Catalogue, config: &Config, policies: &BTreeMap<String, Policy>) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for (number, rule) in config.rules.iter().enumerate() {
        let earlier = &config.rules[..number];
        let mut warn = |key: &str, why: String| {
            warnings.push(config.text.error(config.rule_at(number), format!("rules[{number}].match.{key}: {why}")));
        };
        let expiry = &rule.matches.expiry;
        let is_rotated = config.sources.iter().any(|source| source.rotate_after.is_some());
        let is_rotated = is_rotated || earlier.iter().any(|rule| rule.rotate_after.is_some());
        if matches!(&expiry[..], [only] if only == "policy") && !is_rotated {
            warn("expiry", "never matches: no source or earlier rule sets `rotate_after`".to_owned());
        }
        let sources = matched(catalogue, config, number);
        let labels: Option<Vec<_>> =
            sources.map(|source| labels(catalogue, source, policies.get(&source.name.0)?)).collect();
        let Some(mut labels) = labels.map(|labels| labels.concat()) else { continue };
        labels.extend(config.sets_team().then(|| TEAM_LABEL.to_owned()));
        for name in rule.matches.labels.keys() {
            if !labels.contains(name) && earlier.iter().all(|rule| !rule.labels.contains_key(name)) {
                let hint = did_you_mean(name, labels.iter().map(String::as_str));
                warn("labels", format!("never matches: no source or earlier rule sets the label `{name}`{hint}"));
            }
        }
    }
    warnings
}

/// The names of all labels that the tokens of a source can have; `None` if unknown.
fn labels(catalogue: &Catalogue, source: &SourceConfig, policy: &Policy) -> Option<Vec<String>> {
    let info = catalogue.get(&source.provider.0).filter(|info| !info.native)?;
    let run = info.listings.iter().filter(|listing| policy.listings.contains(&listing.name));
    run.map(|listing| listing.labels.clone()).collect::<Option<Vec<_>>>().map(|labels| labels.concat())
}

/// Kinds in rules that no token can have.
fn unknown_kinds(catalogue: &Catalogue, config: &Config, policies: &BTreeMap<String, Policy>) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for named in config.rule_kinds() {
        let sources = matched(catalogue, config, named.rule);
        let kinds: Vec<_> = sources.map(|source| kinds(catalogue, source, policies.get(&source.name.0)?)).collect();
        let all_known = kinds.iter().all(Option::is_some) && !kinds.is_empty();
        let kinds: Vec<String> = kinds.into_iter().flatten().flatten().collect();
        let hint = did_you_mean(&named.name, kinds.iter().map(String::as_str).filter(|kind| !kind.contains('*')));
        // A kind that only resembles a known one is a typing error, even if a source can have any kind.
        if !kinds.iter().any(|kind| is_like(&named.name, kind)) && (all_known || !hint.is_empty()) {
            let message =
                format!("rules[{}].match.kind: no source has tokens of the kind `{}`{hint}", named.rule, named.name);
            warnings.push(config.text.error(named.at, message));
        }
    }
    warnings
}

/// Every kind that the tokens of a source can have; `None` if unknown.
fn kinds(catalogue: &Catalogue, source: &SourceConfig, policy: &Policy) -> Option<Vec<String>> {
    let info = catalogue.get(&source.provider.0)?;
    if info.name == "manual" {
        return manual_kinds(source, info);
    }
    let run = info.listings.iter().filter(|listing| policy.listings.contains(&listing.name));
    run.map(|listing| listing.kinds.clone()).collect::<Option<Vec<_>>>().map(|kinds| kinds.concat())
}

/// The kinds of manual entries in the configuration; `None` if there are entries in a file.
fn manual_kinds(source: &SourceConfig, info: &ProviderInfo) -> Option<Vec<String>> {
    let setting = |name: &str| source.settings.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    if setting("file").is_some() {
        return None;
    }
    let default = &info.listings.first()?.kind;
    let entries = setting("tokens").map(Node::elements).unwrap_or_default();
    let kind = |entry: &Node| entry.get("kind").and_then(Node::as_text).unwrap_or(default).to_owned();
    Some(entries.iter().map(kind).collect())
}

/// Whether a kind is one that a listing can have, in which `*` is any text.
fn is_like(name: &str, kind: &str) -> bool {
    match kind.split_once('*') {
        None => name == kind,
        Some((start, end)) => {
            let end = end.rsplit('*').next().unwrap_or_default();
            name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::schema::diagnostic::SourceText;

    #[test]
    fn texts_are_found_in_values_of_every_kind() {
        let content = "{a: 1, b: [x, null, {c: true, d: y}], e: z, f: 1.5}";
        let node = crate::schema::yaml::parse(&SourceText::new("c.yaml", content)).unwrap();
        assert_eq!(texts(&node).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["x", "y", "z"]);
    }

    #[test]
    fn placeholder_recognizes_values_of_documentation() {
        for text in [
            "1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
            "1a2b3c4d-…",
            "…",
            "abc...",
            "<organization>",
            "CHANGE_ME",
            "changeme",
            "your-org",
            "xxxxxxxx",
            "https://gitlab.example.com",
            "https://api.example.org/v1",
            "https://vault.example",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(placeholder(text).is_some(), "{text}");
        }
        for text in [
            "acme",
            "https://gitlab.acme.com",
            "https://example.com.acme.net",
            "9f86d081-884c-4d63-a5b2-0c1d2e3f4a5b",
            "a.b",
            "exchange-member",
            "https://myexample.com",
        ] {
            assert_eq!(placeholder(text), None, "{text}");
        }
    }

    #[test]
    fn is_like_compares_with_wildcards() {
        for (name, kind, expected) in [
            ("a", "a", true),
            ("b", "a", false),
            ("project-access-token", "*-access-token", true),
            ("project-token", "*-access-token", false),
            ("x", "*", true),
        ] {
            assert_eq!(is_like(name, kind), expected, "{name} {kind}");
        }
    }
}
