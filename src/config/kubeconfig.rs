//! The kubeconfig of a source: its API server, read with the configuration, and its token and certificates, read at each
//! collection. <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::Url;

use super::environment::FileEnvironment;
use super::secrets::has_password;
use super::tls::{self, Pem};
use super::value_types::proxy_problem;
use crate::core::api_server::ApiServer;
use crate::core::certificates::{Certificates, TlsMaterial};
use crate::core::failure::{Failure, Reason};
use crate::core::secret::{Credential, Credentials, Secret};
use crate::schema::diagnostic::{SourceText, suggest};
use crate::schema::reader::{Reader, written};
use crate::schema::record::Record;
use crate::schema::yaml::{self, Kind, Node};

/// The keys of a source that a kubeconfig replaces; `url`, a setting of the provider, is another one.
const REPLACED: [&str; 3] = ["credential", "auth", "tls"];

const TOKEN_REMEDY: &str = "use one whose user has a token, such as that of a service account";

/// What `kubectl config view` shows in place of a secret.
const OMITTED: [&str; 2] = ["DATA+OMITTED", "REDACTED"];

/// A context of a kubeconfig.
pub(super) struct Kubeconfig {
    path: PathBuf,
    /// Its current context, if it is `None`.
    context: Option<String>,
    environment: FileEnvironment,
    /// As read with the configuration.
    target: Target,
}

/// Where requests go. If it changes, the configuration is reloaded, so that no credential goes to another server than its own.
#[derive(Clone, PartialEq)]
struct Target {
    server: ApiServer,
    proxy: Option<Url>,
}

/// What a context names.
struct Connection {
    target: Target,
    token: Option<Secret>,
    material: TlsMaterial,
}

impl Kubeconfig {
    pub(super) fn server(&self) -> ApiServer {
        self.target.server.clone()
    }

    pub(super) fn proxy(&self) -> Option<Url> {
        self.target.proxy.clone()
    }

    fn connection(&self) -> Result<Connection, Failure> {
        let failure = |problem| Failure::new(Reason::Credential, format!("kubeconfig: {problem}"));
        let connection = connection(&self.environment, &self.path, self.context.as_deref()).map_err(failure)?;
        if connection.target == self.target {
            return Ok(connection);
        }
        let shown = self.path.display();
        Err(failure(format!(
            "{shown} names another server or another kind of credential now; it counts from the next reload on"
        )))
    }
}

impl Credentials for Kubeconfig {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(self.connection()?.token.map(Credential::single).unwrap_or_default())
    }

    fn parts(&self) -> Vec<String> {
        if self.target.server.has_token { vec![String::new()] } else { Vec::new() }
    }
}

impl Certificates for Kubeconfig {
    fn read(&self) -> Result<TlsMaterial, Failure> {
        Ok(self.connection()?.material)
    }
}

/// Reads a source's `kubeconfig`. `None` if something in it is invalid, which is reported.
pub(super) fn read(reader: &mut Reader, environment: &FileEnvironment, values: &Record<'_>) -> Option<Arc<Kubeconfig>> {
    if !values.is_given("kubeconfig") {
        return None;
    }
    for key in REPLACED.into_iter().filter(|key| values.is_given(key)) {
        reader.error(values.key_at(key), format!("{}: the kubeconfig has it; remove one of them", values.path_of(key)));
    }
    let (path, context) = (environment.path(&values.text("kubeconfig.file")?), values.text("kubeconfig.context"));
    match connection(environment, &path, context.as_deref()) {
        Ok(Connection { target, .. }) => {
            Some(Arc::new(Kubeconfig { path, context, environment: environment.clone(), target }))
        }
        Err(problem) => {
            let message = format!("{}: {problem}", values.path_of("kubeconfig"));
            reader.error(values.value_at("kubeconfig.file"), message);
            None
        }
    }
}

/// # Errors
/// What is wrong, with the file, the line and the key. It quotes nothing but names.
fn connection(environment: &FileEnvironment, path: &Path, context: Option<&str>) -> Result<Connection, String> {
    let text = SourceText::new(
        path.display().to_string(),
        environment.read_text(path).map_err(|error| format!("{error}; let the exporter's user read it"))?,
    );
    let root = yaml::parse(&text).map_err(|error| {
        format!("{}:{}: invalid YAML; `kubectl config view` says why", path.display(), error.line_number())
    })?;
    let file = File { environment, path, text };
    if file.names(&root, "contexts").next().is_none() {
        return Err(format!("{}: not a kubeconfig: it has no `contexts`", path.display()));
    }
    let named = file.text(&root, "current-context", "current-context")?;
    let Some(context) = context.map(str::to_owned).or(named) else {
        let known = suggest("", file.names(&root, "contexts"));
        return Err(file.problem(&root, "current-context", &format!("empty; set `context`{known}")));
    };
    let (context, at) = file.entry(&root, "contexts", "context", &context)?;
    let name = |key| match file.text(context, key, &format!("{at}.{key}"))? {
        Some(name) => Ok(name),
        None => Err(file.problem(context, &at, &format!("has no `{key}`"))),
    };
    let (cluster, cluster_at) = file.entry(&root, "clusters", "cluster", &name("cluster")?)?;
    let (user, user_at) = file.entry(&root, "users", "user", &name("user")?)?;
    file.refuse_unsupported(cluster, &cluster_at, &UNSUPPORTED_CLUSTER)?;
    file.refuse_unsupported(user, &user_at, &UNSUPPORTED_USER)?;
    let (token, identity) = (file.token(user, &user_at)?, file.identity(user, &user_at)?);
    if token.is_none() && identity.is_none() {
        return Err(file.no_credential(user, &user_at));
    }
    let Some(url) = file.text(cluster, "server", &format!("{cluster_at}.server"))? else {
        return Err(file.problem(cluster, &cluster_at, "has no `server`"));
    };
    Ok(Connection {
        target: Target {
            server: ApiServer { url, has_token: token.is_some() },
            proxy: file.proxy(cluster, &cluster_at)?,
        },
        token,
        material: TlsMaterial {
            ca: file.pem(cluster, &cluster_at, "certificate-authority", Pem::Certificate)?.map(String::into_bytes),
            identity,
        },
    })
}

/// What a cluster may not have, and what to do.
const UNSUPPORTED_CLUSTER: [(&str, &str); 2] = [
    ("insecure-skip-tls-verify", "the exporter verifies every server; remove it, and set `certificate-authority-data`"),
    ("tls-server-name", "not supported; use a server name that the certificate has"),
];

/// What a user may not have, and what to do.
const UNSUPPORTED_USER: [(&str, &str); 5] = [
    ("as", IMPERSONATION),
    ("as-uid", IMPERSONATION),
    ("as-groups", IMPERSONATION),
    ("as-user-extra", IMPERSONATION),
    (
        "username",
        "API servers no longer accept passwords; use one whose user has a token, such as that of a service account",
    ),
];

const IMPERSONATION: &str = "the exporter does not impersonate users; use one whose user has the permissions itself";

/// A kubeconfig.
struct File<'a> {
    environment: &'a FileEnvironment,
    path: &'a Path,
    text: SourceText,
}

impl File<'_> {
    fn problem(&self, node: &Node, key: &str, problem: &str) -> String {
        format!("{}:{}: {key}: {problem}", self.path.display(), self.text.line_number(node.at.start))
    }

    /// The names in a list of named entries.
    fn names<'n>(&'n self, root: &'n Node, list: &str) -> impl Iterator<Item = &'n str> + Clone {
        let entries = root.get(list).map(Node::elements).unwrap_or_default().iter();
        entries.filter_map(|entry| written(&self.text, entry.get("name")?))
    }

    /// The content of a named entry, and its path: `clusters[0].cluster`.
    fn entry<'n>(&self, root: &'n Node, list: &str, content: &str, name: &str) -> Result<(&'n Node, String), String> {
        let entries = root.get(list).map(Node::elements).unwrap_or_default();
        let is_it = |entry: &Node| entry.get("name").and_then(|found| written(&self.text, found)) == Some(name);
        let mut found = entries.iter().enumerate().filter(|(_, entry)| is_it(entry));
        let (first, second) = (found.next(), found.next());
        let Some((number, entry)) = first else {
            let known = suggest(name, self.names(root, list));
            return Err(self.problem(root.get(list).unwrap_or(root), list, &format!("has no `{name}`{known}")));
        };
        if let Some((_, second)) = second {
            return Err(self.problem(second, list, &format!("has `{name}` twice; remove one of them")));
        }
        let path = format!("{list}[{number}].{content}");
        match entry.get(content) {
            Some(found) if matches!(found.kind, Kind::Map(_)) => Ok((found, path)),
            _ => Err(self.problem(entry, &path, "missing")),
        }
    }

    /// A text; `None` if it is absent or empty.
    fn text(&self, map: &Node, key: &str, path: &str) -> Result<Option<String>, String> {
        let Some(node) = map.get(key).filter(|node| !node.is_null()) else { return Ok(None) };
        match written(&self.text, node) {
            Some(text) if OMITTED.contains(&text) => {
                Err(self.problem(node, path, "`kubectl config view` omitted it; write the file with `--raw`"))
            }
            Some(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            None => Err(self.problem(node, path, &format!("expected a string, found {}", node.describe()))),
        }
    }

    fn refuse_unsupported(&self, map: &Node, path: &str, keys: &[(&str, &str)]) -> Result<(), String> {
        let is_set = |node: &Node| match &node.kind {
            Kind::Null | Kind::Flag(false) => false,
            Kind::Text(text) => !text.is_empty(),
            Kind::List(list) => !list.is_empty(),
            Kind::Map(entries) => !entries.is_empty(),
            _ => true,
        };
        for (key, remedy) in keys {
            if let Some(node) = map.get(key).filter(|node| is_set(node)) {
                return Err(self.problem(node, &format!("{path}.{key}"), remedy));
            }
        }
        Ok(())
    }

    /// As in other clients, a file with the token replaces the token.
    fn token(&self, user: &Node, path: &str) -> Result<Option<Secret>, String> {
        let Some(file) = self.text(user, "tokenFile", &format!("{path}.tokenFile"))? else {
            return Ok(self.text(user, "token", &format!("{path}.token"))?.map(Secret::new));
        };
        let node = user.get("tokenFile").unwrap_or(user);
        let problem = |problem: &str| self.problem(node, &format!("{path}.tokenFile"), problem);
        let file = self.next_to_it(&file);
        let token = self.environment.read_text(&file).map_err(|error| problem(&error))?;
        match token.trim() {
            "" => Err(problem(&format!("{} is empty", file.display()))),
            token => Ok(Some(Secret::new(token))),
        }
    }

    /// The client certificate and its key.
    fn identity(&self, user: &Node, path: &str) -> Result<Option<Secret>, String> {
        let certificate = self.pem(user, path, "client-certificate", Pem::Certificate)?;
        let key = self.pem(user, path, "client-key", Pem::Key)?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Secret::new(format!("{}\n{key}", certificate.trim_end())))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.problem(user, path, "has a client certificate without its key")),
            (None, Some(_)) => {
                Err(self.problem(user, path, "has the key of a client certificate without the certificate"))
            }
        }
    }

    /// PEM in `KEY-data`, in base64, or in the file that `KEY` names.
    fn pem(&self, map: &Node, path: &str, key: &str, pem: Pem) -> Result<Option<String>, String> {
        let data = format!("{key}-data");
        let (found, content) = if let Some(text) = self.text(map, &data, &format!("{path}.{data}"))? {
            let text: String = text.split_whitespace().collect();
            let decoded = BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            (data, decoded.ok_or_else(|| "not PEM in base64; write the file's content, encoded once".to_owned()))
        } else if let Some(file) = self.text(map, key, &format!("{path}.{key}"))? {
            (key.to_owned(), self.environment.read_text(&self.next_to_it(&file)))
        } else {
            return Ok(None);
        };
        let content = content.and_then(|content| tls::checked(&content, pem));
        let node = map.get(&found).unwrap_or(map);
        content.map(Some).map_err(|problem| self.problem(node, &format!("{path}.{found}"), &problem))
    }

    fn proxy(&self, cluster: &Node, path: &str) -> Result<Option<Url>, String> {
        let Some(text) = self.text(cluster, "proxy-url", &format!("{path}.proxy-url"))? else { return Ok(None) };
        let problem = match has_password(&text) {
            true => Some("has a password; remove it, and set the variable HTTPS_PROXY".to_owned()),
            false => proxy_problem(&text),
        };
        let node = cluster.get("proxy-url").unwrap_or(cluster);
        match problem {
            Some(problem) => Err(self.problem(node, &format!("{path}.proxy-url"), &problem)),
            None => Ok(text.parse().ok()),
        }
    }

    /// Why a user without a token and a certificate cannot be used.
    fn no_credential(&self, user: &Node, path: &str) -> String {
        let plugin = ["exec", "auth-provider"].into_iter().find_map(|key| Some((key, user.get(key)?)));
        match plugin {
            Some((key, node)) => {
                let problem = format!("the exporter runs no plug-ins for a login; {TOKEN_REMEDY}");
                self.problem(node, &format!("{path}.{key}"), &problem)
            }
            None => self.problem(user, path, &format!("has neither a token nor a client certificate; {TOKEN_REMEDY}")),
        }
    }

    /// A path in the file is relative to its directory.
    fn next_to_it(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or_else(|| Path::new("")).join(file)
    }
}
