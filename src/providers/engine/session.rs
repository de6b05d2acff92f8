//! Authentication. An [`Account`] lives as long as its source and caches the login; a [`Session`] is the account during one
//! collection: it reads the credential, logs in if the scheme requires it, and adds the credential to requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use url::{Origin, Url};

use super::aws_credentials::AwsChain;
use super::aws_keys::AwsKeys;
use super::build_request::{build_request, fill_headers, fill_json, join_url};
use super::extra_headers::SentHeaders;
use super::github_app;
use super::messages::{describe, headers_object, provider_message};
use super::page_limit::PageLimit;
use super::refusal::{PasswordGate, RefusedSecret, SharedPassword, SharedPasswords, denied_reason, is_password};
use super::secrets::Secrets;
use super::signature::{self, Signing};
use super::signed_jwt::{SigningKey, thumbprint};
use super::stated_reason::Expected;
use crate::core::clock::Clock;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::{Failure, Reason};
use crate::core::refusal::Refusal;
use crate::core::secret::{Credential, Secret, SharedCredentials};
use crate::http::client::{Body, Client, Request, Response};
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{AuthMethod, AuthScheme, JsonTemplate, Login, Provider, SignedJwt};
use crate::providers::language::template::Template;
use crate::providers::language::template_vars::TemplateVars;
use crate::providers::language::value;

/// The lifetime of a login that the provider does not report.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A login is renewed after this share of its lifetime, in percent.
const RENEW_AT_PERCENT: u32 = 90;

/// A login is renewed after a day even if the provider reports a longer lifetime.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A configured account at a provider.
pub(super) struct Account {
    pub(super) provider: Arc<Provider>,
    /// The index of the scheme in `provider.schemes`.
    pub(super) scheme: usize,
    pub(super) settings: Val,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) credentials: SharedCredentials,
    pub(super) headers: ExtraHeaders,
    pub(super) headers_to: Option<Origin>,
    pub(super) login: tokio::sync::Mutex<CachedLogin>,
    pub(super) aws: AwsChain,
    pub(super) refused: RefusedSecret,
    /// Those of all sources.
    pub(super) passwords: Arc<SharedPasswords>,
    pub(super) pages: Arc<PageLimit>,
}

#[derive(Default)]
pub(super) struct CachedLogin {
    token: Option<SessionToken>,
    /// The number of logins so far: shows a request whether its login is still the latest.
    number: u64,
    /// What the login was obtained with: another credential needs a new one.
    credential: Credential,
}

struct SessionToken {
    token: Secret,
    renew_at: Instant,
}

/// An account during one collection.
pub(super) struct Session<'e> {
    pub(super) account: &'e Account,
    pub(super) scheme: &'e AuthScheme,
    pub(super) secrets: Secrets,
    headers: SentHeaders,
    /// The AWS keys that the scheme does not name.
    issued: Option<AwsKeys>,
    /// When the collection started.
    now: DateTime<Utc>,
    started: Instant,
    deadline: Instant,
    gate: PasswordGate,
    /// Whether a rejected login was renewed. Once a collection is enough: some providers send 401 where others send 403.
    renewed: AtomicBool,
    /// Why the login failed; it is not attempted again in this collection.
    failed_login: Mutex<Option<Failure>>,
}

impl<'e> Session<'e> {
    /// Reads certificates and credential, and logs in if the scheme requires it.
    ///
    /// # Errors
    /// Reason `credential` if a file or variable is missing or unreadable, `tls` for certificates, `unauthorized` if the
    /// provider has refused this secret in the last hour; the failures of the login.
    pub(super) async fn open(account: &'e Account, now: DateTime<Utc>, deadline: Instant) -> Result<Self, Failure> {
        let scheme = account.provider.schemes.get(account.scheme);
        let scheme = scheme.ok_or_else(|| Failure::new(Reason::Internal, "the definition has no such scheme"))?;
        if let Some(what) = unusable_method(scheme) {
            return Err(Failure::new(Reason::Credential, what));
        }
        account.client.reload_certificates()?;
        let credential = account.credentials.read()?;
        let secrets = Secrets::new(match &scheme.json_parts {
            Some(parts) => fields_of_document(&credential, parts)?,
            None => credential,
        });
        let headers = SentHeaders::read(&account.headers, account.headers_to.as_ref())?;
        secrets.remember(headers.secrets());
        account.refused.check(&account.settings.to_string(), &headers.and(&secrets.credential), now)?;
        let (renewed, failed_login) = (AtomicBool::new(false), Mutex::default());
        let (started, gate) = (Instant::now(), PasswordGate::default());
        let issued = match &scheme.method {
            AuthMethod::AwsSigv4 { keys: None, .. } => Some(account.aws.keys(deadline).await?),
            _ => None,
        };
        let keys = issued.iter().flat_map(|keys| keys.session_token.iter().chain([&keys.secret_access_key]));
        secrets.remember(keys);
        let session =
            Self { account, scheme, secrets, headers, issued, now, started, deadline, gate, renewed, failed_login };
        session.login().await?;
        Ok(session)
    }

    pub(super) fn is_past_deadline(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Sends a request with the credential; again with a new login if the login is rejected.
    ///
    /// # Errors
    /// If there is no response, or the login fails.
    pub(super) async fn send(&self, request: &Request, expected: Expected<'_>) -> Result<Response, Failure> {
        let login = self.login().await?;
        let reply = self.send_with(request, expected, login.as_ref()).await?;
        match login {
            Some((_, number)) if reply.status == 401 && self.discard_login(number).await => {
                let login = self.login().await?;
                self.send_with(request, expected, login.as_ref()).await
            }
            _ => Ok(reply),
        }
    }

    /// Sends a request with a credential of its own, and without that of the source.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn send_as(&self, request: &Request, expected: Expected<'_>) -> Result<Response, Failure> {
        self.secrets.remember(request.credential.iter().map(|(_, value)| value));
        let state_reason = |response: &Response| expected.temporary(&self.account.provider, response);
        self.account.client.send_signed(request, &|url| self.headers.to(url), &state_reason, self.deadline).await
    }

    async fn send_with(
        &self,
        request: &Request,
        expected: Expected<'_>,
        login: Option<&(Secret, u64)>,
    ) -> Result<Response, Failure> {
        let login = login.map(|(token, _)| token);
        let credential = self.credential_headers(login);
        self.secrets.remember(login.into_iter().chain(credential.iter().map(|(_, value)| value)));
        if !is_password(&credential) {
            return self.send_request(&Request { credential, ..request.clone() }, expected).await;
        }
        let _turn = self.enter_gate(request, &credential).await?;
        let response =
            self.send_request(&Request { credential: credential.clone(), ..request.clone() }, expected).await?;
        if self.gate.is_refused(&response) {
            let (refusal, message) = self.record_refusal(&response);
            self.shared_password(request, &credential).refuse(refusal, message);
        }
        Ok(response)
    }

    /// Waits until a request with this password may be sent.
    ///
    /// # Errors
    /// If the password was refused, in this collection or in that of another source with the same account.
    async fn enter_gate(
        &self,
        request: &Request,
        credential: &[(String, Secret)],
    ) -> Result<Option<(Arc<SharedPassword>, OwnedMutexGuard<()>)>, Failure> {
        if self.gate.is_open() {
            return self.refused().map_or(Ok(None), Err);
        }
        let shared = self.shared_password(request, credential);
        let turn = shared.turn().await;
        if let (None, Some((refusal, message))) = (self.refused(), shared.refused(self.now)) {
            let (account, credential) = (self.account.settings.to_string(), self.headers.and(&self.secrets.credential));
            let refusal = refusal.of_account(&account, &credential);
            self.account.refused.record(refusal, &credential, message.clone());
            self.gate.refuse(message);
        }
        self.refused().map_or(Ok(Some((shared, turn))), Err)
    }

    fn shared_password(&self, request: &Request, credential: &[(String, Secret)]) -> Arc<SharedPassword> {
        let sent = [credential, &self.headers.to(&request.url)].concat();
        self.account.passwords.get(&request.url.origin(), &sent, self.now)
    }

    async fn send_request(&self, request: &Request, expected: Expected<'_>) -> Result<Response, Failure> {
        let service = expected.request.service.as_deref();
        let state_reason = |response: &Response| expected.temporary(&self.account.provider, response);
        let sign = |url: &Url| {
            let request = Request { url: url.clone(), ..request.clone() };
            let (vars, issued, at) = (self.vars(None), self.issued.as_ref(), (self.account.clock)());
            let headers = signature::headers(&self.scheme.method, &request, &Signing { vars, issued, service, at });
            self.secrets.remember(&headers.iter().filter_map(signature::secret_part).collect::<Vec<_>>());
            // No signature covers them, so a gateway may remove them.
            [self.headers.to(url), headers].concat()
        };
        let sent = self.account.client.send_signed(request, &sign, &state_reason, self.deadline).await;
        sent.map_err(|failure| self.with_hint(failure))
    }

    /// The failure, with a sign of a wrong secret if it was not accepted.
    pub(super) fn with_hint(&self, failure: Failure) -> Failure {
        let is_refused = matches!(failure.reason, Reason::Unauthorized | Reason::Credential);
        match self.secrets.credential.hint().filter(|_| is_refused) {
            Some(hint) => Failure { what: format!("{}; {hint}", failure.what), ..failure },
            None => failure,
        }
    }

    /// Notes that the provider refused the password, in this collection and for the next ones.
    fn record_refusal(&self, response: &Response) -> (Refusal, Option<String>) {
        let variables = Variables {
            settings: self.account.settings.clone(),
            body: self.account.provider.decode(&response.body).unwrap_or_default(),
            status: Val::from(usize::from(response.status)),
            ..Variables::default()
        };
        let message = self.provider_message(&variables, &response.headers);
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or_default();
        let (account, credential) = (self.account.settings.to_string(), self.headers.and(&self.secrets.credential));
        let refusal = Refusal::new(self.now + elapsed, &account, &credential);
        self.account.refused.record(refusal, &credential, message.clone());
        self.gate.refuse(message.clone());
        (refusal, message)
    }

    /// The failure of all further requests if the provider refused the password in this collection.
    pub(super) fn refused(&self) -> Option<Failure> {
        self.gate.refused()
    }

    /// The session token and the number of its login; `None` if the scheme needs no login.
    async fn login(&self) -> Result<Option<(Secret, u64)>, Failure> {
        let AuthScheme { login, jwt, method, .. } = self.scheme;
        if login.is_none() && jwt.is_none() && !matches!(method, AuthMethod::GithubApp { .. }) {
            return Ok(None);
        }
        let mut cached = self.account.login.lock().await;
        if let Some(login) = &cached.token
            && Instant::now() < login.renew_at
            && cached.credential == self.secrets.credential
        {
            return Ok(Some((login.token.clone(), cached.number)));
        }
        if let Some(failure) = &*self.failed_login.lock() {
            return Err(failure.clone());
        }
        match self.request_login().await {
            Ok((token, lifetime)) => {
                let renew_at = Instant::now() + lifetime.min(MAX_LIFETIME) * RENEW_AT_PERCENT / 100;
                *cached = CachedLogin {
                    token: Some(SessionToken { token: token.clone(), renew_at }),
                    number: cached.number + 1,
                    credential: self.secrets.credential.clone(),
                };
                Ok(Some((token, cached.number)))
            }
            Err(failure) => {
                cached.token = None;
                *self.failed_login.lock() = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Whether another login is worth an attempt after the one of this number was rejected.
    async fn discard_login(&self, number: u64) -> bool {
        let mut cached = self.account.login.lock().await;
        if cached.number != number {
            return true;
        }
        let is_first = !self.renewed.swap(true, Ordering::Relaxed);
        if is_first {
            cached.token = None;
        }
        is_first
    }

    /// A session token and its lifetime.
    async fn request_login(&self) -> Result<(Secret, Duration), Failure> {
        let vars = self.vars(None);
        match (&self.scheme.method, &self.scheme.login) {
            (AuthMethod::GithubApp { app_id, private_key, organization }, _) => {
                let fill = |template: &Template| vars.fill(template).unwrap_or_default();
                let now = (self.account.clock)();
                let jwt = github_app::signed_jwt(&fill(app_id), &fill(private_key), now)?;
                let request = |method, path: &str| {
                    let headers = fill_headers(&self.account.provider.headers, &vars);
                    let (url, credential) = (join_url(&vars, "url", path)?, vec![bearer(jwt.expose())]);
                    Ok(Request { method, url, headers, credential, body: Body::Empty, retry: Vec::new() })
                };
                let path = github_app::installation_path(&fill(organization));
                let (installation, _) = self.send_login(&request(http::Method::GET, &path)?).await?;
                let path = github_app::token_path(&installation)?;
                let (response, _) = self.send_login(&request(http::Method::POST, &path)?).await?;
                let (token, lifetime) = github_app::granted_token(&response, now)?;
                Ok((token, lifetime.to_std().unwrap_or_default()))
            }
            (_, Some(login)) => self.exchange_credential(login, &vars).await,
            (_, None) => match &self.scheme.jwt {
                Some(jwt) => Ok((self.sign_jwt(jwt)?, jwt.lifetime)),
                None => Err(Failure::new(Reason::Internal, "this scheme has no login")),
            },
        }
    }

    async fn exchange_credential(&self, login: &Login, vars: &TemplateVars<'_>) -> Result<(Secret, Duration), Failure> {
        let jwt = self.scheme.jwt.as_ref().map(|jwt| self.sign_jwt(jwt)).transpose()?;
        let special: Vec<_> = jwt.iter().map(|jwt| ("jwt", value::val(jwt.expose()))).collect();
        let vars = &TemplateVars { special: &special, ..*vars };
        let mut request = build_request(&login.request, &self.account.provider.headers, vars)?;
        if let Some((user, password)) = &login.basic {
            request.credential.push(basic(user, password, vars));
        }
        let (body, variables) = self.send_login(&request).await?;
        let no_token =
            || Failure::new(Reason::Decode, format!("{}: no token in the login response", describe(&request)));
        let token = login.token.first(&variables, body.clone()).ok().flatten();
        let token = token.as_ref().and_then(value::text).ok_or_else(no_token)?;
        let lifetime = login.lifetime.as_ref().and_then(|lifetime| lifetime.first(&variables, body).ok().flatten());
        let seconds = lifetime.as_ref().and_then(value::text).and_then(|text| text.parse::<f64>().ok());
        let lifetime =
            seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok((Secret::new(token), lifetime.unwrap_or(DEFAULT_LIFETIME)))
    }

    /// A token that is valid from now.
    fn sign_jwt(&self, jwt: &SignedJwt) -> Result<Secret, Failure> {
        let vars = self.vars(None);
        let key = SigningKey::read(jwt.algorithm, &vars.fill(&jwt.key).unwrap_or_default())?;
        let now = (self.account.clock)().timestamp();
        let special = [
            ("now", Val::from(isize::try_from(now).unwrap_or_default())),
            ("random", value::val(&signature::random())),
            ("key_sha256", value::val(&key.public_key_sha256())),
        ];
        let vars = TemplateVars { special: &special, ..vars };
        let filled = |(name, template): &(String, Template)| Some((name.clone(), vars.fill(template)?.into()));
        let mut header: Map<String, Value> = jwt.header.iter().filter_map(filled).collect();
        if let Some(certificate) = &jwt.certificate {
            header.insert("x5t#S256".to_owned(), thumbprint(&vars.fill(certificate).unwrap_or_default())?.into());
        }
        let claim = |(name, template): &(String, JsonTemplate)| Some((name.clone(), fill_json(template, &vars)?));
        let mut claims: Map<String, Value> = jwt.claims.iter().filter_map(claim).collect();
        let lifetime = i64::try_from(jwt.lifetime.as_secs()).unwrap_or_default();
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(lifetime).into());
        let signed = key.sign(header, claims)?;
        self.secrets.remember([&signed]);
        Ok(signed)
    }

    /// The response to a login request.
    ///
    /// # Errors
    /// Reason `unauthorized` for every status that means a rejected credential: OAuth 2.0 sends 400 too
    /// (<https://www.rfc-editor.org/rfc/rfc6749#section-5.2>).
    async fn send_login(&self, request: &Request) -> Result<(Val, Variables), Failure> {
        let Account { client, settings, .. } = self.account;
        self.secrets.remember(request.credential.iter().map(|(_, value)| value));
        let reply = client.send_signed(request, &|url| self.headers.to(url), &|_| None, self.deadline).await?;
        let body = self.account.provider.decode(&reply.body);
        let variables = Variables {
            settings: settings.clone(),
            body: body.clone().unwrap_or_default(),
            status: Val::from(usize::from(reply.status)),
            headers: headers_object(&reply.headers),
            ..Variables::default()
        };
        if !(200..300).contains(&reply.status) {
            let reason = match (reply.status, reply.failure_reason()) {
                (400..=403 | 405..=407 | 422, reason) if reason != Some(Reason::RateLimited) => Reason::Unauthorized,
                (_, reason) => reason.unwrap_or(Reason::Internal),
            };
            let what = format!("login: {}: {}", describe(request), reply.summary());
            // OAuth 2.0 and Vault send 400 for a wrong secret. A signed assertion cannot be guessed, and locks nothing.
            let is_refused = matches!(reply.status, 400 | 401) && reason == Reason::Unauthorized;
            let is_signed = self.scheme.jwt.is_some() || matches!(self.scheme.method, AuthMethod::GithubApp { .. });
            if is_refused && !is_signed {
                self.record_refusal(&reply);
            }
            let provider_message = self.provider_message(&variables, &reply.headers);
            return Err(self.with_hint(Failure { provider_message, ..Failure::new(reason, what) }));
        }
        // A login may return its token in a header, and no body: 204.
        let is_empty = reply.body.trim_ascii().is_empty();
        let not_json = || Failure::new(Reason::Decode, format!("login: {}: response is not JSON", describe(request)));
        Ok((body.or(is_empty.then(Val::default)).ok_or_else(not_json)?, variables))
    }

    /// The provider's message, and why it denies the login, unless they quote a secret.
    pub(super) fn provider_message(&self, variables: &Variables, headers: &HeaderMap) -> Option<String> {
        let message = provider_message(self.account.provider.error.as_ref(), variables);
        let texts = message.into_iter().chain(denied_reason(headers));
        let texts: Vec<String> = texts.filter(|text| !self.secrets.leak_into(text)).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    fn credential_headers(&self, login: Option<&Secret>) -> Vec<(String, Secret)> {
        // Without a login request the signed token is the login.
        let jwt = login.filter(|_| self.scheme.login.is_none()).map(|jwt| ("jwt", value::val(jwt.expose())));
        let vars = TemplateVars { special: jwt.as_slice(), ..self.vars(login) };
        match &self.scheme.method {
            AuthMethod::Bearer(token) => vec![bearer(&vars.fill(token).unwrap_or_default())],
            AuthMethod::Basic { user, password } => vec![basic(user, password, &vars)],
            AuthMethod::Headers(headers) => {
                fill_headers(headers, &vars).into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
            }
            AuthMethod::Unknown(_)
            | AuthMethod::ClientCertificate
            | AuthMethod::AwsSigv4 { .. }
            | AuthMethod::OvhSignature { .. }
            | AuthMethod::AkamaiEdgegrid { .. } => Vec::new(),
            AuthMethod::GithubApp { .. } => login.map(|token| bearer(token.expose())).into_iter().collect(),
        }
    }

    /// The variables of templates in `auth`.
    pub(super) fn vars<'v>(&'v self, login: Option<&'v Secret>) -> TemplateVars<'v> {
        TemplateVars { credential: Some(&self.secrets.credential), login, ..TemplateVars::new(&self.account.settings) }
    }
}

/// The failure of every session with a method that this version does not have.
pub(super) fn unusable_method(scheme: &AuthScheme) -> Option<String> {
    let AuthMethod::Unknown(method) = &scheme.method else { return None };
    Some(format!(
        "the definition authenticates with `{method}`, which this version does not know; upgrade the exporter or set another \
         `auth`"
    ))
}

/// The fields of a credential that is a JSON document, as its parts.
fn fields_of_document(credential: &Credential, parts: &[String]) -> Result<Credential, Failure> {
    let failure = |what: String| Failure::new(Reason::Credential, what);
    let document = credential.part("").map(Secret::expose).unwrap_or_default();
    let document: Value = serde_json::from_str(document)
        .map_err(|_| failure("the credential is not a JSON document; use the vendor's key file as it is".to_owned()))?;
    let part = |name: &String| match document.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok((name.clone(), Secret::new(text))),
        _ => {
            Err(failure(format!("the credential's JSON document has no `{name}`; use the vendor's key file as it is")))
        }
    };
    parts.iter().map(part).collect::<Result<_, _>>().map(Credential)
}

fn bearer(token: &str) -> (String, Secret) {
    ("Authorization".to_owned(), Secret::new(format!("Bearer {token}")))
}

/// `Authorization: Basic …` (<https://www.rfc-editor.org/rfc/rfc7617>).
fn basic(user: &Template, password: &Template, vars: &TemplateVars<'_>) -> (String, Secret) {
    let fill = |template: &Template| vars.fill(template).unwrap_or_default();
    let pair = format!("{}:{}", fill(user), fill(password));
    ("Authorization".to_owned(), Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair))))
}
