//! The objects in the store: members, the states of sources, and their tokens.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tracing::debug;

use super::super::Shared;
use super::count;
use crate::core::fleet_status::{Operation, SharedFleetStatus};
use crate::core::inventory::{StoredState, StoredTokens};
use crate::core::schedule::version::Version;
use crate::core::schedule::{Put, Turn};
use crate::storage::encoding::{FORMAT, ReadError, decode_state, encode_state, read_tokens, write_tokens};
use crate::storage::file_name::file_name;
use crate::storage::shared::{Listed, Precondition, PutOutcome, SharedStore, StoreError, prepare, put_if_read_back};

/// Everything that a look lists.
pub(super) const LIVE: &str = "live/";
pub(super) const MEMBERS: &str = "live/members/";
pub(super) const SOURCES: &str = "live/sources/";

/// The maximum size of a state; one is about a kilobyte, and more with many listings.
const MAX_STATE: u64 = 4 << 20;
/// The maximum size of the tokens of a source, compressed and as text.
const MAX_TOKENS: u64 = 512 << 20;
const MAX_TOKENS_TEXT: u64 = 8 << 30;

/// The state of a source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StateObject {
    /// The installation that it belongs to.
    installation: String,
    pub(super) turn: Turn,
    /// When the provider refused the password. Nothing more: replicas with the same password wait, and nobody can check a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused_at: Option<DateTime<Utc>>,
    /// `None` before the first collection.
    pub(super) state: Option<StoredState>,
}

/// A state that was read.
pub(super) enum Stored {
    State(Box<StateObject>),
    Damaged(String),
    Newer,
    Foreign(String),
}

/// The result of a put of a state.
pub(super) enum PutResult {
    Done(Version),
    /// Because of this object, or because there is none.
    Refused(Option<(Turn, Version)>),
    Unknown,
}

/// Requests to the store, counted.
pub(super) struct Objects {
    pub(super) store: Arc<dyn SharedStore>,
    pub(super) replica: String,
    pub(super) installation: String,
    pub(super) status: SharedFleetStatus,
}

pub(super) fn member(replica: &str) -> String {
    format!("{MEMBERS}{replica}")
}

pub(super) fn state_name(source: &str) -> String {
    format!("{SOURCES}{}", file_name(source))
}

/// The directory of the tokens of a source, by the name of its state.
pub(super) fn blobs(file_name: &str) -> String {
    format!("blobs/{file_name}/")
}

impl Objects {
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let listed = self.store.list(prefix).await;
        count(&self.status, Operation::List, &listed);
        listed
    }

    /// What must hold before the first use: the store keeps conditional puts, and the prefix belongs to this installation.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        prepare(&*self.store, &self.replica, &self.installation).await
    }

    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.store.put(name, bytes).await;
        count(&self.status, Operation::Put, &put);
        put
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let deleted = self.store.delete(name).await;
        count(&self.status, Operation::Delete, &deleted);
        deleted
    }

    /// The state in this object.
    pub(super) async fn state(&self, object: &str) -> Result<Option<(Stored, Version)>, StoreError> {
        let got = self.store.get(object, MAX_STATE).await;
        count(&self.status, Operation::Get, &got);
        Ok(got?.map(|object| (self.decode(&object.bytes), object.version)))
    }

    fn decode(&self, bytes: &[u8]) -> Stored {
        match decode_state::<StateObject>(bytes) {
            Ok(state) if state.installation != self.installation => Stored::Foreign(state.installation),
            Ok(state) => Stored::State(Box::new(state)),
            Err(_) if format(bytes).is_some_and(|format| format > FORMAT) => Stored::Newer,
            Err(ReadError::Damaged(why)) => Stored::Damaged(why),
            Err(ReadError::Unreadable(error)) => Stored::Damaged(error.to_string()),
        }
    }

    /// Removes damaged tokens from a state, so that a replica which has them in memory collects the source again.
    pub(super) async fn without_tokens(&self, shared: &Shared, source: &str, object: StateObject, over: &Version) {
        let turn = object.turn.without_tokens(&self.replica, rand::random());
        let object = StateObject { turn, ..object };
        let Ok(bytes) = encode_state(&object, (shared.timing.clock)()) else { return };
        let put = self.store.put_if(&state_name(source), bytes.into(), Precondition::Unchanged(over)).await;
        count(&self.status, Operation::Put, &put);
    }

    /// The tokens in this object; `None` if it is missing.
    pub(super) async fn tokens(&self, blob: &str) -> Result<Option<Result<StoredTokens, String>>, StoreError> {
        let got = self.store.get(blob, MAX_TOKENS).await;
        count(&self.status, Operation::Get, &got);
        let Some(object) = got? else { return Ok(None) };
        let read =
            spawn_blocking(move || read_tokens(&*object.bytes, MAX_TOKENS_TEXT).map_err(|error| error.to_string()));
        Ok(Some(read.await.unwrap_or_else(|_| Err("reading panicked; please report this bug".to_owned()))))
    }

    /// The object for tokens, whose name is their hash.
    pub(super) async fn encode(&self, source: &str, tokens: StoredTokens) -> Option<(String, Bytes)> {
        let prefix = blobs(&file_name(source));
        let encode = spawn_blocking(move || {
            let mut bytes = Cursor::new(Vec::new());
            write_tokens(&mut bytes, &tokens)?;
            let bytes = bytes.into_inner();
            let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            std::io::Result::Ok((format!("{prefix}{hash}"), Bytes::from(bytes)))
        });
        encode.await.ok()?.ok()
    }

    /// Puts the state of a source: its schedule, and its status in the inventory.
    pub(super) async fn put_state(&self, shared: &Shared, source: &str, put: Put) -> PutResult {
        let (state, refusal) = {
            let inventory = shared.inventory.read();
            let state = inventory.shared(source).map(|stored| stored.state);
            (state, inventory.source(source).and_then(|source| source.refusal))
        };
        let (installation, refused_at) = (self.installation.clone(), refusal.map(|refusal| refusal.at()));
        let object = StateObject { installation, turn: put.turn, refused_at, state };
        let Ok(bytes) = encode_state(&object, (shared.timing.clock)()) else { return PutResult::Unknown };
        let over = put.over.as_ref().map_or(Precondition::Missing, Precondition::Unchanged);
        let outcome = put_if_read_back(&*self.store, &state_name(source), bytes.into(), over).await;
        let (result, outcome) = match outcome {
            PutOutcome::Done(version) => (Ok(()), Some(version)),
            PutOutcome::Lost => (Ok(()), None),
            PutOutcome::Unknown(error) => {
                debug!(source, %error, "no response to a put");
                (Err(error), None)
            }
        };
        count(&self.status, Operation::Put, &result);
        match (result, outcome) {
            (_, Some(version)) => PutResult::Done(version),
            (Err(_), None) => PutResult::Unknown,
            (Ok(()), None) => match self.state(&state_name(source)).await {
                Ok(Some((Stored::State(object), version))) => PutResult::Refused(Some((object.turn, version))),
                Ok(_) => PutResult::Refused(None),
                Err(_) => PutResult::Unknown,
            },
        }
    }
}

/// The format in the first line, of any version.
fn format(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }

    let line = bytes.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice::<Header>(line).ok().map(|header| header.format)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Written before a place could be hidden, and never changed since.
    #[test]
    fn state_of_an_earlier_version_is_read_with_its_locations() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/inventory/format-3-locations/shared-small");
        let object: StateObject = decode_state(&std::fs::read(file).unwrap()).unwrap();
        let report = object.state.unwrap().locations.unwrap();
        let places: Vec<_> = report.located.iter().map(|located| located.location.to_string()).collect();
        let expected = [
            "Secret prod/ci/renovate",
            "file /etc/app/\"x\".env",
            "seen from 203.0.113.7 on 2026-02-28",
            "Secret prod/ci/unknown",
        ];
        assert_eq!(places, expected);
        assert!(report.is_exhaustive(), "no place is hidden");
    }
}
