//! The credential: read anew at each collection, exchanged for a login where the scheme says so, put on each request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::build_request::{compose, plain};
use super::pages::{attempts, title, words};
use super::signers::github_app;
use crate::core::clock::Clock;
use crate::core::failure::{Failure, Reason};
use crate::core::secret::{Credential, Secret, SharedCredentials};
use crate::http::client::{Client, Reply, Request};
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{AuthMethod, AuthScheme, Login, Provider};
use crate::providers::language::template::Template;
use crate::providers::language::template_vars::{Secrets, TemplateVars};
use crate::providers::language::value;

/// For how long a login holds where the provider does not say.
const UNTOLD_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A login is used up to this share of its lifetime, in percent.
const USED_SHARE: u32 = 90;

/// A source's way to authenticate, and the login that it holds between collections.
pub(super) struct Auth {
    pub(super) credentials: SharedCredentials,
    held: tokio::sync::Mutex<CachedLogin>,
}

#[derive(Default)]
struct CachedLogin {
    login: Option<SessionToken>,
    /// How many logins there were: tells a request whether the one that it used is still the last.
    number: u64,
    /// What it was had for: another credential needs another login.
    credential: Credential,
}

/// A token for the session, and until when it may be used.
pub(super) struct SessionToken {
    pub(super) token: Secret,
    pub(super) until: Instant,
}

impl SessionToken {
    /// A token that holds this long from now.
    pub(super) fn new(token: Secret, lifetime: Duration) -> Self {
        // A login that a provider says to hold for ages is renewed once a day all the same.
        let lifetime = lifetime.min(Duration::from_secs(24 * 3600));
        Self { token, until: Instant::now() + lifetime * USED_SHARE / 100 }
    }
}

impl Auth {
    pub(super) fn new(credentials: SharedCredentials) -> Self {
        Self { credentials, held: tokio::sync::Mutex::default() }
    }
}

/// The credential as one collection uses it.
pub(super) struct Session<'e> {
    pub(super) provider: &'e Provider,
    pub(super) scheme: &'e AuthScheme,
    pub(super) settings: &'e Val,
    pub(super) client: &'e Client,
    pub(super) clock: &'e Clock,
    pub(super) deadline: Instant,
    auth: &'e Auth,
    credential: Credential,
    /// A login is renewed once a collection: some providers say 401 where others say 403.
    renewed: AtomicBool,
    /// Why there is no login; none is tried again in this collection.
    refused: Mutex<Option<Failure>>,
    /// The logins and headers that were used, so that none is shown.
    used: Mutex<Vec<Secret>>,
}

impl<'e> Session<'e> {
    /// Reads the credential.
    ///
    /// # Errors
    /// Reason `credential`, where a file or variable is missing or unreadable.
    pub(super) fn open(
        auth: &'e Auth,
        provider: &'e Provider,
        scheme: &'e AuthScheme,
        settings: &'e Val,
        client: &'e Client,
        clock: &'e Clock,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let credential = auth.credentials.read()?;
        let (renewed, refused, used) = (AtomicBool::new(false), Mutex::new(None), Mutex::default());
        Ok(Self { provider, scheme, settings, client, clock, deadline, auth, credential, renewed, refused, used })
    }

    /// Sees to it that there is a login, where the scheme needs one.
    ///
    /// # Errors
    /// Where it is refused.
    pub(super) async fn log_in(&self) -> Result<(), Failure> {
        self.login().await.map(drop)
    }

    /// Sends a request with the credential on it, and once more with a new login where the old one is not accepted.
    ///
    /// # Errors
    /// Where no answer came, or a login is refused.
    pub(super) async fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let login = self.login().await?;
        let reply = self.send_with(request, login.as_ref()).await?;
        match login {
            Some((_, number)) if reply.status == 401 && self.drop_login(number).await => {
                let login = self.login().await?;
                self.send_with(request, login.as_ref()).await
            }
            _ => Ok(reply),
        }
    }

    async fn send_with(&self, request: &Request, login: Option<&(Secret, u64)>) -> Result<Reply, Failure> {
        let login = login.map(|(token, _)| token);
        let credential = self.headers(login)?;
        self.note_used(login.into_iter().chain(credential.iter().map(|(_, value)| value)));
        self.client.send(&Request { credential, ..request.clone() }, self.deadline).await
    }

    /// Notes what must not come back in a provider's words. A header holds the credential in another spelling.
    fn note_used<'s>(&self, secrets: impl Iterator<Item = &'s Secret>) {
        let mut used = self.used.lock();
        for secret in secrets {
            if !used.contains(secret) {
                used.push(secret.clone());
            }
        }
    }

    /// The login and its number; none where the scheme needs none.
    async fn login(&self) -> Result<Option<(Secret, u64)>, Failure> {
        if self.scheme.login.is_none() && !matches!(self.scheme.means, AuthMethod::GithubApp { .. }) {
            return Ok(None);
        }
        let mut held = self.auth.held.lock().await;
        if let Some(login) = &held.login
            && Instant::now() < login.until
            && held.credential == self.credential
        {
            return Ok(Some((login.token.clone(), held.number)));
        }
        if let Some(failure) = &*self.refused.lock() {
            return Err(failure.clone());
        }
        match self.new_login().await {
            Ok(login) => {
                let token = login.token.clone();
                *held =
                    CachedLogin { login: Some(login), number: held.number + 1, credential: self.credential.clone() };
                Ok(Some((token, held.number)))
            }
            Err(failure) => {
                held.login = None;
                *self.refused.lock() = Some(failure.clone());
                Err(failure)
            }
        }
    }

    async fn new_login(&self) -> Result<SessionToken, Failure> {
        match (&self.scheme.means, &self.scheme.login) {
            (AuthMethod::GithubApp { app_id, private_key, organization }, _) => {
                github_app::log_in(self, app_id, private_key, organization).await
            }
            (_, Some(login)) => self.exchange(login).await,
            (_, None) => Err(Failure::new(Reason::Internal, "this scheme has no login")),
        }
    }

    /// Whether a new login is worth trying, now that the one of this number was refused.
    async fn drop_login(&self, number: u64) -> bool {
        let mut held = self.auth.held.lock().await;
        if held.number != number {
            return true;
        }
        let is_first = !self.renewed.swap(true, Ordering::Relaxed);
        if is_first {
            held.login = None;
        }
        is_first
    }

    /// The credential against a token for the session.
    async fn exchange(&self, login: &Login) -> Result<SessionToken, Failure> {
        let names = self.names(None);
        let mut request = compose(&login.request, &self.provider.headers, &names)?;
        if let Some((user, password)) = &login.basic {
            request.credential.push(self.basic(user, password, &names)?);
        }
        self.note_used(request.credential.iter().map(|(_, value)| value));
        let (body, variables) = self.granted(&request).await?;
        let unreadable = || Failure::new(Reason::Decode, format!("{}: the answer has no token", title(&request)));
        let token = login.token.first(&variables, body.clone()).ok().flatten();
        let token = token.as_ref().and_then(value::text).ok_or_else(unreadable)?;
        let lifetime = login.lifetime.as_ref().and_then(|lifetime| lifetime.first(&variables, body).ok().flatten());
        let seconds = lifetime.as_ref().and_then(value::text).and_then(|text| text.parse::<f64>().ok());
        let lifetime =
            seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(SessionToken::new(Secret::new(token), lifetime.unwrap_or(UNTOLD_LIFETIME)))
    }

    /// The answer to a request for a login.
    ///
    /// # Errors
    /// A client's error of whatever status means that the credential is not accepted: OAuth 2.0 says 400 too
    /// (<https://www.rfc-editor.org/rfc/rfc6749#section-5.2>).
    pub(super) async fn granted(&self, request: &Request) -> Result<(Val, Variables), Failure> {
        let reply = self.client.send(request, self.deadline).await?;
        let body = value::decode(&reply.body);
        let variables = Variables {
            settings: self.settings.clone(),
            body: body.clone().unwrap_or_default(),
            status: Val::from(usize::from(reply.status)),
            ..Variables::default()
        };
        if !(200..300).contains(&reply.status) {
            let reason = match (reply.status, reply.refusal()) {
                (400..=403 | 405..=407 | 422, reason) if reason != Some(Reason::RateLimited) => Reason::Unauthorized,
                (_, reason) => reason.unwrap_or(Reason::Internal),
            };
            let what = format!("the login, {}: {} after {}", title(request), reply.status, attempts(reply.attempts));
            let says = words(self.provider.error.as_ref(), &variables).filter(|words| !self.betrays(words));
            return Err(Failure { provider_message: says, ..Failure::new(reason, what) });
        }
        match body {
            Some(body) => Ok((body, variables)),
            None => Err(Failure::new(Reason::Decode, format!("the login, {}: answered no JSON", title(request)))),
        }
    }

    /// The headers that carry the credential.
    fn headers(&self, login: Option<&Secret>) -> Result<Vec<(String, Secret)>, Failure> {
        let names = self.names(login);
        let bearer = |token: &str| ("Authorization".to_owned(), Secret::new(format!("Bearer {token}")));
        Ok(match &self.scheme.means {
            AuthMethod::Bearer(token) => vec![bearer(&filled(token, &names)?)],
            AuthMethod::Basic { user, password } => vec![self.basic(user, password, &names)?],
            AuthMethod::Headers(headers) => {
                let mut filled = Vec::new();
                for (name, template) in headers {
                    if let Some(value) = plain(template, &names)?.filter(|value| !value.is_empty()) {
                        filled.push((name.clone(), Secret::new(value)));
                    }
                }
                filled
            }
            AuthMethod::GithubApp { .. } => login.map(|token| bearer(token.expose())).into_iter().collect(),
        })
    }

    /// `Authorization: Basic …` (<https://www.rfc-editor.org/rfc/rfc7617>).
    fn basic(
        &self,
        user: &Template,
        password: &Template,
        names: &TemplateVars<'_>,
    ) -> Result<(String, Secret), Failure> {
        let pair = format!("{}:{}", filled(user, names)?, filled(password, names)?);
        Ok(("Authorization".to_owned(), Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair)))))
    }

    /// What templates of `auth` may name.
    pub(super) fn names<'n>(&'n self, login: Option<&'n Secret>) -> TemplateVars<'n> {
        TemplateVars::settings(self.settings).with_secrets(Secrets { credential: &self.credential, login })
    }

    /// Whether a text holds a part of the credential, as it is or as it was sent. The provider's own words are not shown
    /// then.
    pub(super) fn betrays(&self, words: &str) -> bool {
        let used = self.used.lock().clone();
        let decoded = percent_decoded(words);
        let mut secrets = self.credential.0.values().chain(&used);
        secrets.any(|secret| secret.leaks_into(words) || secret.leaks_into(&decoded))
    }

    /// Whether the credential, or a part of it, begins and ends so.
    pub(super) fn is_like(&self, beginning: &str, end: &str) -> bool {
        self.credential.0.values().map(Secret::expose).any(|secret| {
            secret.len() >= beginning.len() + end.len() && secret.starts_with(beginning) && secret.ends_with(end)
        })
    }
}

/// A text with `%41` and `+` taken back: a provider may quote the query or the form that it was sent.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.as_bytes()).flat_map(|(name, value)| [name, value]).collect::<Vec<_>>().join("&")
}

/// A template of which the credential is made; an unset name is empty there.
pub(super) fn filled(template: &Template, names: &TemplateVars<'_>) -> Result<String, Failure> {
    Ok(plain(template, names)?.unwrap_or_default())
}
