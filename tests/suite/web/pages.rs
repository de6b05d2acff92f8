//! The pages for people: their addresses, content, escapes and status codes.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use token_expiry_exporter::core::inventory::Inventory;
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::core::token::{LastUse, Owner, Token};
use token_expiry_exporter::exposition::Exposure;
use token_expiry_exporter::exposition::Labels;
use token_expiry_exporter::exposition::external_url::ExternalUrl;
use token_expiry_exporter::exposition::selection::Selection;
use url::Url;

use super::server::{Response, Server};
use crate::sample_inventory::{at, expires_in, listing, no_rules, now, policy, token};

/// Asks for a page as a browser does.
async fn browse(server: &Server, path: &str) -> Response {
    server.request(Method::GET, path, &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]).await
}

async fn page(server: &Server, path: &str) -> String {
    let response = browse(server, path).await;
    assert_eq!(response.status, StatusCode::OK, "{path}: {}", response.text);
    assert_eq!(response.header("content-type"), "text/html; charset=utf-8");
    response.text
}

fn assert_shows(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text}\n\n{page}");
    }
}

/// The targets of the links of a page that begin with this, relative to the address of the page.
fn links(page: &str, address: &str, start: &str) -> Vec<String> {
    let address = Url::parse(&format!("http://x{address}")).unwrap();
    let links = page.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0.replace("&amp;", "&"));
    let targets = links.map(|link| address.join(&link).unwrap());
    targets
        .filter_map(|link| link.as_str().strip_prefix("http://x").map(str::to_owned))
        .filter(|link| link.starts_with(start))
        .collect()
}

/// A server whose only source has these tokens.
async fn server_with(tokens: Vec<Token>) -> Server {
    Server::start_with(None, |state| *state.inventory.write() = inventory_of(tokens)).await
}

fn inventory_of(tokens: Vec<Token>) -> Inventory {
    let mut inventory = Inventory::default();
    let policy = token_expiry_exporter::core::inventory::Policy { token_limit: 100_000, ..policy("vendor", &["all"]) };
    inventory.set_policy(BTreeMap::from([("main".to_owned(), policy)]), no_rules());
    inventory.record("main", Outcome { listings: vec![listing("all", tokens)], ..Outcome::default() }, now(), now());
    inventory
}

#[tokio::test]
async fn status_page_shows_what_expires_next_and_what_failed() {
    let server = Server::start().await;
    let page = page(&server, "/").await;
    assert_shows(
        &page,
        &[
            "<h1 class=\"hidden\"><bdi>Token expiry</bdi></h1>",
            // The incomplete source, with its reason in words.
            "<strong>1 source incomplete.</strong>",
            "<a href=\"./source/vault\">vault</a>: The exporter's credential lacks a permission. Last complete <span class=\"soft\">never</span>",
            // A source that was never collected.
            "1 source not collected since the start: <a href=\"./source/new%20%22one%22",
            // A token: link, kind, source, time left, bar, date, status, owner, team, renewal.
            "<a class=\"token\" href=\"./token/gitlab/p03\"><bdi>critical</bdi></a>",
            "<time class=\"left\" datetime=\"2026-03-04T08:00:00Z\" title=\"2026-03-04T08:00:00Z\">in 3 days</time>",
            "<rect class=\"left critical\" width=\"10\" height=\"8\"></rect>",
            "2026-03-04 08:00 UTC",
            "<span class=\"badge critical\">critical</span>",
            "<a href=\"./owner/Jane%20Doe\"><bdi>Jane Doe</bdi></a>",
            "<a class=\"quiet\" href=\"./?team=platform\"><bdi>platform</bdi></a>",
            "<a href=\"https://gitlab.example.com/tokens/p03?tab=a&amp;b=%22c%22\" rel=\"noreferrer\">Renew<span class=\"hidden\"> critical</span></a>",
            "&lt;script&gt;alert('x')&lt;/script&gt;",
            "&lt;b&gt;O'Neil&lt;/b&gt; &amp; \\ &quot;co&quot;",
            "expired 2 days ago",
        ],
    );
    assert_eq!(page.matches("<script").count(), 1, "only the script that the policy allows");
    let inline = regex::Regex::new("javascript:|<[^>]+ (style|on[a-z]+)=").unwrap();
    assert!(!inline.is_match(&page), "no inline code: {page}");
    let order: Vec<_> = ["p04", "p03", "p02", "p01", "p05"]
        .map(|id| page.find(&format!("\"./token/gitlab/{id}\"")).unwrap_or_else(|| panic!("{id}")))
        .into();
    assert!(order.is_sorted(), "expired, critical, warning, not due, disabled: {order:?}");
}

#[tokio::test]
async fn script_and_style_are_those_that_the_policy_allows() {
    use base64::Engine as _;
    let server = Server::start().await;
    let response = browse(&server, "/token/gitlab/p03").await;
    let policy = response.header("content-security-policy");
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (_, rest) = response.text.split_once(&format!("<{tag}>")).unwrap();
        let text = rest.split_once(&format!("</{tag}>")).unwrap().0;
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let hash = base64::prelude::BASE64_STANDARD.encode(hash);
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
}

#[tokio::test]
async fn url_selects_orders_and_divides_the_tokens() {
    let server = Server::start().await;
    let ids = |page: &str| {
        links(page, "/", "/token/").iter().map(|link| link.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("band=critical&source=gitlab", &["p10", "p03", "g%5C1%22"] as &[&str]),
        ("q=CRITICAL", &["p03"]),
        ("q=root+vault", &["v1"]),
        ("finding=no_owner", &["p12"]),
        ("state=replaced&state=disabled&provider=", &["p06", "p05"]),
        ("owner=jane+doe&source=vault", &["v1"]),
        ("source=small&sort=-expiry&limit=1&offset=1", &["m1"]),
        ("source=nowhere", &[]),
        // Locations, as the page writes them.
        ("q=prod%2Fci%2FRENOVATE", &["p03"]),
        ("q=Secret+prod%2Fci%2Frenovate+critical", &["p03"]),
        ("q=203.0.113", &["p03"]),
        ("q=prod%2Fci%2Funknown", &[]),
    ] {
        let page = page(&server, &format!("/?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    let filtered = page(&server, "/?source=gitlab&q=e&limit=2&offset=2").await;
    let again = links(&filtered, "/", "/?");
    for expected in [
        "/?source=gitlab&q=e&offset=4&limit=2",
        "/?source=gitlab&q=e&limit=2",
        "/?source=gitlab&q=e&sort=name&limit=2",
        "/?source=gitlab",
        "/?q=e",
    ] {
        assert!(again.iter().any(|link| link == expected), "{expected}: {again:?}");
    }
    assert_shows(&filtered, &["value=\"e\"", "<option value=\"gitlab\" selected>gitlab ("]);
    let sorted = page(&server, "/?sort=-name").await;
    assert_shows(&sorted, &["aria-sort=\"descending\"><a href=\"./?sort=name\">Token"]);

    let wrong = browse(&server, "/?bnad=critical").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_shows(&wrong.text, &["The address has an error: unknown parameter `bnad`; did you mean `band`?"]);
    assert_eq!(ids(&wrong.text).len(), 0, "a typo does not show all tokens");
}

#[tokio::test]
async fn every_link_of_every_page_leads_to_a_page_at_any_prefix() {
    let server = Server::start_with(None, |state| state.route_prefix = "/a/tokens".parse().unwrap()).await;
    for prefix in ["", "/a/tokens"] {
        let mut open = vec![format!("{prefix}/")];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(path) = open.pop() {
            let is_page = !path.contains("/api/") && !path.contains(".ics") && !path.ends_with("/metrics");
            let response = browse(&server, &path).await;
            assert_eq!(response.status, StatusCode::OK, "{path}: {}", response.text);
            if !is_page {
                continue;
            }
            for link in links(&response.text, &path, "/") {
                let link = link.split('#').next().unwrap().to_owned();
                assert!(link.starts_with(&format!("{prefix}/")), "{link} on {path}");
                // Orders and filters multiply.
                if !link.contains("sort=") && seen.insert(link.clone()) && seen.len() < 200 {
                    open.push(link);
                }
            }
        }
        for expected in
            ["/owner/Jane%20Doe", "/source/vault", "/source?name=..", "/finding/no_owner", "/token/gitlab/g%5C1%22"]
        {
            let expected = format!("{prefix}{expected}");
            assert!(expected.contains("..") || seen.contains(&expected), "{expected}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn token_page_shows_facts_alerts_renewal_and_rotations() {
    let server = Server::start().await;
    let critical = page(&server, "/token/gitlab/p03").await;
    assert_shows(
        &critical,
        &[
            "<h1><bdi>critical</bdi></h1>",
            "<strong>expires in 3 days</strong>",
            "<dt>Id</dt><dd><code>p03</code></dd>",
            "<dt>Team</dt><dd><a href=\"../../?team=platform\">platform</a>",
            "<dt>Created</dt><dd><time datetime=\"2025-09-01T00:00:00Z\">2025-09-01 00:00 UTC</time>",
            "<dt>Last used</dt><dd><span class=\"soft\">not reported</span>",
            "<code>api</code>",
            "<strong>Critical</strong> from <time datetime=\"2026-02-25T08:00:00Z\">2026-02-25 08:00 UTC</time>",
            "<li><strong>Expired</strong> from <time datetime=\"2026-03-04T08:00:00Z\">",
            "Its lead is 30 days, and critical for 7 days.",
            "Owner: no mail, since <code>labels: {owner_email: true}</code> is not set.",
            "Team <strong>platform</strong>",
            "Secret prod/ci/renovate",
            "seen from 203.0.113.7 on 2026-02-28",
        ],
    );
    let unused = page(&server, "/token/gitlab/p11").await;
    assert_shows(&unused, &["Lives too long", "Nobody has used the token", "2024-06-01 12:30 UTC"]);
    let replaced = page(&server, "/token/gitlab/p06").await;
    assert_shows(
        &replaced,
        &[
            "It does not alert. A newer token of the same kind",
            "<a href=\"../../token/gitlab/p07\">p07</a>",
            "A newer token replaces this one",
        ],
    );
    let newer = page(&server, "/token/gitlab/p07").await;
    assert_shows(&newer, &["<a href=\"../../token/gitlab/p06\">p06</a>", "<span class=\"badge soft\">replaced</span>"]);
    for (id, text) in
        [("p08", "It never expires."), ("p09", "Its expiry is unreadable"), ("p05", "It is disabled at its provider.")]
    {
        assert_shows(&page(&server, &format!("/token/gitlab/{id}")).await, &[text]);
    }
    let rotated = page(&server, "/token/gitlab/p10").await;
    assert_shows(&rotated, &["rotation due in", "never pages"]);
    let of_failing = page(&server, "/token/vault/v1").await;
    assert_shows(&of_failing, &["is incomplete. This is what the exporter knew last"]);

    server.state.page.set_exposure(Exposure {
        labels: Labels { owner: true, owner_email: true },
        selection: Arc::new(Selection { hidden: ["token_due_timestamp_seconds"].into(), ..Selection::default() }),
        ..Exposure::default()
    });
    assert_shows(&page(&server, "/token/gitlab/p03").await, &["Nobody: the configuration exposes no series"]);
    server.state.page.set_exposure(Labels { owner: true, owner_email: true });
    assert_shows(
        &page(&server, "/token/gitlab/p03").await,
        &["a mail to <strong>jane@example.com</strong>", "<dt>Address</dt>"],
    );
    assert_shows(&page(&server, "/token/gitlab/g%5C1%22").await, &["no address is known"]);
}

#[tokio::test]
async fn ids_and_names_with_any_character_have_an_address() {
    let ids = [
        "a/b",
        "..",
        ".",
        "a/../b",
        "?x=1&y#z",
        "%2F",
        "a b+c",
        "é\u{5d0}🔑",
        "\\..\\",
        "<b>\"'",
        "a//b/",
        "-",
        &"x".repeat(400),
    ];
    let tokens = ids.iter().map(|id| Token {
        owner: Some(Owner { name: Some(format!("owner {id}").into()), ..Owner::default() }.into()),
        ..token(id, id, expires_in(3))
    });
    let dotted = Token {
        owner: Some(Owner { name: Some("..".into()), ..Owner::default() }.into()),
        ..token("dots", "dots", expires_in(3))
    };
    let server = server_with(tokens.chain([dotted]).collect()).await;
    let home = page(&server, "/").await;
    let known: BTreeMap<String, String> = {
        let rows = home
            .split("<a class=\"token\" href=\"")
            .skip(1)
            .map(|row| row.split_once('"').unwrap().0.replace("&amp;", "&"));
        let mut known = BTreeMap::new();
        for link in rows {
            let path = format!("/{}", link.strip_prefix("./").unwrap());
            let text = page(&server, &path).await;
            let id = text.split("<dt>Id</dt><dd><code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned();
            known.insert(id, path);
        }
        known
    };
    assert_eq!(known.len(), ids.len() + 1, "{known:?}");
    // Mails link to the same pages.
    let external: ExternalUrl = "https://tokens.example.com/".parse().unwrap();
    for id in ids {
        let url = external.token_page("main", id);
        let text = page(&server, url.strip_prefix("https://tokens.example.com").unwrap()).await;
        let shown = text.split("<dt>Id</dt><dd><code>").nth(1).unwrap().split("</code>").next().unwrap();
        assert_eq!(shown, maud::html! { (id) }.into_string(), "{url}");
    }
    // A proxy may decode the slash, and a template may encode a query only.
    for path in ["/token/main/a/b", "/token/main/a%2Fb", "/token?source=main&id=a%2Fb"] {
        assert_shows(&page(&server, path).await, &["<code>a/b</code>"]);
    }
    for owner in links(&home, "/", "/owner/").iter().chain(&links(&home, "/", "/owner?")) {
        assert_shows(&page(&server, owner).await, &["Calendar of these tokens"]);
    }
    assert_shows(&page(&server, "/owner?name=..").await, &["<h1><bdi>..</bdi></h1>"]);
}

#[tokio::test]
async fn unknown_page_says_what_to_do() {
    let server = Server::start().await;
    for (path, texts) in [
        (
            "/token/gitlab/p99",
            &["has no token with the id <code>p99</code>", "../../?q=p99", "rotated or revoked"] as &[&str],
        ),
        ("/token/gitlap/p03", &["Did you mean <a href=\"../../source/gitlab\">gitlab</a>?"]),
        ("/token?source=gitlab&id=", &["Token not found"]),
        ("/owner/Nobody", &["No token has the owner <code>Nobody</code>", "../?q=Nobody"]),
        ("/source/gitlap", &["Did you mean <a href=\"../source/gitlab\">gitlab</a>?"]),
        ("/finding/no_owners", &["See all findings"]),
        ("/nowhere/<b>", &["There is no page at <code>/nowhere/%3Cb%3E</code>"]),
    ] {
        let response = browse(&server, path).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_shows(&response.text, texts);
        assert_shows(
            &response.text,
            &["See all", "<nav aria-label=\"Pages\">"].map(|text| {
                if path.contains("token") && text == "See all" {
                    "see all tokens"
                } else if path.contains("owner/") && text == "See all" {
                    "See all owners"
                } else {
                    text
                }
            }),
        );
    }
    for (path, text) in [
        ("/token?sorce=x", "did you mean `source`?"),
        ("/owner/Jane%20Doe?q=x", "unknown parameter `q`"),
        ("/source/vault?limit=501", "limit: at most 500"),
    ] {
        let response = browse(&server, path).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{path}");
        assert_shows(&response.text, &[text]);
    }
    assert!(server.get("/nowhere").await.text.starts_with("/nowhere: not found; available: "), "a line for scripts");
}

#[tokio::test]
async fn owner_page_shows_tokens_calendar_and_who_may_read_it() {
    let server = Server::start().await;
    let jane = page(&server, "/owner/Jane%20Doe").await;
    assert_shows(&jane, &["<h1><bdi>Jane Doe</bdi></h1>", "The users of the web configuration are not owners."]);
    assert_eq!(jane.matches("Jane Doe</bdi>").count(), 1, "only the title names the owner: {jane}");
    let calendar = links(&jane, "/owner/Jane%20Doe", "/calendar.ics");
    assert!(calendar.contains(&"/calendar.ics?owner=Jane+Doe".to_owned()), "{calendar:?}");
    assert!(browse(&server, "/calendar.ics?owner=Jane+Doe").await.text.matches("BEGIN:VEVENT").count() > 3);
    assert_eq!(
        page(&server, "/owner/jane%20doe").await.matches("class=\"token\"").count(),
        jane.matches("class=\"token\"").count()
    );
    let owners = page(&server, "/owner").await;
    assert_shows(&owners, &["2 owners, the most urgent first. 2 tokens without an owner.", "./owner/Jane%20Doe"]);

    server.state.page.set_exposure(Labels { owner: false, owner_email: false });
    for path in ["/owner", "/owner/Jane%20Doe"] {
        let hidden = browse(&server, path).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{path}");
        assert_shows(&hidden.text, &["The configuration hides owners."]);
    }
}

#[tokio::test]
async fn no_page_exposes_an_owner_or_address_that_is_hidden() {
    let server = Server::start().await;
    let pages = [
        "/",
        "/?q=e",
        "/token/gitlab/p03",
        "/owner",
        "/owner/Jane%20Doe",
        "/source",
        "/source/gitlab",
        "/finding",
        "/finding/unused",
    ];
    for path in pages {
        let text = browse(&server, path).await.text;
        assert!(!text.contains("jane@example.com") && !text.contains("ops@example.com"), "{path}: {text}");
    }
    assert_shows(&page(&server, "/").await, &["Jane"]);
    server.state.page.set_exposure(Labels { owner: false, owner_email: false });
    for path in pages.into_iter().filter(|path| !path.contains("Jane")) {
        let text = browse(&server, path).await.text;
        assert!(!text.contains("Jane") && !text.contains("O'Neil"), "{path}: {text}");
    }
}

#[tokio::test]
async fn source_page_shows_health_reasons_messages_and_missing_permissions() {
    let server = Server::start_with(None, |state| {
        let mut outcome = Outcome {
            listings: vec![listing("token", vec![token("v1", "root", expires_in(40))])],
            ..Outcome::default()
        };
        let failure = token_expiry_exporter::core::failure::Failure {
            provider_message: Some("<b>jane@example.com</b> must be an owner".to_owned()),
            ..token_expiry_exporter::core::failure::Failure::new(
                token_expiry_exporter::core::failure::Reason::Forbidden,
                "GET https://vault.example.com/users/jane%40example.com: 403",
            )
        };
        let mut gap = token_expiry_exporter::core::outcome::Gap::new(
            token_expiry_exporter::core::outcome::Path::root().join("x"),
            "/users/jane%40example.com",
            failure,
        );
        gap.required_permission = Some("auth/token/accessors [list, sudo]".to_owned());
        outcome.listings[0].gaps = vec![gap];
        state.inventory.write().record("vault", outcome, now(), now());
    })
    .await;
    let vault = page(&server, "/source/vault").await;
    assert_shows(
        &vault,
        &[
            "<span class=\"badge bad\">incomplete</span>",
            "The exporter's credential lacks a permission. <strong>Grant the missing permission.</strong>",
            "Missing permission: <strong>auth/token/accessors [list, sudo]</strong>",
            "The provider says: “&lt;b&gt;jane&lt;/b&gt; must be an owner”",
            "Scope /users/jane",
            "1 of 2",
        ],
    );
    assert!(!vault.contains("example.com:") && !vault.contains("jane@") && !vault.contains("jane%40"), "{vault}");
    let gitlab = page(&server, "/source/gitlab").await;
    assert_shows(
        &gitlab,
        &["<span class=\"badge good\">complete</span>", "1984 of 2000 requests left", "4 — ", "excluded", "1 by rules"]
            .map(|text| {
                if text == "excluded" {
                    "Excluded"
                } else if text == "4 — " {
                    " — rows with the id of another row"
                } else {
                    text
                }
            }),
    );
    assert_shows(&gitlab, &["Unlisted credentials", "p99: <bdi>Secret prod/ci/unknown</bdi>, found by small"]);
    assert!(!vault.contains("Unlisted credentials"));
    let sources = page(&server, "/source").await;
    assert_shows(
        &sources,
        &[
            "<a href=\"./source/gitlab\">gitlab</a>",
            "<span class=\"badge soft\">not yet</span>",
            "data-label=\"Failed scopes\"",
        ],
    );
}

#[tokio::test]
async fn finding_page_explains_and_lists() {
    let server = Server::start().await;
    let index = page(&server, "/finding").await;
    assert_shows(
        &index,
        &["<a href=\"./finding/never_expires\">Never expires</a>", "If it leaks, it works until somebody revokes it."],
    );
    let unused = page(&server, "/finding/unused").await;
    assert_shows(
        &unused,
        &[
            "<h1><bdi>Unused</bdi></h1>",
            "./../token/gitlab/p11".trim_start_matches("./"),
            "revoke it if nobody needs it",
        ],
    );
}

#[tokio::test]
async fn names_of_settings_are_code() {
    let server = Server::start().await;
    assert_shows(&page(&server, "/finding").await, &["or set <code>rotate_after</code> on its source or in a rule."]);
    for path in ["/", "/finding", "/finding/never_expires", "/source", "/source/vault", "/token/gitlab/p08"] {
        let page = page(&server, path).await;
        let main = page.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
        assert!(!main.contains('`'), "{path}: {main}");
    }
}

#[tokio::test]
async fn empty_inventory_says_why() {
    let empty = Server::start_with(None, |state| *state.inventory.write() = Inventory::default()).await;
    assert_shows(&page(&empty, "/").await, &["No source is configured."]);
    assert_shows(&page(&empty, "/source").await, &["No source is configured."]);
    assert_shows(&page(&empty, "/owner").await, &["No token has an owner."]);
    let none = server_with(Vec::new()).await;
    assert_shows(&page(&none, "/").await, &["Every source was collected completely, and none has a token."]);
    let waiting = Server::start_with(None, |state| {
        let mut inventory = Inventory::default();
        inventory.set_policy(BTreeMap::from([("new".to_owned(), policy("vendor", &["all"]))]), no_rules());
        *state.inventory.write() = inventory;
    })
    .await;
    assert_shows(&page(&waiting, "/").await, &["No token is known yet", "1 source not collected since the start"]);
}

#[tokio::test]
async fn page_of_many_tokens_and_owners_stays_small() {
    let many = (0..10_000).map(|number| Token {
        owner: Some(Owner { name: Some(format!("Owner {}", number % 3_000).into()), ..Owner::default() }.into()),
        created_at: Some(at("2026-01-01T00:00:00Z")),
        last_used: LastUse::Never,
        ..token(&format!("t{number:05}"), &format!("token {number}"), expires_in(i64::from(number % 365)))
    });
    let server = server_with(many.collect()).await;
    let home = page(&server, "/").await;
    assert!(home.len() < 150_000, "{} bytes", home.len());
    assert_shows(&home, &["1 to 50 of 10000 tokens", "<datalist id=\"owner-values\">", "rel=\"next\""]);
    let owners = page(&server, "/owner").await;
    assert!(owners.len() < 150_000 && owners.contains("3000 owners"), "{} bytes", owners.len());
    let last = page(&server, "/?offset=9990").await;
    assert_shows(&last, &["9991 to 10000 of 10000 tokens", "rel=\"prev\""]);
}
