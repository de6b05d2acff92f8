//! Looks at the store again and again: reads what other replicas have written, and shows them that this one is alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::super::Shared;
use super::objects::{LIVE, MEMBERS, SOURCES, StateObject, Stored, blobs, member, state_name};
use super::{Fleet, Known};
use crate::core::inventory::{StoredState, StoredTokens};
use crate::core::refusal::Refusal;
use crate::core::schedule::version::Version;
use crate::core::schedule::{Content, Sighted, UNKNOWN_RETENTION};
use crate::storage::file_name::file_name;
use crate::storage::shared::{Listed, StoreError};

/// The maximum time of a read, with the tokens. A slow one holds up only its source.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Unnamed tokens are deleted after this time.
const UNKNOWN_BLOB_RETENTION: Duration = Duration::from_secs(3600);

/// How often unnamed tokens are searched.
const SWEEP_INTERVAL: Duration = Duration::from_hours(24);

/// A state that was read, with what it says about the source.
struct Fetched {
    version: Version,
    content: Content,
    state: Option<StoredState>,
    tokens: Option<StoredTokens>,
    refused_at: Option<DateTime<Utc>>,
}

/// Looks at the store until it is aborted.
pub(in super::super) async fn run(shared: Arc<Shared>) {
    let Some(fleet) = &shared.fleet else { return };
    fleet.status.write().replica.clone_from(&fleet.objects.replica);
    let mut had_failed = false;
    let mut is_checked = false;
    let mut sweep_at = SWEEP_INTERVAL;
    loop {
        let started = shared.now();
        let looked = match is_checked {
            true => fleet.look(&shared).await,
            false => fleet.objects.check().await,
        };
        if !is_checked && looked.is_ok() {
            is_checked = true;
            continue;
        }
        match &looked {
            Ok(()) if had_failed => info!("the shared store is available again"),
            Err(error) if !had_failed => error!("cannot use the shared store: {error}"),
            _ => {}
        }
        had_failed = looked.is_err();
        if had_failed && is_checked {
            shared.schedule.lock().look_failed(started, shared.now());
        }
        fleet.update_status(&shared);
        if shared.now() >= sweep_at && !had_failed {
            sweep_at = shared.now() + SWEEP_INTERVAL;
            fleet.sweep(&shared).await;
        }
        let pause = shared.schedule.lock().look_after(had_failed, (shared.timing.jitter)());
        sleep(pause).await;
    }
}

impl Fleet {
    async fn look(&self, shared: &Arc<Shared>) -> Result<(), StoreError> {
        self.beat(shared).await?;
        let started = shared.now();
        let listed = self.objects.list(LIVE).await?;
        let names: BTreeMap<String, String> =
            shared.jobs.lock().keys().map(|name| (file_name(name), name.clone())).collect();
        let store_time = self.set_clock(shared, &listed);
        let sighted = |prefix: &str, name_of: &dyn Fn(&str) -> String| -> Vec<Sighted> {
            let below = listed.iter().filter_map(|object| Some((object.name.strip_prefix(prefix)?, object)));
            below
                .map(|(name, object)| Sighted {
                    name: name_of(name),
                    etag: object.etag.clone(),
                    age: store_time.and_then(|now| (now - object.last_modified).to_std().ok()),
                })
                .collect()
        };
        let members = sighted(MEMBERS, &str::to_owned);
        // A name of a source that is not configured stays that of its file, which no source has.
        let sources = sighted(SOURCES, &|file| names.get(file).cloned().unwrap_or_else(|| format!("\0{file}")));
        let look = shared.schedule.lock().looked(&members, &sources, started);
        {
            let mut status = self.status.write();
            status.last_seen = Some((shared.timing.clock)());
        }
        shared.wake.notify_one();
        for source in look.read {
            tokio::spawn(read(Arc::clone(shared), source));
        }
        for dead in look.dead {
            drop(self.objects.delete(&member(&dead)).await);
        }
        for abandoned in look.abandoned {
            self.delete_source(abandoned.trim_start_matches('\0')).await;
        }
        self.announce(shared);
        Ok(())
    }

    /// Shows the others that this replica is alive.
    async fn beat(&self, shared: &Shared) -> Result<(), StoreError> {
        let now = shared.now();
        if !shared.schedule.lock().is_beat_due(now) {
            return Ok(());
        }
        let local = (shared.timing.clock)();
        let beats = {
            let mut clock = self.clock.lock();
            clock.beats += 1;
            clock.beats
        };
        // The random number makes each beat another object.
        let member_state = json!({
            "beat": beats,
            "nonce": rand::random::<u64>(),
            "version": self.version,
            "installation": self.objects.installation,
        });
        self.objects.put(&member(&self.objects.replica), member_state.to_string().into()).await?;
        self.clock.lock().beat = Some((local, now));
        shared.schedule.lock().beat(now);
        Ok(())
    }

    /// Compares the clocks by the time of the last beat. Returns the present time of the store's clock.
    fn set_clock(&self, shared: &Shared, listed: &[Listed]) -> Option<DateTime<Utc>> {
        let me = member(&self.objects.replica);
        let modified = listed.iter().find(|object| object.name == me)?.last_modified;
        let mut clock = self.clock.lock();
        let (local, at) = clock.beat?;
        clock.ahead = modified - local;
        Some(modified + chrono::TimeDelta::from_std(shared.now().saturating_sub(at)).ok()?)
    }

    /// Updates the status, and wakes those who wait until everything was read.
    fn announce(&self, shared: &Shared) {
        let was_complete = self.status.read().is_complete;
        self.update_status(shared);
        if !was_complete && self.status.read().is_complete {
            shared.revision.send_modify(|revision| *revision += 1);
        }
    }

    /// Deletes what nobody has written for a long time, unless its interval is longer.
    async fn delete_source(&self, file: &str) {
        let name = format!("{SOURCES}{file}");
        let Ok(Some((Stored::State(object), _))) = self.objects.state(&name).await else { return };
        if object.turn.next_in() >= UNKNOWN_RETENTION {
            return;
        }
        let Ok(tokens) = self.objects.list(&blobs(file)).await else { return };
        for object in tokens {
            drop(self.objects.delete(&object.name).await);
        }
        drop(self.objects.delete(&name).await);
        info!(object = name, "deleted a source that no replica collects any more");
    }

    /// Deletes tokens that no state names, such as those that a crash has left, of the sources that this replica holds.
    async fn sweep(&self, shared: &Shared) {
        let held: Vec<(String, [Option<String>; 2])> = {
            let schedule = shared.schedule.lock();
            let names: Vec<String> = shared.jobs.lock().keys().cloned().collect();
            let turns = names.into_iter().filter_map(|name| Some((schedule.turn(&name)?, name)));
            let held = turns.filter(|(turn, _)| turn.writer == self.objects.replica);
            held.map(|(turn, name)| (name, [turn.blob.clone(), turn.previous_blob.clone()])).collect()
        };
        let now = self.clock.lock().time((shared.timing.clock)());
        for (name, named) in held {
            let Ok(listed) = self.objects.list(&blobs(&file_name(&name))).await else { return };
            for object in listed {
                let is_old = (now - object.last_modified).to_std().is_ok_and(|age| age > UNKNOWN_BLOB_RETENTION);
                if is_old && !named.iter().flatten().any(|blob| *blob == object.name) {
                    drop(self.objects.delete(&object.name).await);
                }
            }
        }
    }

    async fn fetch(&self, shared: &Shared, source: &str) -> Result<Option<Fetched>, StoreError> {
        let Some((stored, version)) = self.objects.state(&state_name(source)).await? else { return Ok(None) };
        let unreadable =
            |content| Fetched { version: version.clone(), content, state: None, tokens: None, refused_at: None };
        let object = match stored {
            Stored::State(object) => *object,
            Stored::Damaged(why) => {
                warn!(source, "damaged state in the shared store, it will be replaced: {why}");
                return Ok(Some(unreadable(Content::Damaged)));
            }
            Stored::Newer => {
                warn!(
                    source,
                    "state of a newer version in the shared store; previous tokens stay; upgrade this replica"
                );
                return Ok(Some(unreadable(Content::Newer)));
            }
            Stored::Foreign(other) => {
                let remedy = "give each installation a prefix of its own";
                error!(source, "the shared store has the state of another installation, `{other}`; {remedy}");
                return Ok(Some(unreadable(Content::Foreign)));
            }
        };
        let known = self.known.lock().get(source).cloned().unwrap_or_default();
        let mut tokens = None;
        if let Some(blob) = object.turn.blob.as_ref().filter(|blob| known.blob.is_none_or(|(_, known)| known != **blob))
        {
            match self.objects.tokens(blob).await? {
                Some(Ok(read)) => tokens = Some(read),
                Some(Err(why)) => {
                    warn!(source, "damaged tokens in the shared store, they will be replaced: {why}");
                    return Ok(Some(self.without_tokens(shared, source, object, version).await));
                }
                None if known.incomplete.as_ref() == Some(&version) => {
                    warn!(source, "missing tokens in the shared store, they will be replaced");
                    return Ok(Some(self.without_tokens(shared, source, object, version).await));
                }
                // A newer state may name other tokens already.
                None => {
                    self.known.lock().entry(source.to_owned()).or_default().incomplete = Some(version);
                    return Ok(None);
                }
            }
        }
        let (state, refused_at) = (object.state, object.refused_at);
        Ok(Some(Fetched { version, content: Content::Turn(object.turn), state, tokens, refused_at }))
    }

    /// Reports tokens that cannot be read. A collection that is running replaces them anyway.
    async fn without_tokens(&self, shared: &Shared, source: &str, object: StateObject, version: Version) -> Fetched {
        if !object.turn.collecting {
            self.objects.without_tokens(shared, source, object, &version).await;
        }
        Fetched { version, content: Content::Damaged, state: None, tokens: None, refused_at: None }
    }

    /// Takes over what another replica has collected.
    async fn adopt(&self, shared: &Arc<Shared>, source: &str, fetched: Fetched) {
        // Nothing begins between the decision and the change of the inventory.
        let _gate = shared.gate.lock().await;
        let Fetched { version, content, state, tokens, refused_at } = fetched;
        let blob = match &content {
            Content::Turn(turn) => turn.blob.clone(),
            Content::Damaged | Content::Newer | Content::Foreign => {
                self.known.lock().remove(source);
                None
            }
        };
        let is_new = shared.schedule.lock().read(source, version, content, shared.now());
        let Some(state) = state.filter(|_| is_new) else { return };
        if let (Some(at), Some(job)) = (refused_at, shared.jobs.lock().get(source)) {
            job.job.source.restore_refusal(Refusal::of_unknown_secret(at));
        }
        let is_unchanged =
            tokens.is_none() && self.known.lock().get(source).is_some_and(|known| known.state.as_ref() == Some(&state));
        if !is_unchanged {
            let (name, now, adopted) = (source.to_owned(), (shared.timing.clock)(), state.clone());
            shared.change(move |inventory| inventory.adopt(&name, adopted, tokens, now)).await;
        }
        let revision = shared.inventory.read().revision(source).map(|revision| revision.tokens);
        let blob = revision.zip(blob);
        self.known.lock().insert(source.to_owned(), Known { blob, state: Some(state), incomplete: None });
    }
}

/// Reads a source that another replica has changed.
async fn read(shared: Arc<Shared>, source: String) {
    let Some(fleet) = &shared.fleet else { return };
    let Ok(_permit) = fleet.reads.acquire().await else { return };
    match timeout(READ_TIMEOUT, fleet.fetch(&shared, &source)).await {
        Ok(Ok(Some(fetched))) => fleet.adopt(&shared, &source, fetched).await,
        // The next look tries it again.
        Ok(Ok(None) | Err(_)) | Err(_) => shared.schedule.lock().read_failed(&source),
    }
    shared.wake.notify_one();
    fleet.announce(&shared);
}
