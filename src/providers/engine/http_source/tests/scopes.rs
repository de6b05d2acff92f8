//! Scopes that fail, are skipped, or need no request.

use super::*;

#[tokio::test]
async fn scope_is_cached_until_recheck_or_half_of_its_remaining_time() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"["far", "near", "none"]"#.into()),
        "/keys/far" => (200, r#"{"id": "far", "ends": "2027-11-23T12:00:00Z"}"#.into()),
        "/keys/near" => (200, r#"{"id": "near", "ends": "2026-11-23T16:00:00Z"}"#.into()),
        _ => (404, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    assert_eq!(ids(&collect(&*source, noon()).await), ["far", "near"]);
    assert_eq!(requests.take().len(), 4);
    let later = collect(&*source, noon() + TimeDelta::hours(1)).await;
    assert_eq!((ids(&later), later.listings[0].scopes.len(), later.is_complete()), (vec!["far", "near"], 3, true));
    assert_eq!(requests.take(), ["GET /keys Bearer c"]);
    // Half of what remained of it is over.
    collect(&*source, noon() + TimeDelta::hours(3)).await;
    assert_eq!(requests.take(), ["GET /keys Bearer c", "GET /keys/near Bearer c"]);
    collect(&*source, noon() + TimeDelta::hours(25)).await;
    assert_eq!(requests.take().len(), 4);
}

#[tokio::test]
async fn elements_of_a_step_are_reused_until_recheck_or_until_one_is_gone() {
    let definition = "auth: bearer
listings:
  - name: key
    kind: key
    for_each: {get: /users, rows: ., as: user, recheck: 24h}
    get: /keys/{user}
    row: .
    token: {id: .id, expires_at: .ends}
";
    let users = Arc::new(Mutex::new(r#"["ada", "bob"]"#));
    let listed = users.clone();
    let (origin, requests) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/users" => (200, (*listed.lock()).to_owned()),
        "/keys/bob" if !listed.lock().contains("bob") => (404, String::new()),
        path => (200, format!(r#"{{"id": "{path}", "ends": null}}"#)),
    })
    .await;
    let source = source(definition, &origin, Changing::new("c"));
    let steps = || requests.take().iter().filter(|request| request.starts_with("GET /users")).count();
    let at = |hours| noon() + TimeDelta::hours(hours);
    for (hours, sent) in [(0, 1), (1, 0), (23, 0), (24, 1), (25, 0), (-90_000, 1)] {
        assert_eq!(ids(&collect(&*source, at(hours)).await), ["/keys/ada", "/keys/bob"], "{hours} h later");
        assert_eq!(steps(), sent, "{hours} h later");
    }
    // A sample is not the whole list.
    source.sample(at(100), Instant::now() + Duration::from_secs(5), &Intake::default()).await;
    assert_eq!((steps(), ids(&collect(&*source, at(100)).await).len(), steps()), (1, 2, 1));
    // The user is deleted: his scope fails, and the next collection requests the users again.
    *users.lock() = r#"["ada"]"#;
    assert_eq!(gaps(&collect(&*source, at(101)).await), ["/keys/bob: not_found"]);
    assert_eq!(steps(), 0);
    assert_eq!(ids(&collect(&*source, at(102)).await), ["/keys/ada"]);
    assert_eq!(steps(), 1);
}

#[tokio::test]
async fn scopes_past_the_deadline_are_one_gap() {
    let (origin, _) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, format!("{:?}", (0..100).map(|number| number.to_string()).collect::<Vec<_>>())),
        "/keys/0" => (200, r#"{"id": "0", "ends": null}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    let outcome = source.collect(noon(), Instant::now() + Duration::from_millis(400), &Intake::default()).await;
    assert_eq!(ids(&outcome), ["0"]);
    assert_eq!(gaps(&outcome), ["99 more scopes: timeout"]);
    assert!(outcome.listings[0].gaps[0].path.covers(&Path::root().join("/keys").join("/keys/1")));
}

#[tokio::test]
async fn circuit_breaker_skips_the_scopes_of_a_provider_that_is_down() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, format!("{:?}", (0..1000).map(|number| number.to_string()).collect::<Vec<_>>())),
        _ => (503, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    let outcome = collect(&*source, noon()).await;
    let requests = requests.take().len() - 1;
    assert!((50..=52).contains(&requests), "{requests}");
    assert_eq!(outcome.listings[0].gaps.len(), requests + 1);
    assert_eq!(gaps(&outcome).pop().unwrap(), format!("{} more scopes: server_error", 1000 - requests));
}

#[tokio::test]
async fn denied_scope_is_a_gap_with_the_provider_message() {
    let words = format!("no\\u0000t\\n{} allowed", "so ".repeat(100));
    let (origin, _) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"["a", "b", ".."]"#.into()),
        "/keys/a" => (403, format!(r#"{{"message": "{words}"}}"#)),
        _ => (403, r#"{"message": "SECRET is not allowed"}"#.into()),
    })
    .await;
    let outcome = collect(&*source(EACH, &origin, Changing::new("SECRET")), noon()).await;
    assert_eq!(
        gaps(&outcome),
        ["/keys/a: forbidden", "/keys/b: forbidden", "..: cannot build the request path: mapping"]
    );
    let says: Vec<_> = outcome.listings[0].gaps.iter().map(|gap| gap.failure.provider_message.clone()).collect();
    let message = says[0].as_deref().unwrap();
    assert!(message.starts_with("no t so so") && message.ends_with('…') && message.chars().count() == 201, "{message}");
    assert_eq!(says[1..], [None, None]);
    let first = &outcome.listings[0].gaps[0];
    assert_eq!(first.failure.what, format!("GET {origin}/keys/a: 403 after 1 attempt"));
    assert_eq!(first.required_permission.as_deref(), Some("everything"));
}

#[tokio::test]
async fn sample_is_limited_to_some_scopes_and_pages() {
    let definition = "auth: bearer
listings:
  - name: key
    kind: key
    for_each: {get: /groups, rows: ., as: group}
    get: /keys/{group}
    next: {page: page}
    rows: .
    take: select(.kind == \"key\")
    token: {id: .id, expires_at: .ends, owner: .owner}
";
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/groups" => (200, format!("{:?}", (0..50).map(|number| format!("g{number}")).collect::<Vec<_>>())),
        path => {
            let key = |kind: &str| format!(r#"{{"id": "{path} {kind}", "kind": "{kind}", "ends": "2027-01-01"}}"#);
            (200, format!("[{}, {}]", key("key"), key("other")))
        }
    })
    .await;
    let source = source(definition, &origin, Changing::new("c"));
    let outcome = source.sample(noon(), Instant::now() + Duration::from_secs(5), &Intake::default()).await;
    assert_eq!((requests.take().len(), outcome.is_complete()), (1 + 10 * 3, true));
    let rows = outcome.listings[0].rows.as_ref().unwrap();
    assert_eq!((rows.read, rows.taken, rows.is_sample, ids(&outcome).len()), (60, 30, true, 30));
    let fields = |name| rows.fields.get(name).map(|field| (field.values, field.unreadable));
    assert_eq!((fields("expires_at"), fields("owner"), fields("name")), (Some((30, 0)), Some((0, 0)), None));
}

#[tokio::test]
async fn listing_with_only_malformed_rows_is_a_gap() {
    let definition = "auth: bearer
listings: [{name: key, kind: key, get: /keys, rows: ., token: {id: .id, expires_at: .ends}}]
";
    for (rows, gap) in [
        (r"[]", None),
        (r#"[{"id": 1}, {"key": 2}]"#, None),
        (r#"[{"key": 1}, 2, null]"#, Some("all 3 rows are malformed, the first at `id`")),
        (r#"[{"key": 1}]"#, Some("all 1 rows are malformed, the first at `id`")),
    ] {
        let (origin, _) = serve(move |_| (200, rows.to_owned())).await;
        let outcome = collect(&*source(definition, &origin, Changing::new("c")), noon()).await;
        let found = outcome.listings[0].gaps.first().map(|gap| (gap.failure.reason, gap.failure.what.as_str()));
        let expected = gap.map(|gap| format!("{gap}: the response does not match the definition"));
        assert_eq!(found, expected.as_deref().map(|what| (Reason::Mapping, what)), "{rows}");
    }
}

#[tokio::test]
async fn cached_value_expires_when_the_clock_is_set_back() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"[{"id": 1, "team": "t"}]"#.into()),
        "/users" => (200, "[]".into()),
        _ => (200, r#"{"name": "Team"}"#.into()),
    })
    .await;
    let source = source(MAPS, &origin, Changing::new("c"));
    let far = noon() + TimeDelta::days(4000);
    for (now, is_requested) in [(far, true), (far - TimeDelta::hours(1), false), (noon(), true), (noon(), false)] {
        collect(&*source, now).await;
        let looked_up = requests.take().iter().any(|request| request.contains("/teams/t"));
        assert_eq!(looked_up, is_requested, "{now}");
    }
}

#[tokio::test]
async fn refused_scope_is_gone_while_others_succeed() {
    let allowed = Arc::new(Mutex::new(true));
    let is_allowed = Arc::clone(&allowed);
    let listed = Arc::new(Mutex::new(r#"["gone", "live"]"#));
    let keys = Arc::clone(&listed);
    let (origin, requests) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, (*keys.lock()).to_owned()),
        "/keys/live" if *is_allowed.lock() => (200, r#"{"id": "live", "ends": "2029-11-23T12:00:00Z"}"#.into()),
        _ => (403, r#"{"message": "permission denied"}"#.into()),
    })
    .await;
    let source = source(LOOKUPS, &origin, Changing::new("c"));
    let first = collect(&*source, noon()).await;
    assert_eq!((ids(&first), gaps(&first), requests.take().len()), (vec!["live"], vec![], 3));
    // Both are cached.
    let second = collect(&*source, noon() + TimeDelta::hours(1)).await;
    assert_eq!((ids(&second), gaps(&second)), (vec!["live"], vec![]));
    assert_eq!(requests.take(), ["GET /keys Bearer c"]);
    // A new one is refused while the other one is cached: that one is requested again, as proof.
    *listed.lock() = r#"["gone", "live", "gone-2"]"#;
    let third = collect(&*source, noon() + TimeDelta::hours(2)).await;
    assert_eq!((ids(&third), gaps(&third)), (vec!["live"], vec![]));
    assert_eq!(requests.take(), ["GET /keys Bearer c", "GET /keys/gone-2 Bearer c", "GET /keys/live Bearer c"]);
    // The permission is lost: now a refusal proves nothing.
    *allowed.lock() = false;
    *listed.lock() = r#"["gone", "live", "gone-2", "new"]"#;
    let fourth = collect(&*source, noon() + TimeDelta::hours(3)).await;
    assert_eq!(gaps(&fourth), ["/keys/new: forbidden"]);
    let later = collect(&*source, noon() + TimeDelta::hours(30)).await;
    assert_eq!((ids(&later), gaps(&later).len()), (vec![], 4));
}

#[tokio::test]
async fn empty_element_is_quoted_in_the_label_of_a_gap() {
    let definition = "auth: bearer
listings:
  - name: key
    kind: key
    for_each: [{in: '[\"\", \"a\"]', as: namespace}, {in: .none, as: one}]
    get: /keys/{one}
    row: .
    token: {id: .id, expires_at: .ends}
";
    let (origin, requests) = serve(|_| (200, "{}".into())).await;
    let outcome = collect(&*source(definition, &origin, Changing::new("c")), noon()).await;
    assert_eq!(gaps(&outcome), ["all scopes under \"\": internal", "all scopes under a: internal"]);
    assert_eq!(requests.take(), Vec::<String>::new());
}
