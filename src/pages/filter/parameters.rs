//! Parsing and writing query strings.

use crate::schema::diagnostic::{did_you_mean, nearest};

/// Parameters with names of their own, of a query string or of a command's flags.
pub trait Parameters {
    fn names(&self) -> &'static [&'static str];

    /// Sets one of the names. A repeated name adds a value; an empty value is one that a form leaves open, and sets nothing.
    ///
    /// # Errors
    /// The problem with the value, without the name.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String>;

    /// What is set, so that setting it again gives the same.
    fn pairs(&self) -> Vec<(&'static str, String)>;
}

/// Parses a query string into the parameters that a page accepts.
///
/// # Errors
/// A sentence if a parameter or its value is unknown: a typo must not select more tokens.
pub fn parse(query: &str, parts: &mut [&mut dyn Parameters]) -> Result<(), String> {
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some(part) = parts.iter_mut().find(|part| part.names().contains(&&*name)) else {
            let known = parts.iter().flat_map(|part| part.names()).copied();
            return Err(format!("unknown parameter `{name}`{}", did_you_mean(&name, known)));
        };
        part.set(&name, &value).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

/// The parameters as a query string, without `?`: empty if none is set.
pub fn query_string(parts: &[&dyn Parameters]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for part in parts {
        query.extend_pairs(part.pairs());
    }
    query.finish()
}

/// The value with this label.
pub(in crate::pages) fn one_of<T: Copy>(
    value: &str,
    all: &[T],
    label: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    all.iter().copied().find(|candidate| label(*candidate) == value).ok_or_else(|| {
        let known = all.iter().map(|candidate| label(*candidate));
        match nearest(value, known.clone()) {
            Some(near) => format!("unknown value `{value}`; did you mean `{near}`?"),
            None => {
                let known = known.map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
                format!("unknown value `{value}`; expected one of {known}")
            }
        }
    })
}
