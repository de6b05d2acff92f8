//! A fleet in one thread: replicas with clocks of their own over a store that decides conditional puts, and everything that may go
//! wrong between them. Each tick of half a second: puts take effect, responses arrive, replicas act.
//!
//! The world checks what must hold at every put: one winner per revision, and no data goes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::core::schedule::version::Version;
use crate::core::schedule::{Action, Claim, Completed, Content, Finish, Plan, Put, Schedule, Sighted, Times, Turn};

pub(super) const TICK: Duration = Duration::from_millis(500);
/// How long a request to a store takes that does not respond.
const TIMEOUT: Duration = Duration::from_secs(8);
pub(super) const INTERVAL: Duration = Duration::from_secs(120);

/// What happens to whom. `at` is in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) replica: usize,
    pub(super) fault: Fault,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Kill,
    /// Ends within its grace period: claims are released, the member is deleted.
    Stop,
    Start,
    /// SIGSTOP for some seconds.
    Pause(u64),
    /// The store does not respond to this replica.
    CutOff(u64),
    /// The store does not respond to any replica.
    Outage(u64),
    /// All objects are deleted.
    Empty,
}

/// A request for the tokens of a source.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) source: String,
    pub(super) replica: usize,
    pub(super) at: Duration,
    pub(super) is_claimed: bool,
}

/// The state of a source in the store. The time of the request stands for the tokens.
#[derive(Clone, Debug)]
struct Object {
    etag: u64,
    turn: Turn,
    data: Duration,
    modified: Duration,
}

#[derive(Clone, Debug)]
enum PutResult {
    Done(Version),
    Refused(Option<(Turn, Version)>),
    Unknown,
}

/// Members and sources; `None`: the store does not respond.
type Listing = Option<[Vec<Sighted>; 2]>;

/// A request to the store that has not ended.
struct InFlight {
    replica: usize,
    /// The collection that awaits the response.
    collection: u64,
    source: String,
    kind: Kind,
    effect_at: Option<Duration>,
    respond_at: Duration,
    is_response_lost: bool,
    result: PutResult,
}

#[derive(Clone)]
enum Kind {
    /// A put of the state, and the data that it names.
    Put { put: Put, data: Duration },
    /// A read of the state.
    Get(Option<Object>),
}

/// A collection of one replica.
struct Collection {
    number: u64,
    claim: Option<Claim>,
    over: Option<Turn>,
    step: Step,
    data: Duration,
}

#[derive(Clone, PartialEq)]
enum Step {
    Claiming(Turn, Duration),
    Running { until: Duration, renewal: Option<(Turn, Duration)> },
    Putting(Turn),
    Publishing(Turn),
}

pub(super) struct Replica {
    name: String,
    pub(super) schedule: Schedule,
    /// What its clock shows at the start of the world.
    offset: Duration,
    next_look: Duration,
    /// A look that was sent: when it began, when it responds, and what it lists.
    look: Option<(Duration, Duration, Listing)>,
    collections: BTreeMap<String, Collection>,
    /// The data that it serves.
    pub(super) serves: BTreeMap<String, Duration>,
    paused_until: Duration,
    cut_off_until: Duration,
    is_alive: bool,
    /// When its grace period ends.
    stop_at: Option<Duration>,
}

pub(super) struct World {
    pub(super) now: Duration,
    times: Times,
    sources: Vec<String>,
    store: BTreeMap<String, Object>,
    members: BTreeMap<String, (u64, Duration)>,
    pub(super) replicas: Vec<Replica>,
    in_flight: Vec<InFlight>,
    down_until: Duration,
    /// One in this many responses to puts is lost; 0: none.
    pub(super) lossy: u64,
    pub(super) requests: Vec<Request>,
    winners: BTreeSet<(String, u64)>,
    pub(super) longest: u64,
    /// Responses of the store take less than this many ticks; a put has two latencies.
    pub(super) latency: u64,
    random: u64,
    etags: u64,
    collections: u64,
}

impl World {
    pub(super) fn new(replicas: usize, sources: usize, seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            times: Times::default(),
            sources: (0..sources).map(|number| format!("source-{number}")).collect(),
            store: BTreeMap::new(),
            members: BTreeMap::new(),
            replicas: Vec::new(),
            in_flight: Vec::new(),
            down_until: Duration::ZERO,
            lossy: 0,
            requests: Vec::new(),
            winners: BTreeSet::new(),
            longest: 10,
            latency: 3,
            random: seed,
            etags: 0,
            collections: 0,
        };
        (0..replicas).for_each(|_| world.start());
        world
    }

    fn start(&mut self) {
        let number = self.replicas.len();
        let name = format!("replica-{number}-{}", self.random());
        let mut schedule = Schedule::shared(name.clone(), self.times);
        let offset = Duration::from_secs(self.random() % 10_000);
        let plan = |source: &String| Plan { name: source.clone(), interval: INTERVAL, fingerprint: "f".to_owned() };
        let now = self.now + offset;
        let spread = Duration::from_millis(self.random() % 5_000);
        schedule.configure(self.sources.iter().map(plan).collect(), now, |_| spread);
        self.replicas.push(Replica {
            name,
            schedule,
            offset,
            next_look: self.now,
            look: None,
            collections: BTreeMap::new(),
            serves: BTreeMap::new(),
            paused_until: Duration::ZERO,
            cut_off_until: Duration::ZERO,
            is_alive: true,
            stop_at: None,
        });
    }

    /// Runs until this time, in seconds, with what happens until then.
    pub(super) fn run(&mut self, until: u64, events: &[Event]) {
        while self.now < Duration::from_secs(until) {
            for event in events {
                if Duration::from_secs(event.at) == self.now {
                    self.happen(*event);
                }
            }
            self.take_effect();
            self.respond();
            for number in 0..self.replicas.len() {
                let replica = &self.replicas[number];
                if replica.is_alive && replica.paused_until <= self.now {
                    self.look(number);
                    self.act(number);
                    self.collect(number);
                    self.end(number);
                }
            }
            self.now += TICK;
        }
    }

    fn happen(&mut self, Event { replica, fault, .. }: Event) {
        let number = replica % self.replicas.len();
        let end = |seconds| self.now + Duration::from_secs(seconds);
        match fault {
            Fault::Kill => self.replicas[number].is_alive = false,
            Fault::Stop => self.stop(number),
            Fault::Start => self.start(),
            Fault::Pause(seconds) => self.replicas[number].paused_until = end(seconds),
            Fault::CutOff(seconds) => self.replicas[number].cut_off_until = end(seconds),
            Fault::Outage(seconds) => self.down_until = end(seconds),
            Fault::Empty => {
                self.store.clear();
                self.members.clear();
                self.winners.clear();
            }
        }
    }

    /// The begin of a graceful stop.
    fn stop(&mut self, number: usize) {
        let replica = &mut self.replicas[number];
        replica.schedule.stop();
        replica.stop_at.get_or_insert(self.now + Duration::from_secs(10));
        let name = replica.name.clone();
        self.members.remove(&name);
    }

    /// The end of a graceful stop: collections that are running are released, puts are waited for.
    fn end(&mut self, number: usize) {
        let Some(stop_at) = self.replicas[number].stop_at else { return };
        let sources: Vec<String> = self.replicas[number].collections.keys().cloned().collect();
        let is_over = stop_at <= self.now;
        for source in sources.iter().filter(|_| is_over) {
            let nonce = self.random();
            let replica = &mut self.replicas[number];
            let collection = &replica.collections[source];
            if let (Some(claim), Step::Running { renewal: None, .. }) = (&collection.claim, &collection.step) {
                let put = Put { over: Some(claim.version().clone()), turn: claim.release(nonce) };
                let data = replica.serves.get(source).copied().unwrap_or_default();
                replica.collections.remove(source);
                self.apply(source, &put, data);
            }
        }
        self.replicas[number].is_alive = !self.replicas[number].collections.is_empty();
    }

    fn random(&mut self) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn is_reachable(&self, number: usize) -> bool {
        self.down_until <= self.now && self.replicas[number].cut_off_until <= self.now
    }

    /// Sends a request to the store. While it does not respond, a put may still arrive, later.
    fn send(&mut self, number: usize, source: &str, kind: Kind) {
        let collection = self.replicas[number].collections.get(source).map_or(0, |collection| collection.number);
        let latency = TICK * u32::try_from(self.random() % self.latency).unwrap();
        let is_reachable = self.is_reachable(number);
        let is_response_lost = !is_reachable || self.lossy > 0 && self.random().is_multiple_of(self.lossy);
        let is_late = self.random().is_multiple_of(4);
        let effect_at = match is_reachable {
            true => Some(self.now + latency),
            false => is_late.then(|| self.down_until.max(self.now) + 4 * latency),
        };
        let respond_at = self.now + if is_reachable { 2 * latency } else { TIMEOUT };
        let (source, result) = (source.to_owned(), PutResult::Unknown);
        self.in_flight.push(InFlight {
            replica: number,
            collection,
            source,
            kind,
            effect_at,
            respond_at,
            is_response_lost,
            result,
        });
    }

    fn take_effect(&mut self) {
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for request in &mut in_flight {
            if request.effect_at.is_some_and(|at| at <= self.now) {
                request.effect_at = None;
                match &mut request.kind {
                    Kind::Put { put, data } => request.result = self.apply(&request.source, put, *data),
                    Kind::Get(object) => *object = self.store.get(&request.source).cloned(),
                }
            }
        }
        // A request whose response nobody awaits any more may still take effect.
        self.in_flight.extend(in_flight);
    }

    /// One conditional put, decided by the store.
    fn apply(&mut self, source: &str, put: &Put, data: Duration) -> PutResult {
        let version = |etag: u64| Version { etag: etag.to_string(), generation: None };
        let known = self.store.get(source);
        if known.map(|object| version(object.etag)) != put.over {
            return PutResult::Refused(known.map(|object| (object.turn.clone(), version(object.etag))));
        }
        if let Some(object) = known {
            assert!(put.turn.revision > object.turn.revision, "revision goes back: {put:?} over {object:?}");
            assert!(data >= object.data, "data goes back: {data:?} {put:?} over {object:?}");
        }
        let is_first = self.winners.insert((source.to_owned(), put.turn.revision));
        assert!(is_first, "two winners of a revision: {put:?}");
        self.etags += 1;
        let object = Object { etag: self.etags, turn: put.turn.clone(), data, modified: self.now };
        self.store.insert(source.to_owned(), object);
        PutResult::Done(version(self.etags))
    }

    fn respond(&mut self) {
        let now = self.now;
        let mut in_flight = Vec::new();
        for mut request in std::mem::take(&mut self.in_flight) {
            let replica = &self.replicas[request.replica];
            if request.respond_at > now || replica.paused_until > now {
                in_flight.push(request);
                continue;
            }
            if replica.is_alive {
                self.responded(&request);
            }
            if request.effect_at.is_some() {
                request.respond_at = Duration::MAX;
                in_flight.push(request);
            }
        }
        self.in_flight.extend(in_flight);
    }

    fn responded(&mut self, request: &InFlight) {
        let random = self.random();
        let until = self.now + Duration::from_secs(1 + random % self.longest);
        let replica = &mut self.replicas[request.replica];
        let (source, now) = (&request.source, self.now + replica.offset);
        let result = match &request.kind {
            Kind::Get(Some(Object { etag, turn, data, .. })) if !request.is_response_lost => {
                let version = Version { etag: etag.to_string(), generation: None };
                if replica.schedule.read(source, version, Content::Turn(turn.clone()), now) {
                    replica.serves.insert(source.clone(), *data);
                }
                return;
            }
            Kind::Get(_) => return replica.schedule.read_failed(source),
            // The read-back finds half of the lost ones.
            Kind::Put { .. } if request.is_response_lost && random.is_multiple_of(2) => PutResult::Unknown,
            Kind::Put { .. } => request.result.clone(),
        };
        if replica.collections.get(source).map(|collection| collection.number) != Some(request.collection) {
            return;
        }
        let Some(mut collection) = replica.collections.remove(source) else { return };
        let finish = match (collection.step.clone(), result) {
            (Step::Claiming(turn, put_at), PutResult::Done(version)) => {
                collection.claim = Some(Claim::new(turn, version, put_at));
                collection.step = Step::Running { until, renewal: None };
                collection.data = self.now;
                let (source, replica, at) = (source.clone(), request.replica, self.now);
                self.requests.push(Request { source, replica, at, is_claimed: true });
                None
            }
            (Step::Claiming(..), PutResult::Refused(_)) => Some(Finish::ClaimLost),
            (Step::Claiming(..), PutResult::Unknown) => Some(Finish::Stopped),
            (Step::Running { until, renewal }, result) => {
                let (turn, put_at) = renewal.unwrap();
                let is_held = match (result, &mut collection.claim) {
                    (PutResult::Done(version), claim) => {
                        *claim = Some(Claim::new(turn, version, put_at));
                        true
                    }
                    (PutResult::Refused(Some((turn, version))), Some(claim)) => claim.continues_over(&turn, &version),
                    (PutResult::Refused(Some((turn, version))), None) => {
                        replica.schedule.is_own(source, &turn, &version)
                    }
                    (PutResult::Refused(None), _) => false,
                    (PutResult::Unknown, _) => true,
                };
                collection.step = Step::Running { until, renewal: None };
                (!is_held).then_some(Finish::Fenced)
            }
            (Step::Putting(turn) | Step::Publishing(turn), PutResult::Done(version)) => {
                replica.serves.insert(source.clone(), collection.data);
                Some(Finish::Published { turn, version, since: now })
            }
            (Step::Putting(turn), PutResult::Unknown) => {
                replica.serves.insert(source.clone(), collection.data);
                let claim = collection.claim.as_ref().map(|claim| claim.version().clone());
                Some(Finish::Kept { turn, claim, since: now })
            }
            (Step::Publishing(turn), PutResult::Unknown) => {
                let Kind::Put { put, .. } = &request.kind else { unreachable!() };
                Some(Finish::Kept { turn, claim: put.over.clone(), since: now })
            }
            (Step::Putting(turn), PutResult::Refused(Some((other, version))))
                if collection.claim.as_mut().unwrap().continues_over(&other, &version) =>
            {
                // Of an own renewal that arrived late: over it.
                replica.serves.insert(source.clone(), collection.data);
                let revision = other.revision + 1;
                Some(Finish::Kept { turn: Turn { revision, ..turn }, claim: Some(version), since: now })
            }
            (Step::Putting(_) | Step::Publishing(_), PutResult::Refused(_)) => Some(Finish::Fenced),
        };
        let replica = &mut self.replicas[request.replica];
        match finish {
            Some(finish) => replica.schedule.finish(source, finish, now),
            None => drop(replica.collections.insert(source.clone(), collection)),
        }
    }

    /// The look task.
    fn look(&mut self, number: usize) {
        let now = self.now;
        if self.replicas[number].look.is_none() && self.replicas[number].next_look <= now {
            let is_reachable = self.is_reachable(number);
            let name = self.replicas[number].name.clone();
            if is_reachable && self.replicas[number].schedule.is_beat_due(now + self.replicas[number].offset) {
                self.etags += 1;
                self.members.insert(name, (self.etags, now));
                let replica = &mut self.replicas[number];
                replica.schedule.beat(now + replica.offset);
            }
            let sighted = |name: &String, etag: u64, modified: Duration| Sighted {
                name: name.clone(),
                etag: etag.to_string(),
                age: Some(now - modified),
            };
            let members = self.members.iter().map(|(name, &(etag, at))| sighted(name, etag, at)).collect();
            let sources = self.store.iter().map(|(name, object)| sighted(name, object.etag, object.modified)).collect();
            let latency =
                if is_reachable { TICK * u32::try_from(self.random() % self.latency).unwrap() } else { TIMEOUT };
            let listed = is_reachable.then_some([members, sources]);
            self.replicas[number].look = Some((now, now + latency, listed));
        }
        let jitter = (self.random() % 100) as f64 / 100.0;
        let replica = &mut self.replicas[number];
        let Some((started, respond_at, listed)) = replica.look.take() else { return };
        if respond_at > now {
            replica.look = Some((started, respond_at, listed));
            return;
        }
        replica.next_look = now + replica.schedule.look_after(listed.is_none(), jitter);
        let Some([members, sources]) = listed else {
            return replica.schedule.look_failed(started + replica.offset, now + replica.offset);
        };
        let look = replica.schedule.looked(&members, &sources, started + replica.offset);
        for dead in look.dead {
            self.members.remove(&dead);
        }
        for source in look.read {
            self.send(number, &source, Kind::Get(None));
        }
    }

    /// The decide task.
    fn act(&mut self, number: usize) {
        let mut nonces = self.random();
        let replica = &mut self.replicas[number];
        let actions = replica.schedule.next(self.now + replica.offset, || {
            nonces += 1;
            nonces
        });
        for action in actions {
            self.collections += 1;
            match action {
                Action::Publish { source, put } => {
                    let data = self.replicas[number].serves[&source];
                    let step = Step::Publishing(put.turn.clone());
                    let collection = Collection { number: self.collections, claim: None, over: None, step, data };
                    self.replicas[number].collections.insert(source.clone(), collection);
                    self.send(number, &source, Kind::Put { put, data });
                }
                Action::Collect { source, over, claim: Some(put) } => {
                    let data = self.replicas[number].serves.get(&source).copied().unwrap_or_default();
                    let step = Step::Claiming(put.turn.clone(), self.now + self.replicas[number].offset);
                    let collection = Collection { number: self.collections, claim: None, over, step, data };
                    self.replicas[number].collections.insert(source.clone(), collection);
                    self.send(number, &source, Kind::Put { put, data });
                }
                Action::Collect { source, over, claim: None } => {
                    let until = self.now + Duration::from_secs(1 + self.random() % self.longest);
                    let step = Step::Running { until, renewal: None };
                    let collection = Collection { number: self.collections, claim: None, over, step, data: self.now };
                    self.requests.push(Request {
                        source: source.clone(),
                        replica: number,
                        at: self.now,
                        is_claimed: false,
                    });
                    self.replicas[number].collections.insert(source, collection);
                }
            }
        }
    }

    /// The collections: renewals, and their end.
    fn collect(&mut self, number: usize) {
        let (now, ttl) = (self.now + self.replicas[number].offset, self.times.ttl);
        let sources: Vec<String> = self.replicas[number].collections.keys().cloned().collect();
        for source in sources {
            let nonce = self.random();
            let next_in = INTERVAL.mul_f64(0.9 + (self.random() % 21) as f64 / 100.0);
            let replica = &mut self.replicas[number];
            let (is_lost, is_failing) = (replica.schedule.is_lost(), replica.schedule.is_failing());
            let collection = replica.collections.get_mut(&source).unwrap();
            let Step::Running { until, renewal } = &mut collection.step else { continue };
            if collection.claim.as_ref().is_some_and(|claim| claim.is_expired(ttl, now)) && !is_failing {
                replica.collections.remove(&source);
                replica.schedule.finish(&source, Finish::Fenced, now);
                continue;
            }
            if renewal.is_some() {
                continue;
            }
            if self.now < *until {
                let put = match &collection.claim {
                    Some(claim) if claim.renew_at(ttl) <= now => {
                        Some(Put { over: Some(claim.version().clone()), turn: claim.renewal(nonce) })
                    }
                    Some(_) => None,
                    None => replica.schedule.late_claim(&source, now, nonce),
                };
                if let Some(put) = put {
                    *renewal = Some((put.turn.clone(), now));
                    let data = replica.serves.get(&source).copied().unwrap_or_default();
                    self.send(number, &source, Kind::Put { put, data });
                }
                continue;
            }
            let over = collection.claim.as_ref().map(Claim::turn).or(collection.over.as_ref());
            let completed = Completed { next_in, fingerprint: "f".to_owned(), retries: 0, failed_collections: 0 };
            let turn = Turn::completed(over, &replica.name, nonce, completed);
            match collection.claim.as_ref().map(|claim| claim.version().clone()) {
                Some(version) if !is_lost => {
                    collection.step = Step::Putting(turn.clone());
                    let data = collection.data;
                    self.send(number, &source, Kind::Put { put: Put { over: Some(version), turn }, data });
                }
                claim => {
                    replica.serves.insert(source.clone(), collection.data);
                    replica.collections.remove(&source);
                    replica.schedule.finish(&source, Finish::Kept { turn, claim, since: now }, now);
                }
            }
        }
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(|replica| replica.is_alive)
    }

    /// The requests of each source, in order.
    pub(super) fn by_source(&self) -> BTreeMap<&str, Vec<&Request>> {
        let mut by_source = BTreeMap::new();
        for source in &self.sources {
            let of_source = self.requests.iter().filter(|request| request.source == *source);
            by_source.insert(source.as_str(), of_source.collect::<Vec<_>>());
        }
        by_source
    }
}
