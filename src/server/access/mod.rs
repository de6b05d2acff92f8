//! Access control and TLS: `--web.config.file`, in the format of Prometheus's own exporters.
//!
//! Format: <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>. As there, it applies to every
//! path, `/-/healthy` too: Kubernetes probes use `--web.probe-listen-address`. The file, the certificates and the keys are read
//! every few seconds; a change applies to the next connection and request. An invalid change is logged and reported in a metric,
//! and the previous configuration stays. Switching TLS on or off, or removing all users, needs a restart: a half-written file
//! must not open access.

mod client_cert;
pub mod settings;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::core::rate::TokenBucket;
use crate::exposition::exporter::ExporterMetrics;
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};
use settings::Settings;
use tls::TlsFiles;
use users::{Login, Users};

/// How often the files are read.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How long a change must be stable before it is applied: a certificate and its key are two files.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// TLS, users, headers and rate limit, as the web configuration sets them now.
pub struct AccessControl {
    path: PathBuf,
    users: Users,
    bucket: Mutex<TokenBucket>,
    started: Instant,
    active: watch::Sender<Active>,
}

/// What applies now, and the files that it was read from.
struct Active {
    settings: Arc<Settings>,
    /// `None` for plain HTTP.
    tls: Option<Arc<ServerConfig>>,
    files: FileContents,
}

/// The whole content of all files: a mounted Secret changes without a change of the modification times.
type FileContents = (SourceText, Option<TlsFiles>);

impl AccessControl {
    /// Reads the web configuration, the certificates and the keys.
    ///
    /// # Errors
    /// The errors in the file, or in the files that it names.
    pub fn open(path: impl Into<PathBuf>) -> Result<Arc<Self>, Diagnostics> {
        let path = path.into();
        let active = watch::Sender::new(load(&path)?);
        Ok(Arc::new(Self { path, users: Users::default(), bucket: Mutex::default(), started: Instant::now(), active }))
    }

    /// TLS for the next connection; `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.active.borrow().tls.clone()
    }

    /// Checks the rate limit and the login of a request.
    ///
    /// # Errors
    /// The response to send instead.
    pub(super) async fn admit(&self, headers: &HeaderMap, has_key: bool) -> Result<(), Response> {
        let settings = self.settings();
        if let Some(rate) = settings.rate_limit
            && self.bucket.lock().admit(rate, self.started.elapsed(), Duration::ZERO).is_none()
        {
            let retry_after = HeaderValue::from(rate.interval.as_secs().max(1));
            let headers = [(RETRY_AFTER, retry_after)];
            return Err((StatusCode::TOO_MANY_REQUESTS, headers, "too many requests; retry later\n").into_response());
        }
        if has_key {
            return Ok(());
        }
        match self.users.login(&settings.users, headers.get(AUTHORIZATION)).await {
            Login::Accepted => Ok(()),
            Login::Rejected => {
                let headers = [(WWW_AUTHENTICATE, "Basic")];
                let sentence = "unauthorized: basic authentication required\n";
                Err((StatusCode::UNAUTHORIZED, headers, sentence).into_response())
            }
            Login::Busy => {
                let headers = [(RETRY_AFTER, "5")];
                Err((StatusCode::SERVICE_UNAVAILABLE, headers, "too many logins; retry later\n").into_response())
            }
        }
    }

    /// Headers of every response.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.settings().headers.clone()
    }

    /// Reloads the files when they change. Never returns.
    pub(super) async fn watch(self: &Arc<Self>, metrics: &ExporterMetrics) {
        let mut logged = None;
        loop {
            sleep(POLL_INTERVAL).await;
            let result = self.reload_if_changed().await;
            metrics.web_config_read(result.is_ok());
            match &result {
                Ok(true) => tracing::info!(file = %self.path.display(), "web configuration reloaded"),
                // Once, not every few seconds.
                Err(problem) if logged.as_ref() != Some(problem) => {
                    tracing::error!("invalid web configuration; the previous one stays active: {problem}");
                }
                _ => {}
            }
            logged = result.err();
        }
    }

    /// Whether there was a change, now applied.
    async fn reload_if_changed(self: &Arc<Self>) -> Result<bool, String> {
        let read = async || {
            let access = Arc::clone(self);
            let loaded = tokio::task::spawn_blocking(move || load(&access.path)).await;
            loaded.map_err(|error| error.to_string())
        };
        let first = read().await?.ok();
        if first.as_ref().is_some_and(|first| first.files == self.active.borrow().files) {
            return Ok(false);
        }
        sleep(DEBOUNCE).await;
        let next = read().await?.map_err(|errors| errors.to_string())?;
        if first.is_none_or(|first| first.files != next.files) {
            // Still being written, or changed back: the next poll decides.
            return Ok(false);
        }
        let restart_reason = self.active.borrow().restart_reason(&next);
        if let Some(reason) = restart_reason {
            return Err(format!("{}: {reason} requires a restart", self.path.display()));
        }
        self.active.send_replace(next);
        Ok(true)
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.active.borrow().settings)
    }
}

impl Active {
    /// The part of a change that must not apply at run time.
    fn restart_reason(&self, next: &Self) -> Option<&'static str> {
        if self.tls.is_some() != next.tls.is_some() {
            Some("enabling or disabling TLS")
        } else if !self.settings.users.is_empty() && next.settings.users.is_empty() {
            Some("removing all users")
        } else {
            None
        }
    }
}

/// Reads each file once, so that the compared content is the used content.
fn load(path: &Path) -> Result<Active, Diagnostics> {
    let problem = |why: String| Diagnostic::in_file(path.display().to_string(), why);
    let content = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    let text = SourceText::new(path.display().to_string(), content);
    let settings = Arc::new(Settings::parse(&text)?);
    let (mut tls, mut tls_files) = (None, None);
    if let Some(settings_tls) = &settings.tls {
        let files = TlsFiles::read(settings_tls, path.parent().unwrap_or(Path::new(""))).map_err(problem)?;
        tls = Some(tls::server_config(settings_tls, &files, settings.http2).map_err(problem)?);
        tls_files = Some(files);
    }
    Ok(Active { settings, tls, files: (text, tls_files) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::exposition::exporter::Build;

    #[tokio::test(start_paused = true)]
    async fn watch_applies_valid_changes_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.yaml");
        std::fs::write(&path, "").unwrap();
        let access = AccessControl::open(&path).unwrap();
        let watched = Arc::clone(&access);
        let metrics =
            Arc::new(ExporterMetrics::new(Build { version: "1", revision: "" }, (1, 1), Arc::default()).unwrap());
        tokio::spawn(async move { watched.watch(&metrics).await });
        for (content, is_limited) in
            [("rate_limit: {interval: 1s, burst: 1}", true), ("rate_limit: x", true), ("http_server_config:", false)]
        {
            std::fs::write(&path, content).unwrap();
            sleep(POLL_INTERVAL * 2).await;
            assert_eq!(access.settings().rate_limit.is_some(), is_limited, "{content}");
        }
    }
}
