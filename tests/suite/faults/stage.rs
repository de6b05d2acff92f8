//! Everything that one exporter is put under at once: servers, proxies, and the sources at them.

use std::sync::Arc;
use std::time::Duration;

use super::certificates::Authority;
use super::door::{Door, Speaks};
use super::fault::{At, Expected, Fault};
use super::names::Names;
use super::provider::{CREDENTIAL, Provider};
use super::proxy::{Failing, Proxy};
use super::subject::{Subject, Switch, config};
use super::trap::Trap;

/// For how long a collection may take, where a fault is not about that.
pub(super) const TIMEOUT: &str = ", timeout: 30s";

/// For faults that only the time limit ends.
pub(super) const BRIEF: &str = ", timeout: 4s";

/// The servers of a run, and the sources at them.
pub(super) struct Stage {
    /// Where the configuration is, and what it names.
    pub(super) dir: tempfile::TempDir,
    pub(super) authority: Authority,
    pub(super) trap: Trap,
    pub(super) names: Arc<Names>,
    pub(super) subjects: Vec<Subject>,
    doors: Vec<Arc<Door>>,
    proxies: Vec<(Arc<Proxy>, Speaks)>,
    /// Doors that say when to come again, and how soon nobody may come.
    patience: Vec<(Arc<Door>, Duration)>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            authority: Authority::new(),
            trap: Trap::set().await,
            names: Arc::default(),
            subjects: Vec::new(),
            doors: Vec::new(),
            proxies: Vec::new(),
            patience: Vec::new(),
        }
    }

    /// A source at a server of its own.
    pub(super) fn source(
        &mut self,
        row: &'static str,
        what: (Fault, At, Speaks),
        expected: Expected,
        provider: Provider,
        further: &str,
    ) -> &mut Subject {
        self.switched(row, what, expected, provider, further, |door| door)
    }

    /// The same, where something else than the server is made faulty.
    pub(super) fn switched(
        &mut self,
        row: &'static str,
        what: (Fault, At, Speaks),
        expected: Expected,
        provider: Provider,
        further: &str,
        switch: impl FnOnce(Arc<Door>) -> Arc<dyn Switch>,
    ) -> &mut Subject {
        let (fault, at, speaks) = what;
        let users = if at == At::OneUser { 995 } else { 2 };
        let door = Door::open(provider, users, (fault, at), speaks, &self.authority);
        let name = format!("{:03}-{}", self.subjects.len(), provider.name());
        let config = config(&name, &door, &door.origin, further);
        self.doors.push(Arc::clone(&door));
        let subject = Subject::new(row, name, config, expected, provider.tokens(users), switch(door));
        self.subjects.push(subject);
        self.subjects.last_mut().unwrap()
    }

    /// A fault of the connection, at every provider.
    pub(super) fn line(&mut self, row: &'static str, fault: &Fault, speaks: Speaks, reason: &'static str, time: &str) {
        for provider in Provider::ALL {
            self.source(row, (fault.clone(), At::All, speaks), Expected::Down(reason), provider, time);
        }
    }

    /// A fault of an answer: of all that tell tokens, and of the second page alone.
    pub(super) fn answer(&mut self, row: &'static str, fault: &Fault, reason: &'static str, time: &str) {
        for (provider, at) in
            [(Provider::Gitlab, At::Tokens), (Provider::Atlassian, At::Further), (Provider::Bitbucket, At::Tokens)]
        {
            self.source(row, (fault.clone(), at, Speaks::Http), Expected::Down(reason), provider, time);
        }
    }

    /// A provider that says when to come again. Nobody may come sooner than `least` after another.
    pub(super) fn limit(&mut self, row: &'static str, fault: &Fault, least: Duration) {
        for provider in [Provider::Gitlab, Provider::Atlassian] {
            let what = (fault.clone(), At::Tokens, Speaks::Http);
            self.source(row, what, Expected::Down("rate_limited"), provider, TIMEOUT);
            self.patience.push((Arc::clone(self.doors.last().unwrap()), least));
        }
    }

    /// A source behind a proxy, over HTTP and over HTTPS.
    pub(super) fn proxy(&mut self, row: &'static str, failing: Failing, expected: [Expected; 2]) {
        for (speaks, expected) in [Speaks::Http, Speaks::Https].into_iter().zip(expected) {
            let proxy = Proxy::start(failing);
            let further = format!(", proxy: 'http://{}'{TIMEOUT}", proxy.address);
            let what = (Fault::Silent, At::All, speaks);
            let subject = self.source(row, what, expected, Provider::Gitlab, &further);
            subject.switch = Arc::<Proxy>::clone(&proxy);
            self.proxies.push((proxy, speaks));
        }
    }

    /// A source whose host's name is not known while it is faulty.
    pub(super) fn unknown_name(&mut self, row: &'static str) {
        for provider in Provider::ALL {
            let names = Arc::clone(&self.names);
            let subject =
                self.source(row, (Fault::Silent, At::All, Speaks::Http), Expected::Down("connect"), provider, TIMEOUT);
            subject.switch = Arc::new(names.of(&subject.name));
        }
    }

    /// The configuration of all sources.
    pub(super) fn config(&self) -> String {
        let sources: String = self.subjects.iter().map(|subject| format!("  - {}\n", subject.config)).collect();
        format!("interval: 2s\nsources:\n{sources}")
    }

    /// What came to light beside the sources: credentials astray, and providers that were not left alone.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.subjects.iter().filter_map(Subject::complaint).collect();
        complaints.extend(self.trap.caught().iter().map(|caught| format!("another origin was asked: {caught}")));
        for door in &self.doors {
            let strangers = door.strangers();
            complaints.extend(strangers.iter().map(|head| format!("{}: no credential in {head}", door.origin)));
        }
        for (door, least) in self.patience.iter().filter(|(door, _)| door.struck() > 0) {
            let pause = door.least_pause();
            if pause.is_none_or(|pause| pause < *least) {
                complaints.push(format!("{}: asked again after {pause:?}, told to wait {least:?}", door.origin));
            }
        }
        for (proxy, _) in self.proxies.iter().filter(|(proxy, speaks)| *speaks == Speaks::Https && proxy.struck() > 0) {
            if proxy.has_seen(CREDENTIAL) {
                complaints.push(format!("a proxy at {} saw the credential", proxy.address));
            }
        }
        complaints
    }
}
