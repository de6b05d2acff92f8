//! From a definition to a provider: every name resolved, every expression compiled, all mistakes at once.

mod auth;
mod listing;
mod next;
mod request;

use std::collections::HashSet;

use super::{Limits, Provider, Setting, SettingType};
use crate::core::time::{TimeFormat, Unit};
use crate::providers::language::definition;
use crate::providers::language::definition::{elements, entry, get, named};
use crate::providers::language::expression::{Expression, ExpressionScope};
use crate::providers::language::scalar_span;
use crate::providers::language::scalar_span::SpanError;
use crate::providers::language::settings;
use crate::providers::language::template::{Name, Template};
use crate::schema::diagnostic::{Diagnostics, SourceText, Span, nearest};
use crate::schema::yaml;
use crate::schema::yaml::{Kind, Node, Reader};

/// Reads a definition.
///
/// # Errors
/// Every mistake in it, each with its place and the way out.
pub fn compile(text: &SourceText) -> Result<Provider, Diagnostics> {
    let root = yaml::parse(text)?;
    let mut reader = Reader::new(text.clone());
    definition::check(&mut reader, &root);
    let mut build = Build { reader, ..Build::new(text) };
    let provider = build.provider(&root);
    build.reader.diagnostics.into_result()?;
    provider.ok_or_else(|| text.error(root.at, "no definition").into())
}

/// What a compilation knows by and by. A function that gives nothing has noted why.
struct Build {
    reader: Reader,
    /// What was said of a place, so that a part that YAML's anchors repeat is told of once.
    told: HashSet<(usize, usize, String)>,
    settings: Vec<Setting>,
    /// The names of the settings, and `auth`.
    setting_names: Vec<String>,
    map_names: Vec<String>,
    expressions: Vec<Expression>,
    /// What holds for every request that says nothing else.
    permission: Option<String>,
    failed: Option<Expression>,
    times: TimeFormat,
}

/// The names that templates and expressions may use at a place.
#[derive(Clone, Debug, Default)]
struct Names {
    /// The `as` names to the left.
    steps: Vec<String>,
    /// Whether the look-up tables can be read here.
    maps: bool,
    /// Names that templates alone may use: `credential`, `login`, `key`.
    special: &'static [&'static str],
}

impl Names {
    /// No names but the settings.
    fn none() -> Self {
        Self::default()
    }

    /// These names only for templates.
    fn special(special: &'static [&'static str]) -> Self {
        Self { special, ..Self::default() }
    }
}

impl Build {
    fn new(text: &SourceText) -> Self {
        Self {
            reader: Reader::new(text.clone()),
            told: HashSet::new(),
            settings: Vec::new(),
            setting_names: Vec::new(),
            map_names: Vec::new(),
            expressions: Vec::new(),
            permission: None,
            failed: None,
            times: TimeFormat::default(),
        }
    }

    fn provider(&mut self, root: &Node) -> Option<Provider> {
        self.settings = get(root, "settings").map(|node| self.read_settings(node)).unwrap_or_default();
        self.setting_names = self.settings.iter().map(|setting| setting.name.clone()).chain(["auth".into()]).collect();
        self.map_names = keys(get(root, "maps"));
        self.permission = self.string(root, "permission");
        self.times = self.reading(root, &TimeFormat::default(), "");
        let error = self.jq(root, "error", "", &Names::none());
        self.failed = self.jq(root, "failed", "", &Names::none());
        let headers = self.templates(root, "headers", "", &Names::none());
        let limits = get(root, "limits").map(|node| self.limits(node)).unwrap_or_default();
        let schemes = self.schemes(get(root, "auth"));
        let maps = self.read_maps(get(root, "maps"));
        let listings = self.listings(get(root, "listings"));
        let own = get(root, "self").map(|node| self.own(node, get(root, "listings")));
        Some(Provider {
            name: self.string(root, "provider")?,
            overrides: matches!(get(root, "override").map(|node| &node.kind), Some(Kind::Flag(true))),
            aliases: get(root, "aliases")
                .into_iter()
                .flat_map(elements)
                .filter_map(|node| self.written(node))
                .collect(),
            title: self.string(root, "title")?,
            docs: self.string(root, "docs")?,
            expiry: self.string(root, "expiry")?,
            permission: self.permission.clone(),
            interval: get(root, "interval").and_then(definition::duration),
            limits,
            settings: std::mem::take(&mut self.settings),
            schemes: schemes?,
            headers,
            error,
            own: own.flatten(),
            maps: maps?,
            listings: listings?,
            expressions: std::mem::take(&mut self.expressions),
        })
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let concurrency = match get(node, "concurrency") {
            Some(node) => match self.reader.count(node, "limits.concurrency") {
                Some(0) => {
                    self.tell(node.at, "limits.concurrency: at least one request must be under way".into());
                    None
                }
                number => number.and_then(|number| usize::try_from(number).ok()),
            },
            None => None,
        };
        Limits { concurrency, rate: get(node, "rate").and_then(definition::rate) }
    }

    fn read_settings(&mut self, node: &Node) -> Vec<Setting> {
        let Kind::Map(entries) = &node.kind else { return Vec::new() };
        let mut settings = Vec::new();
        for (key, node) in entries {
            if settings::COMMON.contains(&key.name.as_str()) || matches!(key.name.as_str(), "login" | "key") {
                self.tell(key.at, format!("a setting cannot be called `{}`: the name is taken", key.name));
            }
            let shape = match self.string(node, "type").as_deref() {
                Some("url") => SettingType::Url,
                Some("flag") => SettingType::Flag,
                Some("number") => SettingType::Number,
                Some("list") => SettingType::List,
                _ => SettingType::Text,
            };
            let default = entry(node, "default").map(|(_, default)| {
                let what = format!("settings.{}.default", key.name);
                settings::value(&mut self.reader, default, shape, &what).unwrap_or_default()
            });
            let help = self.string(node, "help").unwrap_or_default();
            settings.push(Setting { name: key.name.clone(), shape, default, help });
        }
        settings
    }

    /// How times are read: what is said here, over what holds around it.
    fn reading(&mut self, node: &Node, outer: &TimeFormat, what: &str) -> TimeFormat {
        let mut reading = outer.clone();
        if let Some(times) = get(node, "times") {
            reading.unit = Unit::None;
            reading.rfc_2822 = false;
            reading.end_of_day = false;
            for element in elements(times) {
                let unit = match element.as_text() {
                    Some("epoch_s") => Unit::EpochSeconds,
                    Some("epoch_ms") => Unit::EpochMilliseconds,
                    Some("seconds_from_now") => Unit::SecondsFromNow,
                    Some("rfc_2822") => {
                        reading.rfc_2822 = true;
                        continue;
                    }
                    Some("end_of_day") => {
                        reading.end_of_day = true;
                        continue;
                    }
                    _ => continue,
                };
                if reading.unit != Unit::None {
                    let message = format!("{}a number can be counted in one unit only", prefix(what, "times"));
                    self.tell(element.at, message);
                }
                reading.unit = unit;
            }
        }
        if let Some(never) = get(node, "never") {
            reading.absent_is_unknown = matches!(never.kind, Kind::Flag(_));
            reading.never = match never.kind {
                Kind::Flag(_) => Vec::new(),
                _ => elements(never).map(Node::to_json).collect(),
            };
        }
        reading
    }

    /// An expression; `what` is the construct that it stands in.
    fn jq(&mut self, node: &Node, key: &str, what: &str, names: &Names) -> Option<Expression> {
        let node = get(node, key)?;
        let path = path(what, key);
        let code = self.written(node)?;
        let maps: &[String] = if names.maps { &self.map_names } else { &[] };
        let scope = ExpressionScope { settings: &self.setting_names, maps, names: &names.steps };
        match Expression::compile(&path, &code, &scope) {
            Ok(expression) => {
                self.expressions.push(expression.clone());
                Some(expression)
            }
            Err(slips) => {
                slips.into_iter().for_each(|slip| self.slip(node, &code, &path, slip));
                None
            }
        }
    }

    /// The templates of a map of them, such as headers. A null one is empty.
    fn templates(&mut self, node: &Node, key: &str, what: &str, names: &Names) -> Vec<(String, Template)> {
        let what = path(what, key);
        let Some(Kind::Map(entries)) = get(node, key).map(|node| &node.kind) else { return Vec::new() };
        let mut templates = Vec::new();
        for (name, value) in entries {
            if key == "headers" && http::HeaderName::from_bytes(name.name.as_bytes()).is_err() {
                self.tell(name.at, format!("{what}: `{}` cannot be a header's name", name.name));
            }
            let template = match value.is_null() {
                true => Some(Template::default()),
                false => self.template_of(value, &format!("{what}.{}", name.name), names),
            };
            templates.extend(template.map(|template| (name.name.clone(), template)));
        }
        templates
    }

    /// The template of a key.
    fn template(&mut self, node: &Node, key: &str, what: &str, names: &Names) -> Option<Template> {
        self.template_of(get(node, key)?, &path(what, key), names)
    }

    fn template_of(&mut self, node: &Node, what: &str, names: &Names) -> Option<Template> {
        let text = self.written(node)?;
        let template = match Template::parse(&text) {
            Ok(template) => template,
            Err(slips) => {
                slips.into_iter().for_each(|slip| self.slip(node, &text, what, slip));
                return None;
            }
        };
        let slips: Vec<SpanError> = template
            .names()
            .filter_map(|name| Some(SpanError::new(name.at.clone(), self.unresolved(name, names)?)))
            .collect();
        let clean = slips.is_empty();
        slips.into_iter().for_each(|slip| self.slip(node, &text, what, slip));
        clean.then_some(template)
    }

    /// What is wrong with a template's name, if anything is.
    fn unresolved(&self, name: &Name, names: &Names) -> Option<String> {
        let head = name.head.as_str();
        if names.steps.iter().any(|step| step == head) || names.special.contains(&head) {
            return None;
        }
        match head {
            "credential" => return Some("`{credential}` exists in `auth` only".into()),
            "login" => return Some("`{login}` exists in `auth` only, beside a `login`".into()),
            _ => {}
        }
        match self.settings.iter().find(|setting| setting.name == head) {
            Some(_) if !name.fields.is_empty() => Some(format!("`{head}` is a setting, and has no fields")),
            Some(setting) if setting.shape == SettingType::List => {
                let walk = format!("`for_each: {{in: $settings.{head}, as: NAME}}`");
                Some(format!("`{head}` is a list; walk it with {walk}"))
            }
            Some(_) => None,
            None => {
                let settings = self.settings.iter().map(|setting| setting.name.as_str());
                let known = names.steps.iter().map(String::as_str).chain(settings).chain(names.special.iter().copied());
                let hint =
                    nearest(head, known).map_or_else(String::new, |name| format!("; did you mean `{{{name}}}`?"));
                Some(format!("nothing is called `{head}`{hint}"))
            }
        }
    }

    /// A text as it was meant: a number or a flag as it is written.
    fn written(&mut self, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Number(_) | Kind::Flag(_) => {
                self.reader.text.content().get(node.at.start..node.at.end).map(str::to_owned)
            }
            _ => None,
        }
    }

    fn string(&mut self, node: &Node, key: &str) -> Option<String> {
        self.written(get(node, key)?)
    }

    /// Notes a mistake inside a value.
    fn slip(&mut self, node: &Node, value: &str, what: &str, slip: SpanError) {
        let at = scalar_span::place(&self.reader.text, node.at, value, &slip.at);
        if self.told.insert((at.start, at.end, slip.message.clone())) {
            self.reader.error(at, format!("{what}: {}", slip.message));
        }
    }

    /// Notes a mistake, once.
    fn tell(&mut self, at: Span, message: String) {
        if self.told.insert((at.start, at.end, message.clone())) {
            self.reader.error(at, message);
        }
    }

    /// Notes each name that stands twice.
    fn twice(&mut self, list: &Node, what: &str) {
        let mut seen = HashSet::new();
        for (_, element) in named(list, what) {
            if let Some(node) = get(element, "name")
                && let Some(name) = node.as_text()
                && !seen.insert(name)
            {
                self.tell(node.at, format!("{what}: `{name}` stands twice"));
            }
        }
    }
}

/// What a message calls a key of a construct.
fn path(what: &str, key: &str) -> String {
    if what.is_empty() { key.to_owned() } else { format!("{what}.{key}") }
}

fn prefix(what: &str, key: &str) -> String {
    format!("{}: ", path(what, key))
}

/// The keys of a map whose keys are names.
fn keys(node: Option<&Node>) -> Vec<String> {
    match node.map(|node| &node.kind) {
        Some(Kind::Map(entries)) => entries.iter().map(|(key, _)| key.name.clone()).collect(),
        _ => Vec::new(),
    }
}
