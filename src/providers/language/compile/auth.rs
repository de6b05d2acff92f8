//! Authentication schemes.

use super::request::Defaults;
use super::{Compiler, Scope};
use crate::providers::language::provider::{AuthMethod, AuthScheme, Login};
use crate::providers::language::template::Template;
use crate::schema::read::Record;

impl Compiler {
    pub(super) fn schemes(&mut self, root: &Record<'_>) -> Option<Vec<AuthScheme>> {
        let unnamed = |means| Some(vec![AuthScheme { name: String::new(), permission: None, means, login: None }]);
        let records = root.records("auth");
        if records.is_empty() {
            // Without a scheme a request has no credential.
            return match root.is_given("auth") {
                true => unnamed(AuthMethod::Bearer(Template::parse("{credential}").ok()?)),
                false => unnamed(AuthMethod::Headers(Vec::new())),
            };
        }
        self.check_duplicates(records, "auth");
        let schemes: Vec<_> = records.iter().map(|record| self.scheme(record, records.len() > 1)).collect();
        schemes.into_iter().collect()
    }

    fn scheme(&mut self, record: &Record<'_>, several: bool) -> Option<AuthScheme> {
        let name = record.text("name");
        if several && name.is_none() {
            self.error(record.at, format!("{}: each of several schemes needs a `name`", record.path));
        }
        let permission = record.text("permission");
        let login = record.record("login").map(|login| self.login(login, permission.clone()));
        let special: &[&str] = if login.is_some() { &["credential", "login"] } else { &["credential"] };
        let means = self.method(record, &Scope::special(special));
        let login = match login {
            Some(login) => Some(login?),
            None => None,
        };
        Some(AuthScheme { name: name.unwrap_or_default(), permission, means: means?, login })
    }

    fn method(&mut self, record: &Record<'_>, scope: &Scope) -> Option<AuthMethod> {
        match self.exactly_one(record, &["bearer", "basic", "headers", "github_app"])? {
            "bearer" => Some(AuthMethod::Bearer(self.template(record, "bearer", scope)?)),
            "basic" => {
                let (user, password) = self.basic(record.record("basic")?, scope)?;
                Some(AuthMethod::Basic { user, password })
            }
            "headers" => Some(AuthMethod::Headers(self.templates(record, "headers", scope))),
            _ => {
                let app = record.record("github_app")?;
                let app_id = self.template(app, "app_id", scope);
                let private_key = self.template(app, "private_key", scope);
                let organization = self.template(app, "organization", scope);
                Some(AuthMethod::GithubApp { app_id: app_id?, private_key: private_key?, organization: organization? })
            }
        }
    }

    fn basic(&mut self, record: &Record<'_>, scope: &Scope) -> Option<(Template, Template)> {
        let user = self.template(record, "user", scope);
        let password = self.template(record, "password", scope);
        Some((user?, password?))
    }

    fn login(&mut self, record: &Record<'_>, permission: Option<String>) -> Option<Login> {
        let scope = Scope::special(&["credential"]);
        let permission = permission.or_else(|| self.permission.clone());
        let defaults = Defaults { permission, times: self.times.clone() };
        let request = self.request(record, &scope, &defaults);
        if request.as_ref().is_some_and(|request| request.path.names().any(|name| name.head == "credential")) {
            let why = "messages and the logs of servers and proxies show paths";
            let message =
                format!("{}: no `{{credential}}` in a path: {why}; send it in a header or `form`", record.path);
            self.error(record.at, message);
            return None;
        }
        let basic = record.record("basic").map(|basic| self.basic(basic, &scope));
        let token = self.jq(record, "token", &Scope::default());
        let lifetime = self.jq(record, "lifetime", &Scope::default());
        let basic = match basic {
            Some(basic) => Some(basic?),
            None => None,
        };
        Some(Login { request: request?, basic, token: token?, lifetime })
    }
}
