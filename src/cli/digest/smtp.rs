//! One connection to the mail server, over which one mail after another is sent.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::super::digest_args::SmtpTls;
use super::settings::MailServer;
use crate::core::sanitize::truncate;

/// For each response of the server.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Connection<'a> {
    server: &'a MailServer,
    tls: Option<TlsParameters>,
    /// `None` after an error.
    open: Option<SmtpConnection>,
}

/// Why a mail was not accepted.
pub(super) enum Refusal {
    /// The server refuses this mail; another one may be accepted.
    Mail(String),
    /// The server cannot be reached, or refuses every mail.
    Server(String),
}

impl<'a> Connection<'a> {
    /// Connects and logs in.
    ///
    /// # Errors
    /// Why mails cannot be sent, in one line.
    pub(super) fn open(server: &'a MailServer) -> Result<Self, String> {
        let mut connection = Self { server, tls: tls_parameters(server)?, open: None };
        connection.connect()?;
        Ok(connection)
    }

    /// # Errors
    /// Why the server did not accept the mail.
    pub(super) fn send(&mut self, message: &Message) -> Result<(), Refusal> {
        if self.open.is_none() {
            self.connect().map_err(Refusal::Server)?;
        }
        let Some(open) = &mut self.open else { return Err(Refusal::Server("no connection".to_owned())) };
        match open.send(message.envelope(), &message.formatted()) {
            Ok(_) => Ok(()),
            Err(error) => {
                // The library closes the connection after an error.
                self.open = None;
                let is_about_the_mail = error.is_permanent() || error.is_transient();
                let what = describe(&error);
                Err(if is_about_the_mail { Refusal::Mail(what) } else { Refusal::Server(what) })
            }
        }
    }

    fn connect(&mut self) -> Result<(), String> {
        let MailServer { host, port, tls, login, .. } = self.server;
        let failed = |what: &str, error: &Error| format!("mail server {host}:{port}: {what}: {}", describe(error));
        let hello = ClientId::default();
        let implicit = self.tls.as_ref().filter(|_| *tls == SmtpTls::Implicit);
        let mut open = SmtpConnection::connect((host.as_str(), *port), Some(TIMEOUT), &hello, implicit, None)
            .map_err(|error| failed("cannot connect", &error))?;
        if let (SmtpTls::Starttls, Some(parameters)) = (tls, &self.tls) {
            open.starttls(parameters, &hello).map_err(|error| failed("cannot encrypt the connection", &error))?;
        }
        if let Some((name, password)) = login {
            let credentials = Credentials::new(name.clone(), password.expose().to_owned());
            let login = open.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            login.map_err(|error| failed("login failed", &error))?;
        }
        self.open = Some(open);
        Ok(())
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if let Some(open) = &mut self.open {
            drop(open.quit());
        }
    }
}

fn tls_parameters(server: &MailServer) -> Result<Option<TlsParameters>, String> {
    if server.tls == SmtpTls::None {
        return Ok(None);
    }
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &server.ca {
        let certificate =
            Certificate::from_pem(pem).map_err(|error| format!("--smtp.ca-file: {}", describe(&error)))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map(Some).map_err(|error| format!("cannot configure TLS: {}", describe(&error)))
}

/// An error with its cause, which may quote the server.
fn describe(error: &Error) -> String {
    truncate(&error.to_string())
}
