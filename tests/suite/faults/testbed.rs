//! The servers, proxies and sources that one exporter is tested with at once.

use std::sync::Arc;
use std::time::Duration;

use super::certificates::TestCa;
use super::fault::{Expected, Fault, Requests};
use super::foreign_origin::ForeignOrigin;
use super::host_names::HostNames;
use super::provider::{CREDENTIAL, Provider};
use super::proxy::{Proxy, ProxyFault};
use super::server::{FaultyServer, Protocol};
use super::source::{FaultSwitch, SourceUnderTest, config};

/// The timeout of a collection, if the fault is not about that.
pub(super) const TIMEOUT: &str = ", timeout: 30s";

/// For faults that only the timeout ends.
pub(super) const SHORT_TIMEOUT: &str = ", timeout: 4s";

pub(super) struct Testbed {
    /// The directory of the configuration and the files that it names.
    pub(super) dir: tempfile::TempDir,
    pub(super) ca: TestCa,
    pub(super) foreign_origin: ForeignOrigin,
    pub(super) host_names: Arc<HostNames>,
    pub(super) sources: Vec<SourceUnderTest>,
    servers: Vec<Arc<FaultyServer>>,
    proxies: Vec<(Arc<Proxy>, Protocol)>,
    /// Servers that set a time to wait, and the minimum interval of requests.
    rate_limited: Vec<(Arc<FaultyServer>, Duration)>,
}

impl Testbed {
    pub(super) async fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            ca: TestCa::new(),
            foreign_origin: ForeignOrigin::start().await,
            host_names: Arc::default(),
            sources: Vec::new(),
            servers: Vec::new(),
            proxies: Vec::new(),
            rate_limited: Vec::new(),
        }
    }

    /// A source at a server of its own.
    pub(super) fn source(
        &mut self,
        row: &'static str,
        fault: (Fault, Requests, Protocol),
        expected: Expected,
        provider: Provider,
        extra: &str,
    ) -> &mut SourceUnderTest {
        self.source_with_switch(row, fault, expected, provider, extra, |server| server)
    }

    /// A source with a fault outside its server.
    pub(super) fn source_with_switch(
        &mut self,
        row: &'static str,
        fault: (Fault, Requests, Protocol),
        expected: Expected,
        provider: Provider,
        extra: &str,
        switch: impl FnOnce(Arc<FaultyServer>) -> Arc<dyn FaultSwitch>,
    ) -> &mut SourceUnderTest {
        let (fault, affects, protocol) = fault;
        let users = if affects == Requests::OneUser { 995 } else { 2 };
        let server = FaultyServer::start(provider, users, (fault, affects), protocol, &self.ca);
        let name = format!("{:03}-{}", self.sources.len(), provider.name());
        let config = config(&name, &server, &server.origin, extra);
        self.servers.push(Arc::clone(&server));
        let source = SourceUnderTest::new(row, name, config, expected, provider.tokens(users), switch(server));
        self.sources.push(source);
        self.sources.last_mut().unwrap()
    }

    /// A fault of the connection, at every provider.
    pub(super) fn connection_fault(
        &mut self,
        row: &'static str,
        fault: &Fault,
        protocol: Protocol,
        reason: &'static str,
        extra: &str,
    ) {
        for provider in Provider::ALL {
            self.source(row, (fault.clone(), Requests::All, protocol), Expected::Down(reason), provider, extra);
        }
    }

    /// A fault of a response: of every page of tokens, or of the second page only.
    pub(super) fn response_fault(&mut self, row: &'static str, fault: &Fault, reason: &'static str, extra: &str) {
        for (provider, affects) in [
            (Provider::Gitlab, Requests::Tokens),
            (Provider::Atlassian, Requests::NextPages),
            (Provider::Bitbucket, Requests::Tokens),
        ] {
            self.source(row, (fault.clone(), affects, Protocol::Http), Expected::Down(reason), provider, extra);
        }
    }

    /// A provider that sets a time to wait: requests must be at least `interval` apart.
    pub(super) fn rate_limit(&mut self, row: &'static str, fault: &Fault, interval: Duration) {
        for provider in [Provider::Gitlab, Provider::Atlassian] {
            let fault = (fault.clone(), Requests::Tokens, Protocol::Http);
            self.source(row, fault, Expected::Down("rate_limited"), provider, TIMEOUT);
            self.rate_limited.push((Arc::clone(self.servers.last().unwrap()), interval));
        }
    }

    /// A source behind a proxy, over HTTP and over HTTPS.
    pub(super) fn proxy(&mut self, row: &'static str, fault: ProxyFault, expected: [Expected; 2]) {
        for (protocol, expected) in [Protocol::Http, Protocol::Https].into_iter().zip(expected) {
            let proxy = Proxy::start(fault);
            let extra = format!(", proxy: 'http://{}'{TIMEOUT}", proxy.address);
            let no_fault = (Fault::Silent, Requests::All, protocol);
            let source = self.source(row, no_fault, expected, Provider::Gitlab, &extra);
            source.switch = Arc::<Proxy>::clone(&proxy);
            self.proxies.push((proxy, protocol));
        }
    }

    /// A source whose host name does not resolve during the fault.
    pub(super) fn unknown_name(&mut self, row: &'static str) {
        for provider in Provider::ALL {
            let host_names = Arc::clone(&self.host_names);
            let source = self.source(
                row,
                (Fault::Silent, Requests::All, Protocol::Http),
                Expected::Down("connect"),
                provider,
                TIMEOUT,
            );
            source.switch = Arc::new(host_names.switch(&source.name));
        }
    }

    /// The configuration of all sources.
    pub(super) fn config(&self) -> String {
        let sources: String = self.sources.iter().map(|source| format!("  - {}\n", source.config)).collect();
        format!("interval: 2s\nsources:\n{sources}")
    }

    /// The problems of all sources, and of credentials, foreign origins and rate limits.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.sources.iter().filter_map(SourceUnderTest::problem).collect();
        problems.extend(
            self.foreign_origin.received().iter().map(|request| format!("request to a foreign origin: {request}")),
        );
        for server in &self.servers {
            let unauthenticated = server.unauthenticated();
            problems.extend(
                unauthenticated.iter().map(|head| format!("{}: request without the credential: {head}", server.origin)),
            );
        }
        for (server, interval) in self.rate_limited.iter().filter(|(server, _)| server.hits() > 0) {
            let shortest = server.min_interval();
            if shortest.is_none_or(|shortest| shortest < *interval) {
                problems.push(format!("{}: next request after {shortest:?} instead of {interval:?}", server.origin));
            }
        }
        for (proxy, _) in
            self.proxies.iter().filter(|(proxy, protocol)| *protocol == Protocol::Https && proxy.hits() > 0)
        {
            if proxy.has_received(CREDENTIAL) {
                problems.push(format!("proxy {}: received the credential", proxy.address));
            }
        }
        problems
    }
}
