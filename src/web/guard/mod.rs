//! Who may ask, and over what: `--web.config.file`, in the format that Prometheus's own exporters read.
//!
//! Format: <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>. As there, every path is
//! guarded alike, `/-/healthy` too: a probe of Kubernetes then has to send the credentials, or to ask for a TCP connection
//! only. The file, the certificates and the keys are looked at every few seconds, and a change holds at once; a change that
//! cannot be used is told in the log, and what was there before stays. Only whether there is TLS at all is decided at the
//! start.

mod client;
mod limit;
pub(crate) mod settings;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum_server::tls_rustls::RustlsConfig;
use tokio::time::Instant;

use super::routes::text;
use crate::core::mistake::{Mistake, Mistakes, Text};
use limit::Limit;
use settings::Settings;
use tls::Files;
use users::Users;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The guard at the door.
pub struct Guard {
    path: PathBuf,
    tls: Option<RustlsConfig>,
    users: Users,
    limit: Limit,
    held: RwLock<Held>,
}

/// What holds now, and the files that it was read from.
struct Held {
    settings: Arc<Settings>,
    seen: Seen,
}

/// The content of all files: they are compared whole, since a mounted Secret changes without its times telling.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    text: Text,
    files: Option<Files>,
}

impl Guard {
    /// Reads the file, the certificates and the keys.
    ///
    /// # Errors
    /// The mistakes in the file, or in the files that it names.
    pub fn open(path: impl Into<PathBuf>) -> Result<Arc<Self>, Mistakes> {
        let path = path.into();
        let (settings, seen) = look(&path)?;
        let tls = match (&settings.tls, &seen.files) {
            (Some(tls), Some(files)) => {
                let config = tls::server_config(tls, files, settings.http2).map_err(|why| in_file(&path, why))?;
                Some(RustlsConfig::from_config(config))
            }
            _ => None,
        };
        let users = Users::new().map_err(|why| in_file(&path, why))?;
        let held = RwLock::new(Held { settings: Arc::new(settings), seen });
        Ok(Arc::new(Self { path, tls, users, limit: Limit::new(), held }))
    }

    /// What the server needs for TLS; none where it speaks plainly.
    pub(super) fn tls(&self) -> Option<RustlsConfig> {
        self.tls.clone()
    }

    /// The answer to a request that may not be answered; none where it may.
    pub(super) async fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let settings = self.settings();
        if let Some(rate) = settings.rate_limit
            && !self.limit.admits(rate, Instant::now())
        {
            return Some(text(StatusCode::TOO_MANY_REQUESTS, "too many requests; ask again later\n"));
        }
        if self.users.admit(&settings.users, headers.get(AUTHORIZATION)).await {
            return None;
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
    pub(super) async fn follow(self: &Arc<Self>) {
        let mut refused = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let guard = Arc::clone(self);
            let problem = match tokio::task::spawn_blocking(move || guard.reload()).await {
                Ok(Ok(changed)) => {
                    if changed {
                        tracing::info!(file = %self.path.display(), "the web configuration was read anew");
                    }
                    None
                }
                Ok(Err(mistakes)) => Some(mistakes.to_string()),
                Err(error) => Some(error.to_string()),
            };
            // Once, not every few seconds.
            if let Some(problem) = problem.as_ref().filter(|problem| refused.as_ref() != Some(*problem)) {
                tracing::error!("the web configuration cannot be used, the one of before stays: {problem}");
            }
            refused = problem;
        }
    }

    /// Takes over what the files say now, and says whether they have changed. The server does so every few seconds.
    ///
    /// # Errors
    /// The mistakes in them; then what was there before stays.
    pub fn reload(&self) -> Result<bool, Mistakes> {
        let (settings, seen) = look(&self.path)?;
        if self.held.read().unwrap_or_else(PoisonError::into_inner).seen == seen {
            return Ok(false);
        }
        match (&self.tls, &settings.tls, &seen.files) {
            (Some(running), Some(tls), Some(files)) => {
                let config = tls::server_config(tls, files, settings.http2).map_err(|why| in_file(&self.path, why))?;
                running.reload_from_config(config);
            }
            (None, None, _) => {}
            _ => return Err(in_file(&self.path, "TLS can be switched on or off by a restart only".to_owned())),
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Held { settings: Arc::new(settings), seen };
        Ok(true)
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).settings)
    }
}

/// Reads all files once, so that what is compared is what is used.
fn look(path: &Path) -> Result<(Settings, Seen), Mistakes> {
    let content = std::fs::read_to_string(path).map_err(|error| in_file(path, format!("cannot be read: {error}")))?;
    let text = Text::new(path.display().to_string(), content);
    let settings = Settings::parse(&text)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let files = match &settings.tls {
        Some(tls) => Some(Files::read(tls, directory).map_err(|why| in_file(path, why))?),
        None => None,
    };
    Ok((settings, Seen { text, files }))
}

fn in_file(path: &Path, why: String) -> Mistakes {
    Mistake::in_file(path.display().to_string(), why).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_files_are_looked_at_by_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.yaml");
        std::fs::write(&path, "").unwrap();
        let guard = Guard::open(&path).unwrap();
        let following = Arc::clone(&guard);
        tokio::spawn(async move { following.follow().await });
        for (content, is_limited) in
            [("rate_limit: {interval: 1s, burst: 1}", true), ("rate_limit: x", true), ("http_server_config:", false)]
        {
            std::fs::write(&path, content).unwrap();
            tokio::time::sleep(LOOK * 2).await;
            assert_eq!(guard.settings().rate_limit.is_some(), is_limited, "{content}");
        }
    }
}
