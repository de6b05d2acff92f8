//! Who may ask, and over what: `--web.config.file`, in the format that Prometheus's own exporters read.
//!
//! Format: <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>. As there, every path is
//! guarded alike, `/-/healthy` too: a probe of Kubernetes asks at `--web.probe-listen-address`. The file, the certificates
//! and the keys are looked at every few seconds, and a change holds for the next connection and request; a change that cannot
//! be used is told in the log and a metric, and what was there before stays. Whether there is TLS at all is decided at the
//! start, and users cannot all go without a restart: a file that is half written must not open the door.

mod client;
mod limit;
pub(crate) mod settings;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rustls::ServerConfig;
use tokio::time::Instant;

use super::desk::busy;
use super::routes::text;
use crate::exposition::program::ExporterMetrics;
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};
use limit::Limit;
use settings::Settings;
use tls::Files;
use users::{Admission, Users};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// After a change was seen, before it is taken over if the files have not changed once more: a certificate and its key are two
/// files.
const SETTLE: Duration = Duration::from_millis(500);

/// The guard at the door.
pub struct Guard {
    path: PathBuf,
    users: Users,
    limit: Limit,
    held: RwLock<Held>,
}

/// What holds now, and the files that it was read from.
struct Held {
    settings: Arc<Settings>,
    /// None where the server speaks plainly.
    tls: Option<Arc<ServerConfig>>,
    seen: Seen,
}

/// The content of all files: they are compared whole, since a mounted Secret changes without its times telling.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    text: SourceText,
    files: Option<Files>,
}

impl Guard {
    /// Reads the file, the certificates and the keys.
    ///
    /// # Errors
    /// The mistakes in the file, or in the files that it names.
    pub fn open(path: impl Into<PathBuf>) -> Result<Arc<Self>, Diagnostics> {
        let path = path.into();
        let (settings, seen) = look(&path)?;
        let users = Users::new().map_err(|why| in_file(&path, why))?;
        let held = RwLock::new(Held::new(&path, settings, seen)?);
        Ok(Arc::new(Self { path, users, limit: Limit::new(), held }))
    }

    /// What the next connection needs for TLS; none where the server speaks plainly.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).tls.clone()
    }

    /// The answer to a request that may not be answered; none where it may.
    pub(super) async fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let settings = self.settings();
        if let Some(rate) = settings.rate_limit
            && !self.limit.admits(rate, Instant::now())
        {
            let mut refusal = text(StatusCode::TOO_MANY_REQUESTS, "too many requests; ask again later\n");
            let seconds = HeaderValue::from(rate.interval.as_secs().max(1));
            refusal.headers_mut().insert(RETRY_AFTER, seconds);
            return Some(refusal);
        }
        match self.users.admit(&settings.users, headers.get(AUTHORIZATION)).await {
            Admission::Granted => return None,
            Admission::Crowded => return Some(busy()),
            Admission::Refused => {}
        }
        let mut refusal =
            text(StatusCode::UNAUTHORIZED, "unauthorized: this server wants a user name and a password\n");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Some(refusal)
    }

    /// Headers to add to every answer.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.settings().headers.clone()
    }

    /// Looks at the files again and again. Never ends.
    pub(super) async fn follow(self: &Arc<Self>, program: &ExporterMetrics) {
        let mut refused = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let problem = match self.look_again().await {
                Ok(changed) => {
                    if changed {
                        tracing::info!(file = %self.path.display(), "the web configuration was read anew");
                    }
                    None
                }
                Err(problem) => Some(problem),
            };
            program.web_config_read(problem.is_none());
            // Once, not every few seconds.
            if let Some(problem) = problem.as_ref().filter(|problem| refused.as_ref() != Some(*problem)) {
                tracing::error!("the web configuration cannot be used, the one of before stays: {problem}");
            }
            refused = problem;
        }
    }

    /// Takes a change over once it has settled. Whether there was one.
    async fn look_again(self: &Arc<Self>) -> Result<bool, String> {
        let look = |guard: Arc<Self>| async move {
            let looked = tokio::task::spawn_blocking(move || guard.changed()).await;
            looked.map_err(|error| error.to_string())
        };
        let first = look(Arc::clone(self)).await?;
        if let Ok(None) = first {
            return Ok(false);
        }
        tokio::time::sleep(SETTLE).await;
        match look(Arc::clone(self)).await? {
            Ok(None) => Ok(false),
            Ok(Some(now)) => match first {
                Ok(Some(before)) if before.1 == now.1 => {
                    self.take_over(now.0, now.1).map(|()| true).map_err(|mistakes| mistakes.to_string())
                }
                // Still being written: the next look will tell.
                _ => Ok(false),
            },
            Err(mistakes) => Err(mistakes.to_string()),
        }
    }

    /// What the files say now, where that is not what holds.
    fn changed(&self) -> Result<Option<(Settings, Seen)>, Diagnostics> {
        let (settings, seen) = look(&self.path)?;
        let same = self.held.read().unwrap_or_else(PoisonError::into_inner).seen == seen;
        Ok((!same).then_some((settings, seen)))
    }

    fn take_over(&self, settings: Settings, seen: Seen) -> Result<(), Diagnostics> {
        let next = Held::new(&self.path, settings, seen)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.tls.is_some() != next.tls.is_some() {
            return Err(in_file(&self.path, "TLS can be switched on or off by a restart only".to_owned()));
        }
        if !held.settings.users.is_empty() && next.settings.users.is_empty() {
            return Err(in_file(&self.path, "passwords can be switched off by a restart only".to_owned()));
        }
        *held = next;
        Ok(())
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).settings)
    }
}

impl Held {
    fn new(path: &Path, settings: Settings, seen: Seen) -> Result<Self, Diagnostics> {
        let tls = match (&settings.tls, &seen.files) {
            (Some(tls), Some(files)) => {
                Some(tls::server_config(tls, files, settings.http2).map_err(|why| in_file(path, why))?)
            }
            _ => None,
        };
        Ok(Self { settings: Arc::new(settings), tls, seen })
    }
}

/// Reads all files once, so that what is compared is what is used.
fn look(path: &Path) -> Result<(Settings, Seen), Diagnostics> {
    let content = std::fs::read_to_string(path).map_err(|error| in_file(path, format!("cannot be read: {error}")))?;
    let text = SourceText::new(path.display().to_string(), content);
    let settings = Settings::parse(&text)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let files = match &settings.tls {
        Some(tls) => Some(Files::read(tls, directory).map_err(|why| in_file(path, why))?),
        None => None,
    };
    Ok((settings, Seen { text, files }))
}

fn in_file(path: &Path, why: String) -> Diagnostics {
    Diagnostic::in_file(path.display().to_string(), why).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::exposition::program::Build;

    #[tokio::test(start_paused = true)]
    async fn the_files_are_looked_at_by_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.yaml");
        std::fs::write(&path, "").unwrap();
        let guard = Guard::open(&path).unwrap();
        let following = Arc::clone(&guard);
        let program = Arc::new(ExporterMetrics::new(Build { version: "1", revision: "" }, (1, 1)).unwrap());
        tokio::spawn(async move { following.follow(&program).await });
        for (content, is_limited) in
            [("rate_limit: {interval: 1s, burst: 1}", true), ("rate_limit: x", true), ("http_server_config:", false)]
        {
            std::fs::write(&path, content).unwrap();
            tokio::time::sleep(LOOK * 2).await;
            assert_eq!(guard.settings().rate_limit.is_some(), is_limited, "{content}");
        }
    }
}
