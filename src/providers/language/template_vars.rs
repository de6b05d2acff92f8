//! What `{name}` in a template stands for.

use super::expression::Val;
use super::template::Name;
use super::value;
use crate::core::secret::{Credential, Secret};

/// An element of a fan-out under the name that its step gives it.
#[derive(Clone, Debug)]
pub(in crate::providers) struct FanOutVar<'p> {
    pub(in crate::providers) name: &'p str,
    pub(in crate::providers) value: Val,
}

/// What the credential is, for the templates of `auth`.
#[derive(Clone, Copy)]
pub(in crate::providers) struct Secrets<'a> {
    pub(in crate::providers) credential: &'a Credential,
    pub(in crate::providers) login: Option<&'a Secret>,
}

/// Everything that a template may name.
#[derive(Clone, Copy)]
pub(in crate::providers) struct TemplateVars<'a> {
    /// The source's settings.
    pub(in crate::providers) settings: &'a Val,
    /// The elements that a fan-out has come by.
    pub(in crate::providers) named: &'a [FanOutVar<'a>],
    /// The key of a look-up.
    pub(in crate::providers) key: Option<&'a str>,
    /// In `auth` only.
    pub(in crate::providers) secrets: Option<Secrets<'a>>,
}

impl<'a> TemplateVars<'a> {
    /// The settings alone.
    pub(in crate::providers) fn settings(settings: &'a Val) -> Self {
        Self { settings, named: &[], key: None, secrets: None }
    }

    /// The same with the elements of a fan-out.
    pub(in crate::providers) fn with_named(self, named: &'a [FanOutVar<'a>]) -> Self {
        Self { named, ..self }
    }

    /// The same with a look-up's key.
    pub(in crate::providers) fn with_key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same with the credential.
    pub(in crate::providers) fn with_secrets(self, secrets: Secrets<'a>) -> Self {
        Self { secrets: Some(secrets), ..self }
    }

    /// What a name stands for; none where that is null or not there.
    pub(in crate::providers) fn value(&self, name: &Name) -> Option<Val> {
        let fields = name.fields.iter().map(String::as_str);
        let whole = match (name.head.as_str(), self.secrets) {
            ("credential", Some(secrets)) => {
                let part = name.fields.first().map_or("", String::as_str);
                return secrets.credential.part(part).map(|secret| value::val(secret.expose()));
            }
            ("login", Some(secrets)) => return secrets.login.map(|secret| value::val(secret.expose())),
            ("key", _) if self.key.is_some() => return self.key.map(value::val),
            (head, _) => {
                let element = self.named.iter().rev().find(|named| named.name == head);
                element.map(|named| &named.value).or_else(|| value::field(self.settings, head))?
            }
        };
        let found = fields.into_iter().try_fold(whole, value::field)?;
        (!matches!(found, Val::Null)).then(|| found.clone())
    }

    /// The same as a text; none of a list or an object.
    pub(in crate::providers) fn text(&self, name: &Name) -> Option<String> {
        self.value(name).as_ref().and_then(value::scalar)
    }
}
