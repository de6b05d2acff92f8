//! The expiry of the exporter's own credential, by a request or among the tokens of a listing.

use chrono::{DateTime, TimeDelta, Utc};

use super::context::CollectContext;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::CredentialExpiry;
use crate::core::time::{TimeFormat, Unit};
use crate::core::token::Expiry;
use crate::providers::language::expression::functions::jwt_claims;
use crate::providers::language::expression::{Val, Variables};
use crate::providers::language::provider::{Listing, OwnCredential};
use crate::providers::language::template::Template;
use crate::providers::language::value;

/// A credential with a shorter lifetime is renewed by a program: to alert on it would be to alert always.
const MIN_LIFETIME: TimeDelta = TimeDelta::days(7);

/// Requests the expiry, if the definition has a request for it.
///
/// # Errors
/// If there is no response, or it is unreadable.
pub(super) async fn request_expiry(context: &CollectContext<'_>) -> Result<CredentialExpiry, Failure> {
    let (request, expires_at) = match context.own {
        Some(OwnCredential::Request { request, expires_at, .. }) => (request, expires_at),
        Some(OwnCredential::Jwt { token, .. }) => return Ok(claimed_expiry(context, token)),
        Some(OwnCredential::Listing { .. }) => return Ok(CredentialExpiry::NotReported),
        None => return Ok(CredentialExpiry::Unstated),
    };
    let Some(page) = context.first_page(request, &[]).await? else { return Ok(CredentialExpiry::NotReported) };
    let unreadable = "cannot read the expiry of the exporter's credential in the response";
    let expires =
        expires_at.first(&page.variables, page.body).map_err(|_| Failure::new(Reason::Mapping, unreadable))?;
    let expires = value::to_json(&expires.unwrap_or_default());
    Ok(CredentialExpiry::Reported(request.times.expiry(&expires, context.response_time())))
}

/// The claim `exp` of a credential that is a JSON Web Token (RFC 7519, section 4.1.4). A credential that is not one states none.
fn claimed_expiry(context: &CollectContext<'_>, token: &Template) -> CredentialExpiry {
    let token = context.session.vars(None).fill(token).unwrap_or_default();
    let Ok(claims) = jwt_claims(&value::val(&token)) else { return CredentialExpiry::Unstated };
    let times = TimeFormat { unit: Unit::EpochSeconds, ..TimeFormat::default() };
    let claim = |name| value::field(&claims, name).map(value::to_json).unwrap_or_default();
    let [expires, issued] = ["exp", "iat"].map(|name| times.expiry(&claim(name), context.now));
    match (issued.timestamp(), expires.timestamp()) {
        (Some(issued), Some(end)) if end - issued < MIN_LIFETIME => CredentialExpiry::Unstated,
        _ => CredentialExpiry::Reported(expires),
    }
}

/// The sooner of the expiry that the provider or the credential states, and that of the client certificate.
pub(super) fn with_certificate(
    own: CredentialExpiry,
    certificate: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> CredentialExpiry {
    let certificate = certificate.filter(|(begin, end)| *end - *begin >= MIN_LIFETIME).map(|(_, end)| Expiry::At(end));
    match (own, certificate) {
        (CredentialExpiry::Unstated, Some(certificate)) => CredentialExpiry::Reported(certificate),
        (CredentialExpiry::Reported(own), Some(certificate)) => soonest(&[own, certificate]),
        (own, _) => own,
    }
}

/// Whether a row of a listing could be the exporter's own credential.
pub(super) fn is_own_credential(
    context: &CollectContext<'_>,
    listing: &Listing,
    variables: &Variables,
    row: &Val,
) -> bool {
    let Some(OwnCredential::Listing { listing: name, is, hint, .. }) = context.own else { return false };
    if *name != listing.name || is.as_ref().is_some_and(|is| !is.truth(variables, row.clone())) {
        return false;
    }
    let Some(hint) = hint else { return true };
    let hints: Option<Vec<String>> =
        hint.run(variables, row.clone()).ok().and_then(|hints| hints.iter().map(value::text).collect());
    match hints.as_deref() {
        Some([prefix]) => context.session.secrets.match_hint(prefix, ""),
        Some([prefix, suffix]) => context.session.secrets.match_hint(prefix, suffix),
        _ => false,
    }
}

/// The soonest of the expiries that could be the own credential's: one that comes too early is safe.
pub(super) fn soonest(expiries: &[Expiry]) -> CredentialExpiry {
    let order = |expiry: &Expiry| match expiry.timestamp() {
        Some(at) => (0, Some(at)),
        None if *expiry == Expiry::Unknown => (1, None),
        None => (2, None),
    };
    let soonest = expiries.iter().copied().min_by_key(order);
    soonest.map_or(CredentialExpiry::NotReported, CredentialExpiry::Reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_counts_if_it_is_the_sooner_one_and_lives_for_a_week() {
        let day = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let reported = |days| CredentialExpiry::Reported(Expiry::At(day(days)));
        let of_year = Some((day(0), day(365)));
        for (own, certificate, expected) in [
            (CredentialExpiry::Unstated, of_year, reported(365)),
            (CredentialExpiry::Unstated, Some((day(0), day(7))), reported(7)),
            (CredentialExpiry::Unstated, Some((day(0), day(6))), CredentialExpiry::Unstated),
            (CredentialExpiry::Unstated, None, CredentialExpiry::Unstated),
            (CredentialExpiry::NotReported, of_year, CredentialExpiry::NotReported),
            (CredentialExpiry::Reported(Expiry::Never), of_year, reported(365)),
            (reported(30), of_year, reported(30)),
            (reported(400), of_year, reported(365)),
        ] {
            assert_eq!(with_certificate(own, certificate), expected, "{own:?} {certificate:?}");
        }
    }

    #[test]
    fn soonest_prefers_a_time_to_unknown_and_unknown_to_never() {
        let at = |seconds| Expiry::At(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds));
        let cases: [(&[Expiry], CredentialExpiry); 4] = [
            (&[], CredentialExpiry::NotReported),
            (&[Expiry::Never, at(9), at(5), Expiry::Unknown], CredentialExpiry::Reported(at(5))),
            (&[Expiry::Never, Expiry::Unknown], CredentialExpiry::Reported(Expiry::Unknown)),
            (&[Expiry::Never], CredentialExpiry::Reported(Expiry::Never)),
        ];
        for (expiries, expected) in cases {
            assert_eq!(soonest(expiries), expected, "{expiries:?}");
        }
    }
}
