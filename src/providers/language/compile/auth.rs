//! Authentication schemes.

use super::request::Defaults;
use super::{Compiler, Scope};
use crate::providers::language::definition::SCHEME;
use crate::providers::language::provider::{AuthMethod, AuthScheme, Login};
use crate::providers::language::template::Template;
use crate::schema::diagnostic::{nearest, suggest};
use crate::schema::record::Record;

impl Compiler {
    pub(super) fn schemes(&mut self, root: &Record<'_>) -> Vec<AuthScheme> {
        let records = root.records("auth");
        if records.is_empty() {
            let method = match root.is_given("auth") {
                true => AuthMethod::Bearer(Template::parse("{credential}").unwrap_or_default()),
                false => AuthMethod::Headers(Vec::new()),
            };
            return vec![AuthScheme { name: String::new(), permission: None, method, login: None }];
        }
        self.check_duplicates(records, "auth");
        records.iter().map(|record| self.scheme(record, records.len() > 1)).collect()
    }

    fn scheme(&mut self, record: &Record<'_>, several: bool) -> AuthScheme {
        let name = record.text("name");
        if several && name.is_none() {
            self.error(record.at, format!("{}: each of several schemes needs a `name`", record.path));
        }
        let permission = record.text("permission");
        let login = record.record("login").map(|login| self.login(login, permission.clone()));
        let special: &[&str] = if login.is_some() { &["credential", "login"] } else { &["credential"] };
        let method = self.method(record, &Scope::special(special));
        AuthScheme { name: name.unwrap_or_default(), permission, method, login }
    }

    fn method(&mut self, record: &Record<'_>, scope: &Scope) -> AuthMethod {
        const METHODS: [&str; 4] = ["bearer", "basic", "headers", "github_app"];
        if let Some(((unknown, _), _)) = record.rest.split_first() {
            let is_misspelt = record.rest.iter().any(|(key, _)| nearest(&key.name, SCHEME.names()).is_some());
            if !is_misspelt && METHODS.iter().all(|method| !record.is_given(method)) {
                return AuthMethod::Unknown(unknown.name.clone());
            }
            for (key, _) in &record.rest {
                let hint = suggest(&key.name, SCHEME.names());
                self.error(key.at, format!("unknown key `{}`{hint}", record.path_of(&key.name)));
            }
            return AuthMethod::Headers(Vec::new());
        }
        let key = self.exactly_one(record, &METHODS);
        match (key, record.record("basic"), record.record("github_app")) {
            (Some("bearer"), ..) => AuthMethod::Bearer(self.template(record, "bearer", scope)),
            (Some("basic"), Some(basic), _) => {
                let (user, password) = self.basic(basic, scope);
                AuthMethod::Basic { user, password }
            }
            (Some("github_app"), _, Some(app)) => AuthMethod::GithubApp {
                app_id: self.template(app, "app_id", scope),
                private_key: self.template(app, "private_key", scope),
                organization: self.template(app, "organization", scope),
            },
            _ => AuthMethod::Headers(self.templates(record, "headers", scope)),
        }
    }

    fn basic(&mut self, record: &Record<'_>, scope: &Scope) -> (Template, Template) {
        (self.template(record, "user", scope), self.template(record, "password", scope))
    }

    fn login(&mut self, record: &Record<'_>, permission: Option<String>) -> Login {
        let scope = Scope::special(&["credential"]);
        let permission = permission.or_else(|| self.permission.clone());
        let request = self.request(record, &scope, &Defaults { permission, times: self.times.clone() });
        if request.path.names().any(|name| name.head == "credential") {
            let why = "messages and the logs of servers and proxies show paths";
            let message =
                format!("{}: no `{{credential}}` in a path: {why}; send it in a header or `form`", record.path);
            self.error(record.at, message);
        }
        Login {
            request,
            basic: record.record("basic").map(|basic| self.basic(basic, &scope)),
            token: self.required_jq(record, "token", &Scope::default()),
            lifetime: self.jq(record, "lifetime", &Scope::default()),
        }
    }
}
