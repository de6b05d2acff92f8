//! The reason that a definition's `failed` states for a response.

use crate::core::failure::Reason;
use crate::http::client::Response;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Provider, Request};

use super::messages::headers_object;

/// The largest body in which a temporary reason is looked for, in bytes: a response that only says "later" is small, and a page of
/// rows is not decoded twice.
const MAX_BODY: usize = 64 << 10;

/// A request of a definition, for whose responses reasons are stated.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) request: &'a Request,
    /// The variables of its expressions, but those of the response.
    pub(super) variables: &'a Variables,
}

impl Expected<'_> {
    /// The stated reason, if the request may succeed later: AWS limits the rate with status 400.
    pub(super) fn temporary(self, provider: &Provider, response: &Response) -> Option<Reason> {
        let is_temporary = |reason: Reason| matches!(reason, Reason::RateLimited | Reason::ServerError);
        let may_be_stated = self.request.failed.iter().any(|failed| is_temporary(failed.reason));
        let is_unclear = matches!(response.failure_reason(), None | Some(Reason::Internal)) || response.is_temporary;
        if !may_be_stated || !is_unclear || response.body.len() > MAX_BODY {
            return None;
        }
        let variables = Variables {
            headers: headers_object(&response.headers),
            status: Val::from(usize::from(response.status)),
            body: provider.decode(&response.body)?,
            ..self.variables.clone()
        };
        if self.request.none.iter().any(|empty| empty.matches(response.status, &variables)) {
            return None;
        }
        match response.failure_reason() {
            None => any_reason(self.request, &variables),
            Some(_) => stated_reason(self.request, &variables),
        }
        .filter(|reason| is_temporary(*reason))
    }
}

/// The reason for a response whose status is that of a success.
pub(super) fn any_reason(request: &Request, variables: &Variables) -> Option<Reason> {
    let mut stated = request.failed.iter();
    stated.find(|failed| failed.condition.truth(variables, variables.body.clone())).map(|failed| failed.reason)
}

/// The reason for a status such as 400 or 422, which states none itself.
pub(super) fn stated_reason(request: &Request, variables: &Variables) -> Option<Reason> {
    let mut stated = request.failed.iter().filter(|failed| failed.reason != Reason::Decode);
    stated.find(|failed| failed.condition.truth(variables, variables.body.clone())).map(|failed| failed.reason)
}
