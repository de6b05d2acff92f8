//! The variables of templates.

use super::expression::Val;
use super::template::{Name, Template};
use super::value;
use crate::core::secret::{Credential, Secret};

/// An element of a fan-out under its `as` name.
#[derive(Clone, Debug)]
pub(crate) struct FanOutVar<'p> {
    pub(crate) name: &'p str,
    pub(crate) value: Val,
}

/// The values of everything that a template may name.
#[derive(Clone, Copy)]
pub(crate) struct TemplateVars<'a> {
    pub(crate) settings: &'a Val,
    /// The elements of the fan-out so far.
    pub(crate) elements: &'a [FanOutVar<'a>],
    /// `{key}` of a look-up.
    pub(crate) key: Option<&'a str>,
    /// `{credential}` and `{credential.PART}`, in `auth` only.
    pub(crate) credential: Option<&'a Credential>,
    /// `{login}`, in `auth` only.
    pub(crate) login: Option<&'a Secret>,
    /// Further names in `auth`, such as `{jwt}`.
    pub(crate) special: &'a [(&'static str, Val)],
}

impl<'a> TemplateVars<'a> {
    /// The settings alone.
    pub(crate) fn new(settings: &'a Val) -> Self {
        Self { settings, elements: &[], key: None, credential: None, login: None, special: &[] }
    }

    /// `None` if the value is null or absent.
    pub(crate) fn value(&self, name: &Name) -> Option<Val> {
        let mut fields = name.fields.iter().map(String::as_str);
        if let Some((_, value)) = self.special.iter().find(|(special, _)| *special == name.head) {
            return Some(value.clone());
        }
        let whole = match (name.head.as_str(), self) {
            ("credential", Self { credential: Some(credential), .. }) => {
                return credential.part(fields.next().unwrap_or_default()).map(|secret| value::val(secret.expose()));
            }
            ("login", Self { credential: Some(_), login, .. }) => {
                return login.map(|secret| value::val(secret.expose()));
            }
            ("key", Self { key: Some(key), .. }) => return Some(value::val(key)),
            (head, _) => {
                let element = self.elements.iter().rev().find(|element| element.name == head);
                element.map(|element| &element.value).or_else(|| value::field(self.settings, head))?
            }
        };
        let found = fields.try_fold(whole, value::field)?;
        (!matches!(found, Val::Null)).then(|| found.clone())
    }

    /// The value as a string; `None` for a list or an object.
    pub(crate) fn text(&self, name: &Name) -> Option<String> {
        self.value(name).as_ref().and_then(value::scalar)
    }

    /// A template outside of paths; `None` if it is a single name without a value.
    pub(crate) fn fill(&self, template: &Template) -> Option<String> {
        template.fill(&|name| self.text(name))
    }
}
