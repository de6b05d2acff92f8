//! The time left as a bar against the lead of the token.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::core::lead::{Band, Bands};

/// What is left of the lead, in percent: 100 before it starts.
pub(super) fn percent_left(bands: &Bands, now: DateTime<Utc>) -> u8 {
    let (lead, left) = ((bands.expired - bands.warning).num_seconds(), (bands.expired - now).num_seconds());
    if lead <= 0 {
        return if left > 0 { 100 } else { 0 };
    }
    u8::try_from((i128::from(left) * 100 / i128::from(lead)).clamp(0, 100)).unwrap_or(100)
}

/// The bar of a token, with the start of its critical lead as a mark. It is an image without inline styles, which the security
/// policy of the pages forbids.
pub(super) fn bar(bands: &Bands, band: Option<Band>, now: DateTime<Utc>) -> Markup {
    let left = percent_left(bands, now);
    let critical = percent_left(bands, bands.critical);
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.track width="100" height="8" {}
            rect.{ "left " (band.map_or("good", Band::label)) } width=(left) height="8" {}
            @if critical > 0 && critical < 100 { rect.mark x=(critical) width="1" height="8" {} }
        }
        span.hidden { (left) " % of its lead is left" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_left_is_that_of_the_lead() {
        let at = |day: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::days(day);
        let bands = Bands { warning: at(70), critical: at(93), expired: at(100), over: at(107) };
        for (day, percent) in [(0, 100), (70, 100), (85, 50), (97, 10), (100, 0), (120, 0)] {
            assert_eq!(percent_left(&bands, at(day)), percent, "{day}");
        }
        let none = Bands { warning: at(100), critical: at(100), ..bands };
        assert_eq!((percent_left(&none, at(99)), percent_left(&none, at(100))), (100, 0));
        let endless = Bands { warning: DateTime::<Utc>::MIN_UTC, expired: DateTime::<Utc>::MAX_UTC, ..bands };
        assert_eq!(percent_left(&endless, DateTime::<Utc>::MAX_UTC), 0);
    }
}
