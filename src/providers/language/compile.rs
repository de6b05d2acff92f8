//! From a definition to a provider: every name resolved, every expression compiled, every error reported at once.

mod auth;
mod identify;
mod listing;
mod next;
mod renew;
mod request;

pub(crate) use identify::VALUE;

use std::collections::HashSet;

use super::definition::{DEFINITION, never_after, rate};
use super::expression::{Expression, ExpressionScope};
use super::provider::{FailedResponse, Limits, Provider};
use super::scalar_span::{self, SpanError};
use super::settings;
use super::settings::secret_names::is_secret_name;
use super::template::{Name, Template, is_name};
use crate::core::time::{TimeFormat, Unit};
use crate::providers::provider_info::{Guide, Setting, SettingType};
use crate::schema::diagnostic::{Diagnostics, SourceText, Span, nearest, one_of};
use crate::schema::reader::{Reader, join, written};
use crate::schema::record::Record;
use crate::schema::yaml::{self, Kind, Node};

/// Compiles a definition. `source_keys` are the keys of every source, whose names no setting may have.
///
/// # Errors
/// Every error in it.
pub fn compile(text: &SourceText, source_keys: &[&'static str]) -> Result<Provider, Diagnostics> {
    compile_parsed(text, &yaml::parse(text)?, source_keys)
}

/// The same for a definition that is parsed already.
///
/// # Errors
/// As above.
pub(in crate::providers) fn compile_parsed(
    text: &SourceText,
    root: &Node,
    source_keys: &[&'static str],
) -> Result<Provider, Diagnostics> {
    let mut reader = Reader::refusing_null(text.clone());
    let record = reader.read(root, "", &DEFINITION);
    let invalid = || text.error(root.at, "invalid definition");
    let placeholder = Expression::compile("", ".", &ExpressionScope::default()).map_err(|_| invalid())?;
    let mut compiler = Compiler {
        reader,
        reported: HashSet::new(),
        source_keys: source_keys.to_vec(),
        settings: Vec::new(),
        setting_names: Vec::new(),
        map_names: Vec::new(),
        expressions: Vec::new(),
        placeholder,
        is_complete: true,
        permission: None,
        failed: Vec::new(),
        retry: Vec::new(),
        times: TimeFormat::default(),
        signs_for_aws: false,
    };
    let provider = compiler.provider(&record);
    compiler.reader.finish(|_| false)?;
    if compiler.is_complete { Ok(provider) } else { Err(invalid().into()) }
}

/// The state of a compilation. In place of a part that is invalid, which is reported, there is a placeholder, so that the
/// rest can be compiled and its errors be reported too.
struct Compiler {
    reader: Reader,
    /// Errors inside values: a part that YAML's anchors repeat is reported once.
    reported: HashSet<(usize, usize, String)>,
    source_keys: Vec<&'static str>,
    settings: Vec<Setting>,
    /// The names of the settings, and `auth`.
    setting_names: Vec<String>,
    map_names: Vec<String>,
    expressions: Vec<Expression>,
    placeholder: Expression,
    /// Whether there is no placeholder in the provider.
    is_complete: bool,
    /// Defaults of the requests.
    permission: Option<String>,
    failed: Vec<FailedResponse>,
    retry: Vec<u16>,
    times: TimeFormat,
    /// Whether a scheme signs requests with AWS Signature Version 4.
    signs_for_aws: bool,
}

/// A list of status codes.
fn statuses(record: &Record<'_>, key: &str) -> Option<Vec<u16>> {
    Some(record.texts(key)?.iter().filter_map(|(status, _)| status.parse().ok()).collect())
}

fn guide(root: &Record<'_>) -> Guide {
    Guide {
        group: root.text("group").unwrap_or_default(),
        credential: root.text("credential"),
        example: root.text("example"),
        cost: root.text("cost"),
        not_listed: root.texts("not_listed").into_iter().flatten().map(|(text, _)| text).collect(),
        tested_against: root.text("tested_against"),
    }
}

/// The names that templates and expressions may use, in addition to the settings.
#[derive(Clone, Debug, Default)]
struct Scope {
    /// The `as` names of the steps before.
    steps: Vec<String>,
    /// Whether the look-up tables are available.
    maps: bool,
    /// Names that only templates may use: `credential`, `login`, `key`.
    special: &'static [&'static str],
}

impl Scope {
    fn special(special: &'static [&'static str]) -> Self {
        Self { special, ..Self::default() }
    }
}

impl Compiler {
    fn provider(&mut self, root: &Record<'_>) -> Provider {
        self.settings = root.records("settings").iter().map(|setting| self.setting(setting)).collect();
        self.setting_names = self.settings.iter().map(|setting| setting.name.clone()).chain(["auth".into()]).collect();
        root.records("settings").iter().for_each(|setting| self.check_default_url(setting));
        self.map_names = root.records("maps").iter().map(Record::key_name).collect();
        self.permission = root.text("permission");
        self.times = times(root, &TimeFormat::default());
        let global = Scope::default();
        self.failed = self.failed(root, &global).unwrap_or_default();
        self.retry = statuses(root, "retry").unwrap_or_default();
        let schemes = self.schemes(root);
        Provider {
            name: self.text(root, "provider"),
            overrides: root.flag("override").unwrap_or_default(),
            aliases: root.texts("aliases").into_iter().flatten().map(|(alias, _)| alias).collect(),
            title: self.text(root, "title"),
            docs: self.text(root, "docs"),
            expiry: self.text(root, "expiry"),
            permission: self.permission.clone(),
            guide: guide(root),
            interval: root.period("interval"),
            limits: Limits {
                concurrency: root.count("limits.concurrency").and_then(|limit| usize::try_from(limit).ok()),
                rate: root.node("limits.rate").and_then(rate),
            },
            headers: self.templates(root, "headers", &global),
            is_aws_query: root.text("responses").as_deref() == Some("aws_query"),
            error: self.jq(root, "error", &global),
            reads_kubeconfig: self.reads_kubeconfig(root, &schemes),
            schemes,
            maps: root.records("maps").iter().map(|map| self.map(map)).collect(),
            listings: self.listings(root),
            renewals: self.renewals(root),
            identify: root
                .records("identify")
                .iter()
                .map(|record| self.identify(record, root.records("listings")))
                .collect(),
            own: root.record("self").map(|record| self.own(record, root.records("listings"))),
            settings: std::mem::take(&mut self.settings),
            #[cfg(test)]
            expressions: std::mem::take(&mut self.expressions),
            source_keys: std::mem::take(&mut self.source_keys),
        }
    }

    fn setting(&mut self, record: &Record<'_>) -> Setting {
        let name = self.map_key(record);
        if self.source_keys.contains(&name.as_str()) || matches!(name.as_str(), "login" | "key") {
            self.error(record.name_at(), format!("setting name `{name}` is reserved"));
        }
        let setting_type = match record.text("type").as_deref() {
            Some("url") => SettingType::Url,
            Some("flag") => SettingType::Flag,
            Some("number") => SettingType::Number,
            Some("list") => SettingType::List,
            _ => SettingType::Text,
        };
        if matches!(setting_type, SettingType::Text | SettingType::List) && is_secret_name(&name) {
            let message = format!(
                "{}: the name of a secret, which settings do not keep; use `{{credential.{name}}}` in `auth`, or name it \
                 `{name}_id` if it is not secret",
                record.path
            );
            self.error(record.name_at(), message);
        }
        let default = record.node("default").map(|default| match setting_type {
            SettingType::Url if settings::default_url::is_template(default) => default.to_json(),
            _ => {
                settings::value(&mut self.reader, default, setting_type, &record.path_of("default")).unwrap_or_default()
            }
        });
        Setting { name, setting_type, default, help: record.text("help").unwrap_or_default() }
    }

    /// Checks the default of a URL that names other settings.
    fn check_default_url(&mut self, record: &Record<'_>) {
        let is_url = record.text("type").as_deref() == Some("url");
        let Some(node) = record.node("default").filter(|node| is_url && settings::default_url::is_template(node))
        else {
            return;
        };
        let path = record.path_of("default");
        let Some(template) = self.template_of(node, &path, &Scope::default()) else { return };
        let is_text = |name: &Name| {
            self.settings.iter().any(|setting| setting.name == name.head && setting.setting_type == SettingType::Text)
        };
        let other = template.names().find(|name| name.raw || !is_text(name)).map(ToString::to_string);
        let problem = match other {
            Some(name) => Some(format!("`{name}` is not a setting of type `text`")),
            None => settings::default_url::filled(&template, &|_| Some("a".to_owned())).err().map(str::to_owned),
        };
        if let Some(problem) = problem {
            self.error(node.at, format!("{path}: {problem}"));
        }
    }

    /// The name of a setting or a look-up table.
    fn map_key(&mut self, record: &Record<'_>) -> String {
        let name = record.key_name();
        if !is_name(&name) {
            self.error(record.name_at(), format!("`{name}` is not a name: use letters, digits, `_` and `-`"));
        }
        name
    }

    /// A placeholder for a part that is invalid or missing.
    fn or_default<T: Default>(&mut self, found: Option<T>) -> T {
        self.is_complete &= found.is_some();
        found.unwrap_or_default()
    }

    /// A text that is required.
    fn text(&mut self, record: &Record<'_>, key: &str) -> String {
        self.or_default(record.text(key))
    }

    /// An expression that is required.
    fn required_jq(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Expression {
        let found = self.jq(record, key, scope);
        self.is_complete &= found.is_some();
        found.unwrap_or_else(|| self.placeholder.clone())
    }

    /// Compiles an expression.
    fn jq(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Option<Expression> {
        let node = record.node(key)?;
        let (path, code) = (record.path_of(key), self.written(node)?);
        let maps: &[String] = if scope.maps { &self.map_names } else { &[] };
        let scope = ExpressionScope { settings: &self.setting_names, maps, names: &scope.steps };
        match Expression::compile(&path, &code, &scope) {
            Ok(expression) => {
                self.expressions.push(expression.clone());
                Some(expression)
            }
            Err(errors) => {
                errors.into_iter().for_each(|error| self.error_within(node, &code, &path, error));
                None
            }
        }
    }

    /// The templates of a map, such as headers. A null one is empty.
    fn templates(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Vec<(String, Template)> {
        let path = record.path_of(key);
        let mut templates = Vec::new();
        for (name, value) in record.node(key).map(Node::entries).unwrap_or_default() {
            if key == "headers" && http::HeaderName::from_bytes(name.name.as_bytes()).is_err() {
                self.error(name.at, format!("{path}: `{}` is not a valid header name", name.name));
            }
            let template = match value.kind {
                Kind::Null => Template::default(),
                _ => self.template_at(value, &join(&path, &name.name), scope),
            };
            templates.push((name.name.clone(), template));
        }
        templates
    }

    fn template(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Template {
        let template = record.node(key).map(|node| self.template_at(node, &record.path_of(key), scope));
        self.or_default(template)
    }

    fn template_at(&mut self, node: &Node, path: &str, scope: &Scope) -> Template {
        let template = self.template_of(node, path, scope);
        self.or_default(template)
    }

    fn template_of(&mut self, node: &Node, path: &str, scope: &Scope) -> Option<Template> {
        let text = self.written(node)?;
        let unresolved = |name: &Name| Some(SpanError::new(name.at.clone(), self.unresolved(name, scope)?));
        let errors = match Template::parse(&text) {
            Ok(template) => match template.names().filter_map(unresolved).collect::<Vec<_>>() {
                errors if errors.is_empty() => return Some(template),
                errors => errors,
            },
            Err(errors) => errors,
        };
        errors.into_iter().for_each(|error| self.error_within(node, &text, path, error));
        None
    }

    /// Why a name of a template cannot be used.
    fn unresolved(&self, name: &Name, scope: &Scope) -> Option<String> {
        let head = name.head.as_str();
        if scope.steps.iter().any(|step| step == head) || scope.special.contains(&head) {
            return None;
        }
        Some(match (head, self.settings.iter().find(|setting| setting.name == head)) {
            ("credential", _) => "`{credential}` is available only in `auth`".into(),
            ("jwt", _) => "`{jwt}` is available only in `auth`, together with a `jwt`".into(),
            ("login", _) => "`{login}` is available only in `auth`, together with a `login`".into(),
            (_, Some(_)) if !name.fields.is_empty() => format!("`{head}` is a setting, which has no fields"),
            (_, Some(setting)) if setting.setting_type == SettingType::List => {
                format!("`{head}` is a list; use its elements with `for_each: {{in: $settings.{head}, as: NAME}}`")
            }
            (_, Some(_)) => return None,
            (_, None) => {
                let settings = self.settings.iter().map(|setting| setting.name.as_str());
                let known = scope.steps.iter().map(String::as_str).chain(settings).chain(scope.special.iter().copied());
                let hint = nearest(head, known).map(|name| format!("; did you mean `{{{name}}}`?"));
                format!("unknown name `{head}`{}", hint.unwrap_or_default())
            }
        })
    }

    /// A number or a boolean is a text as it is written.
    fn written(&self, node: &Node) -> Option<String> {
        written(&self.reader.text, node).map(str::to_owned)
    }

    fn error(&mut self, at: Span, message: String) {
        self.reader.error(at, message);
    }

    /// Reports an error inside a value.
    fn error_within(&mut self, node: &Node, value: &str, path: &str, error: SpanError) {
        let at = scalar_span::span_in_file(&self.reader.text, node.at, value, &error.at);
        if self.reported.insert((at.start, at.end, error.message.clone())) {
            self.error(at, format!("{path}: {}", error.message));
        }
    }

    /// Reports each name that occurs twice in a list.
    fn check_duplicates(&mut self, records: &[Record<'_>], list: &str) {
        let mut seen = HashSet::new();
        for (name, at) in records.iter().filter_map(|record| record.spanned("name")) {
            if !seen.insert(name.clone()) {
                self.error(at, format!("{list}: duplicate name `{name}`"));
            }
        }
    }

    /// Reports keys that are not allowed here.
    fn refuse(&mut self, record: &Record<'_>, keys: &[&str], why: &str) {
        for key in keys.iter().filter(|key| record.is_given(key)) {
            self.error(record.key_at(key), format!("{}: `{key}` {why}", record.path));
        }
    }

    /// The one of these keys that is present. None, and more than one, are errors; a misspelt key has its own.
    fn exactly_one<'k>(&mut self, record: &Record<'_>, keys: &[&'k str]) -> Option<&'k str> {
        let given: Vec<_> = keys.iter().copied().filter(|key| record.is_given(key)).collect();
        if given.len() != 1 && record.is_map && !(given.is_empty() && record.has_unknown) {
            let at = given.get(1).map_or(record.at, |second| record.key_at(second));
            self.error(at, format!("{}: expected exactly one of {}", record.path, one_of(keys.iter().copied())));
        }
        given.first().copied().filter(|_| given.len() == 1)
    }
}

/// How times are read: what `times` and `never` say, else what applies around them.
fn times(record: &Record<'_>, outer: &TimeFormat) -> TimeFormat {
    let mut format = outer.clone();
    if let Some(words) = record.texts("times") {
        let has = |word: &str| words.iter().any(|(found, _)| found == word);
        format.unit = match () {
            () if has("epoch_s") => Unit::EpochSeconds,
            () if has("epoch_ms") => Unit::EpochMilliseconds,
            () if has("seconds_from_now") => Unit::SecondsFromNow,
            () => Unit::None,
        };
        format.rfc_2822 = has("rfc_2822");
        format.end_of_day = has("end_of_day");
    }
    if let Some(never) = record.node("never") {
        format.absent_is_unknown = matches!(never.kind, Kind::Flag(_));
        let values = never.elements().iter().filter(|element| !matches!(element.kind, Kind::Flag(_) | Kind::Map(_)));
        format.never = values.map(Node::to_json).collect();
        format.never_after = never.elements().iter().find_map(never_after);
    }
    format
}
