//! Authentication schemes.

use super::request::Defaults;
use super::{Compiler, Scope};
use crate::providers::language::definition::SCHEME;
use crate::providers::language::provider::{AuthMethod, AuthScheme, AwsKeyTemplates, JwtAlgorithm, Login, SignedJwt};
use crate::providers::language::settings::kubeconfig::URL;
use crate::providers::language::settings::needs::named_parts;
use crate::providers::language::template::Template;
use crate::providers::provider_info::SettingType;
use crate::schema::diagnostic::{nearest, suggest};
use crate::schema::reader::join;
use crate::schema::record::Record;
use crate::schema::yaml::Node;

impl Compiler {
    pub(super) fn schemes(&mut self, root: &Record<'_>) -> Vec<AuthScheme> {
        let records = root.records("auth");
        if records.is_empty() {
            let method = match root.is_given("auth") {
                true => AuthMethod::Bearer(Template::parse("{credential}").unwrap_or_default()),
                false => AuthMethod::Headers(Vec::new()),
            };
            return vec![AuthScheme {
                name: String::new(),
                permission: None,
                method,
                jwt: None,
                login: None,
                json_parts: None,
            }];
        }
        self.check_duplicates(records, "auth");
        records.iter().map(|record| self.scheme(record, records.len() > 1)).collect()
    }

    /// Whether a source may have a kubeconfig, which needs what the kubeconfig has.
    pub(super) fn reads_kubeconfig(&mut self, root: &Record<'_>, schemes: &[AuthScheme]) -> bool {
        let reads = root.flag("kubeconfig").unwrap_or_default();
        let has_url =
            self.settings.iter().any(|setting| setting.name == URL && setting.setting_type == SettingType::Url);
        let has_bearer = schemes.iter().any(|scheme| matches!(scheme.method, AuthMethod::Bearer(_)));
        let has_certificate = schemes.iter().any(|scheme| matches!(scheme.method, AuthMethod::ClientCertificate));
        if reads && !(has_url && has_bearer && has_certificate) {
            let message = "kubeconfig: needs the setting `url` of the type `url`, a scheme with `bearer` and one with `client_certificate`";
            self.error(root.value_at("kubeconfig"), message.to_owned());
        }
        reads
    }

    fn scheme(&mut self, record: &Record<'_>, several: bool) -> AuthScheme {
        let name = record.text("name");
        if several && name.is_none() {
            self.error(record.at, format!("{}: each of several schemes needs a `name`", record.path));
        }
        let permission = record.text("permission");
        let jwt = record.record("jwt").map(|jwt| self.jwt(jwt));
        let login = record.record("login").map(|login| self.login(login, permission.clone(), jwt.is_some()));
        let special: &[&str] = match (&login, &jwt) {
            (Some(_), _) => &["credential", "login"],
            (None, Some(_)) => &["credential", "jwt"],
            (None, None) => &["credential"],
        };
        let method = self.method(record, &Scope::special(special));
        let scheme = AuthScheme { name: name.unwrap_or_default(), permission, method, jwt, login, json_parts: None };
        let is_json = record.text("credential").as_deref() == Some("json");
        AuthScheme { json_parts: is_json.then(|| named_parts(&scheme)), ..scheme }
    }

    fn jwt(&mut self, record: &Record<'_>) -> SignedJwt {
        let scope = Scope::special(&["credential", "now", "random", "key_sha256"]);
        let claims = record.node("claims").map(Node::entries).unwrap_or_default().iter();
        let path = record.path_of("claims");
        let claims = claims.map(|(key, node)| (key.name.clone(), self.json(node, &join(&path, &key.name), &scope)));
        SignedJwt {
            claims: claims.collect(),
            algorithm: match record.text("algorithm").as_deref() {
                Some("PS256") => JwtAlgorithm::Ps256,
                Some("ES256") => JwtAlgorithm::Es256,
                _ => JwtAlgorithm::Rs256,
            },
            key: self.template(record, "key", &scope),
            certificate: record.is_given("certificate").then(|| self.template(record, "certificate", &scope)),
            header: self.templates(record, "header", &scope),
            lifetime: self.or_default(record.period("lifetime")),
        }
    }

    fn method(&mut self, record: &Record<'_>, scope: &Scope) -> AuthMethod {
        const METHODS: [&str; 8] = [
            "bearer",
            "basic",
            "headers",
            "client_certificate",
            "github_app",
            "aws_sigv4",
            "ovh_signature",
            "akamai_edgegrid",
        ];
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
        self.signs_for_aws |= key == Some("aws_sigv4");
        match (key, key.and_then(|key| record.record(key))) {
            (Some("bearer"), _) => AuthMethod::Bearer(self.template(record, "bearer", scope)),
            (Some("basic"), Some(basic)) => {
                let (user, password) = self.basic(basic, scope);
                AuthMethod::Basic { user, password }
            }
            (Some("github_app"), Some(app)) => AuthMethod::GithubApp {
                app_id: self.template(app, "app_id", scope),
                private_key: self.template(app, "private_key", scope),
                organization: self.template(app, "organization", scope),
            },
            (Some("aws_sigv4"), Some(aws)) => AuthMethod::AwsSigv4 {
                service: self.template(aws, "service", scope),
                region: self.template(aws, "region", scope),
                keys: self.aws_keys(aws, scope),
            },
            (Some("ovh_signature"), Some(ovh)) => AuthMethod::OvhSignature {
                application_key: self.template(ovh, "application_key", scope),
                application_secret: self.template(ovh, "application_secret", scope),
                consumer_key: self.template(ovh, "consumer_key", scope),
            },
            (Some("akamai_edgegrid"), Some(akamai)) => AuthMethod::AkamaiEdgegrid {
                client_token: self.template(akamai, "client_token", scope),
                client_secret: self.template(akamai, "client_secret", scope),
                access_token: self.template(akamai, "access_token", scope),
            },
            (Some("client_certificate"), _) => AuthMethod::ClientCertificate,
            _ => AuthMethod::Headers(self.templates(record, "headers", scope)),
        }
    }

    /// The id and the secret of an access key: both, or neither.
    fn aws_keys(&mut self, record: &Record<'_>, scope: &Scope) -> Option<AwsKeyTemplates> {
        const KEYS: [&str; 2] = ["access_key_id", "secret_access_key"];
        let given = record.first_given(&KEYS)?;
        for missing in KEYS.iter().filter(|key| !record.is_given(key)) {
            self.error(record.key_at(given), format!("{}: `{given}` needs `{missing}`", record.path));
        }
        Some(AwsKeyTemplates {
            access_key_id: self.template(record, "access_key_id", scope),
            secret_access_key: self.template(record, "secret_access_key", scope),
        })
    }

    fn basic(&mut self, record: &Record<'_>, scope: &Scope) -> (Template, Template) {
        (self.template(record, "user", scope), self.template(record, "password", scope))
    }

    fn login(&mut self, record: &Record<'_>, permission: Option<String>, has_jwt: bool) -> Login {
        let scope = Scope::special(if has_jwt { &["credential", "jwt"] } else { &["credential"] });
        let permission = permission.or_else(|| self.permission.clone());
        let request = self.request(record, &scope, &Defaults { permission, times: self.times.clone() });
        if request.path.names().any(|name| matches!(name.head.as_str(), "credential" | "jwt")) {
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
