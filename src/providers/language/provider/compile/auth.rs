//! The ways to authenticate.

use super::request::Outer;
use super::{Build, Names, path};
use crate::providers::language::definition::{entry, first_key, get, named};
use crate::providers::language::provider::{AuthMethod, AuthScheme, Login};
use crate::providers::language::template::Template;
use crate::schema::yaml::{Kind, Node};

/// The keys that say how a scheme authenticates.
const MEANS: [&str; 8] = [
    "bearer",
    "basic",
    "headers",
    "github_app",
    "google_service_account",
    "ovh_signature",
    "akamai_edgegrid",
    "snowflake_key_pair",
];

impl Build {
    pub(super) fn schemes(&mut self, node: Option<&Node>) -> Option<Vec<AuthScheme>> {
        let Some(node) = node else {
            let means = AuthMethod::Headers(Vec::new());
            return Some(vec![AuthScheme { name: String::new(), permission: None, means, login: None }]);
        };
        if let Kind::Text(_) = node.kind {
            let means = AuthMethod::Bearer(Template::parse("{credential}").ok()?);
            return Some(vec![AuthScheme { name: String::new(), permission: None, means, login: None }]);
        }
        self.twice(node, "auth");
        let several = matches!(&node.kind, Kind::List(list) if list.len() > 1);
        let schemes: Vec<Option<AuthScheme>> =
            named(node, "auth").into_iter().map(|(what, node)| self.scheme(node, &what, several)).collect();
        if schemes.is_empty() {
            self.tell(node.at, "auth: the list is empty".into());
        }
        schemes.into_iter().collect()
    }

    fn scheme(&mut self, node: &Node, what: &str, several: bool) -> Option<AuthScheme> {
        let name = self.string(node, "name");
        if several && name.is_none() {
            self.tell(first_key(node), format!("{what}: of several schemes each needs a `name`"));
        }
        let permission = self.string(node, "permission");
        let login = entry(node, "login").map(|_| self.login(node, what, permission.clone()));
        let special: &[&str] = if login.is_some() { &["credential", "login"] } else { &["credential"] };
        let means = self.means(node, what, &Names::special(special));
        let login = match login {
            Some(login) => Some(login?),
            None => None,
        };
        Some(AuthScheme { name: name.unwrap_or_default(), permission, means: means?, login })
    }

    fn means(&mut self, node: &Node, what: &str, names: &Names) -> Option<AuthMethod> {
        let found: Vec<_> = MEANS.iter().filter_map(|key| entry(node, key)).collect();
        let [(key, value)] = found[..] else {
            if matches!(node.kind, Kind::Map(_)) {
                let at = found.get(1).map_or(first_key(node), |(key, _)| key.at);
                self.tell(at, format!("{what}: exactly one of `bearer`, `basic`, `headers` and a signer is needed"));
            }
            return None;
        };
        match key.name.as_str() {
            "bearer" => Some(AuthMethod::Bearer(self.template(node, "bearer", what, names)?)),
            "basic" => {
                let (user, password) = self.basic(value, &path(what, "basic"), names)?;
                Some(AuthMethod::Basic { user, password })
            }
            "headers" => Some(AuthMethod::Headers(self.templates(node, "headers", what, names))),
            "github_app" => {
                let what = path(what, "github_app");
                let app_id = self.template(value, "app_id", &what, names);
                let private_key = self.template(value, "private_key", &what, names);
                let organization = self.template(value, "organization", &what, names);
                Some(AuthMethod::GithubApp { app_id: app_id?, private_key: private_key?, organization: organization? })
            }
            signer => {
                self.tell(key.at, format!("{what}: the signer `{signer}` is not supported yet"));
                None
            }
        }
    }

    fn basic(&mut self, node: &Node, what: &str, names: &Names) -> Option<(Template, Template)> {
        let user = self.template(node, "user", what, names);
        let password = self.template(node, "password", what, names);
        Some((user?, password?))
    }

    fn login(&mut self, node: &Node, what: &str, permission: Option<String>) -> Option<Login> {
        let what = path(what, "login");
        let node = get(node, "login")?;
        let names = Names::special(&["credential"]);
        let outer = Outer { permission: permission.or_else(|| self.permission.clone()), times: self.times.clone() };
        let request = self.request(node, &what, &names, &outer);
        if request.as_ref().is_some_and(|request| request.path.names().any(|name| name.head == "credential")) {
            let why = "a path is shown in messages, and in the logs of servers and proxies";
            self.tell(
                node.at,
                format!("{what}: `{{credential}}` cannot stand in a path: {why}; send it in a header or `form`"),
            );
            return None;
        }
        let basic = get(node, "basic").map(|basic| self.basic(basic, &path(&what, "basic"), &names));
        let token = self.jq(node, "token", &what, &Names::none());
        let lifetime = self.jq(node, "lifetime", &what, &Names::none());
        let basic = match basic {
            Some(basic) => Some(basic?),
            None => None,
        };
        Some(Login { request: request?, basic, token: token?, lifetime })
    }
}
