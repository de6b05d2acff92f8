#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::*;

/// An expression with the settings `admin` and `days`, the look-up table `users`, and the names `group` and `user` in scope.
fn compiled(code: &str) -> Result<Expression, Vec<SpanError>> {
    let [settings, maps, names] = [vec!["admin", "days"], vec!["users"], vec!["group", "user"]]
        .map(|names| names.into_iter().map(String::from).collect::<Vec<_>>());
    Expression::compile("test", code, &ExpressionScope { settings: &settings, maps: &maps, names: &names })
}

fn value(json: Value) -> Val {
    serde_json::from_value(json).unwrap()
}

fn variables() -> Variables {
    Variables {
        settings: value(json!({"admin": true, "days": 90})),
        maps: value(json!({"users": {"7": {"name": "ada"}}})),
        headers: value(json!({"link": "x"})),
        status: value(json!(200)),
        names: vec![value(json!({"id": 12})), value(json!("u"))],
        ..Variables::default()
    }
}

/// The values that the expression yields, as JSON.
fn run(code: &str, input: &Value) -> Result<Vec<String>, Unreadable> {
    let expression = compiled(code).unwrap_or_else(|errors| panic!("{code}: {errors:?}"));
    Ok(expression.run(&variables(), value(input.clone()))?.iter().map(ToString::to_string).collect())
}

#[test]
fn expression_yields_the_values_of_jq() {
    let input = json!({"a": 1, "b": [3, 1, 2], "t": "x-y", "o": {"k": null}, "n": "12", "id": 7, "when": "2026-01-02"});
    let cases: &[(&str, &[&str])] = &[
        (".a", &["1"]),
        (".missing.deep", &["null"]),
        (".b[]", &["3", "1", "2"]),
        ("empty", &[]),
        (".a, .t", &["1", "\"x-y\""]),
        ("[.b[] | . * 2 + 1]", &["[7,3,5]"]),
        (".b | [min, max, add, length]", &["[1,3,6,3]"]),
        (".b | sort | map(tostring) | join(\", \")", &["\"1, 2, 3\""]),
        ("[.t, null, 1, true] | join(\"/\")", &["\"x-y//1/true\""]),
        ("\"\\(.a): \\(.t) \\(.b)\"", &["\"1: x-y [3,1,2]\""]),
        ("@base64 \"<\\(.t)>\"", &["\"<eC15>\""]),
        ("\"eC15\" | @base64d", &["\"x-y\""]),
        (".t | test(\"^x\"), (split(\"-\") | last)", &["true", "\"y\""]),
        (
            "[\"A\\nb\" | test(\"a\"; \"i\"), test(\"a\"), test(\"^b\"; \"m\"), test(\"A.b\"; \"s\"), test(\"z*\"; \"n\"), test(\"A b\"; \"x\")]",
            &["[true,false,true,true,false,false]"],
        ),
        (".t | test(\"y\"; null)", &["true"]),
        (".t | capture(\"(?<l>.)-(?<r>.)\") | .l + .r", &["\"xy\""]),
        (".t | gsub(\"-\"; \"_\")", &["\"x_y\""]),
        (".n | tonumber + 1", &["13"]),
        ("\"1.5\" | tonumber", &["1.5"]),
        ("\"true\" | toboolean", &["true"]),
        ("\"{\\\"x\\\": [1]}\" | fromjson.x[0]", &["1"]),
        (".o | tojson", &["\"{\\\"k\\\":null}\""]),
        (".o.k // \"none\"", &["\"none\""]),
        ("{a, t: .t, (.n): 1} | keys", &["[\"12\",\"a\",\"t\"]"]),
        ("{a, x: .missing} | to_entries | map(.key)", &["[\"a\",\"x\"]"]),
        ("with_entries(select(.value == 1))", &["{\"a\":1}"]),
        (". as {$a, b: [$first]} | [$a, $first]", &["[1,3]"]),
        ("if .a == 1 then \"one\" elif .a then \"some\" else null end", &["\"one\""]),
        ("[.b[]?, .a[]?]", &["[3,1,2]"]),
        ("first(.b[] | select(. < 3))", &["1"]),
        ("[limit(2; .b[])]", &["[3,1]"]),
        (".b | any(. == 2), all(. > 1)", &["true", "false"]),
        ("[..] | length", &["12"]),
        ("$settings.days * 86400000", &["7776000000"]),
        ("$maps.users[.id | tostring].name", &["\"ada\""]),
        ("[$group.id, $user, $status, $headers.link, $body, $rows]", &["[12,\"u\",200,\"x\",null,null]"]),
        ("{$user}", &["{\"user\":\"u\"}"]),
        ("9007199254740993", &["9007199254740993"]),
        ("(.when + \"T00:00:00Z\") | fromdate", &["1767312000"]),
    ];
    for (code, expected) in cases {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(run(code, &input), Ok(expected), "{code}");
    }
}

#[test]
fn run_fails_without_a_message_on_unexpected_input() {
    let input = json!({"secret": "s3cret", "n": 1});
    for code in [
        ".secret.x",
        ".secret[0]",
        ".n | test(\"x\")",
        ".secret * 3",
        "3 * .secret",
        ".secret | tonumber",
        ".secret | fromjson",
        // Patterns that are written as such are errors of the definition.
        "\"(\" as $p | .secret | test($p)",
        "\"q\" as $f | .secret | test(\"a\"; $f)",
        "\"(a{500}){500}\" as $p | .secret | test($p)",
        ".secret | jwt_claims",
        ".secret | pem_not_after",
        "{} * {}",
        "[.secret] | join(1)",
    ] {
        assert_eq!(run(code, &input), Err(Unreadable), "{code}");
    }
    assert!(!format!("{} {:?}", Unreadable, Unreadable).contains("s3cret"));
}

#[test]
fn truth_is_false_without_a_value() {
    let cases = [
        (".a", json!({"a": 1}), true),
        (".a", json!({"a": 0}), true),
        (".a", json!({"a": false}), false),
        (".a", json!({}), false),
        ("empty", json!({}), false),
        (".a.b", json!({"a": "text"}), false),
        ("$settings.admin", json!(null), true),
    ];
    for (code, input, expected) in cases {
        assert_eq!(compiled(code).unwrap().truth(&variables(), value(input.clone())), expected, "{code} {input}");
    }
}

#[test]
fn expression_lists_its_maps_and_settings() {
    let expression = compiled("$maps.users[.id] // $settings.days // $settings.days").unwrap();
    assert_eq!((expression.maps(), expression.settings()), (&["users".to_owned()][..], &["days".to_owned()][..]));
}

#[test]
fn has_yielded_ignores_null() {
    let expression = compiled(".a").unwrap();
    expression.run(&variables(), value(json!({"a": null}))).unwrap();
    assert!(!expression.has_yielded());
    expression.run(&variables(), value(json!({"a": 0}))).unwrap();
    assert!(expression.has_yielded());
}

#[test]
fn compile_rejects_what_is_not_in_the_subset() {
    for code in [
        "now",
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "input_filename",
        "error",
        "range(9)",
        "repeat(.)",
        "recurse(.)",
        "while(true; .)",
        "until(false; .)",
        "combinations",
        "localtime",
        "strflocaltime(\"%c\")",
        "getpath([])",
        "path(.a)",
        "paths",
        "del(.a)",
        "walk(.)",
        "limit(1)",
        "import \"x\" as x; .",
        "include \"x\"; .",
        "def f: f; f",
        "label $x | .",
        "break $x",
        "reduce .[] as $x (0; .)",
        "foreach .[] as $x (0; .)",
        ".a = 1",
        ".a |= 1",
        ".a += 1",
        ".a //= 1",
        ".[] -= 1",
        "_add(1; 2)",
        "_list(.)",
        "expression__",
        "!empty",
        "x::y",
        "@sh",
        "@html",
        "$settings",
        "$maps[.x]",
        "$nobody",
        "$__loc__",
        ". as $settings | 1",
        "\"\\(now)\"",
        "{(env): 1}",
        ".[env]",
        "[.[] | {a: (.b | debug)}]",
        ". as {(env): $x} | $x",
        "@sh \"\\(.)\"",
    ] {
        assert!(compiled(code).is_err(), "{code} is accepted");
    }
}

#[test]
fn compile_rejects_a_regular_expression_that_does_not_compile() {
    for code in [
        "test(\"(\")",
        "test(\"(a{500}){500}\")",
        "test(\"a\"; \"q\")",
        "map(test(\"[z-a]\"; \"i\"))",
        "capture(\"(?<n>\")",
        "match(\"*\")",
        "scan(\"a\"; \"q\")",
        "[splits(\"(\")]",
        "split(\"(\"; null)",
        "sub(\"(\"; \"x\")",
        "gsub(\"[\"; \"x\"; \"i\")",
        "if .a then .b else .c | test(\"\\\\\") end",
    ] {
        let errors = compiled(code).err().unwrap_or_else(|| panic!("{code} is accepted"));
        assert!(errors[0].message.starts_with("invalid regular expression"), "{code}: {errors:?}");
    }
    for code in [
        "test(\"^(?<a>x)\\\\.\"; \"ix\")",
        "split(\"(\")",
        "test(.pattern)",
        "test(\"\\(.a)(\")",
        "gsub(\"\\\\s+\"; \" \")",
        "capture(\"(?<n>[0-9]+)\")",
    ] {
        assert!(compiled(code).is_ok(), "{code}: {:?}", compiled(code));
    }
}

#[test]
fn expression_reads_neither_the_environment_nor_files_and_stops_nothing() {
    for code in [
        "env",
        "$ENV",
        "env.HOME",
        "$__prog_args",
        "input",
        "inputs",
        "halt",
        "halt_error",
        "halt(0)",
        "input_line_number",
    ] {
        let errors = compiled(code).err().unwrap_or_else(|| panic!("{code} is accepted"));
        assert!(errors[0].message.starts_with("unknown"), "{code}: {errors:?}");
    }
}

#[test]
fn compile_accepts_every_allowed_function() {
    for (name, arity) in check::allowed() {
        let code = if arity == 0 { name.to_owned() } else { format!("{name}({})", vec!["."; arity].join("; ")) };
        assert!(compiled(&code).is_ok(), "{code}: {:?}", compiled(&code));
    }
}

#[test]
fn documentation_names_every_function() {
    let docs = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/definitions.md"));
    for (name, _) in check::allowed() {
        assert!(docs.contains(&format!("`{name}`")), "docs/definitions.md does not name `{name}`");
    }
}

mod hostile {
    use super::*;

    /// Runs on a stack as small as that of the runtime's threads.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn deep_expression_does_not_overflow_the_stack() {
        on_a_small_stack(|| {
            for (open, close) in [
                ("(", ")"),
                ("[", "]"),
                ("{a: ", "}"),
                ("-", ""),
                ("try ", ""),
                (". as $x | ", ""),
                (". | ", ""),
                ("if . then ", " end"),
                ("\"\\(", ")\""),
                ("1 + ", ""),
                (". // ", ""),
                ("map(", ")"),
                (".[", "]"),
                ("not and ", ""),
            ] {
                for times in [10, 40, 49, 90, 99, 300, 1_900] {
                    let code = format!("{}.{}", open.repeat(times), close.repeat(times));
                    if let Ok(expression) = compiled(&code) {
                        let _ = expression.run(&variables(), value(json!([1, {"a": [2]}])));
                    }
                    let half = open.repeat(times);
                    let _ = compiled(&half);
                }
            }
        });
    }

    #[test]
    fn deep_input_does_not_overflow_the_stack() {
        on_a_small_stack(|| {
            let deep = "[".repeat(100) + &"]".repeat(100);
            let input: Value = serde_json::from_str(&deep).unwrap();
            for code in [
                "tojson",
                "[..]",
                "flatten",
                "tostring",
                ". == .",
                "[., .] | sort | unique",
                "tojson | fromjson",
                "map_values(.)",
                "[.. | length]",
                "contains(.)",
            ] {
                assert!(run(code, &input).is_ok(), "{code}");
            }
            let bomb = json!("[".repeat(1_000_000));
            for code in ["fromjson", "tonumber", "toboolean"] {
                assert_eq!(run(code, &bomb), Err(Unreadable), "{code}");
            }
        });
    }

    #[test]
    fn unbounded_growth_exceeds_the_budget() {
        let doubled = |step: &str, times: usize| format!(".{}", format!(" | {step}").repeat(times));
        let cases = [
            doubled(". + .", 40),
            doubled("[., .]", 45) + " | tojson",
            doubled("[., .]", 45) + " | tostring",
            doubled("[., .]", 45) + " | \"\\(.)\"",
            doubled("\"\\(.)\\(.)\"", 30),
            doubled("[., .] | join(\"x\")", 40),
            "[1000000000000000] | .[0] * .[0] * .[0] * .[0]".to_owned(),
            ".[:3] * 1000000000000".to_owned(),
        ];
        for code in cases {
            assert!(run(&code, &json!("0123456789abcdef")).is_err(), "{code}");
        }
        let many = json!((0..2_000).collect::<Vec<_>>());
        assert_eq!(run("[.[] as $a | .[] as $b | .[] as $c | [$a, $b, $c]]", &many), Err(Unreadable));
    }

    #[test]
    fn large_page_is_within_the_budget() {
        let rows = json!((0..20_000).map(|id| json!({"id": id, "tags": ["a", "b"]})).collect::<Vec<_>>());
        assert_eq!(run("[.[].tags[]] | length", &rows), Ok(vec!["40000".into()]));
        assert_eq!(run("map(.tags) | add | length", &rows), Ok(vec!["40000".into()]));
        assert_eq!(run("map({(.id | tostring): .tags}) | add | length", &rows), Ok(vec!["20000".into()]));
        assert_eq!(run("map(.id | tostring) | add | length", &rows), Ok(vec!["88890".into()]));
    }
}

mod without_jq {
    use proptest::prelude::*;

    use super::*;

    fn scope(test: impl FnOnce(&ExpressionScope<'_>)) {
        let names: Vec<String> = ["group", "user", "user"].map(String::from).into();
        test(&ExpressionScope { settings: &["admin".into(), "days".into()], maps: &["users".into()], names: &names });
    }

    fn is_direct(code: &str) -> bool {
        let mut result = false;
        scope(|scope| {
            let expression = Expression::compile("test", code, scope).unwrap();
            result = matches!(expression.0.program, Program::Direct(_));
        });
        result
    }

    /// Keys that exist in the values below, and one that does not.
    fn key() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "key with space", "é", "z"]).prop_map(String::from)
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2_i64..3).prop_map(Value::from),
            prop::sample::select(vec![0.0, 1.0, 1.5, -1.0]).prop_map(Value::from),
            prop::sample::select(vec!["", "a", "b", "é", "1"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn step() -> impl Strategy<Value = String> {
        let step = prop_oneof![
            4 => prop::sample::select(vec![".a", ".b", ".z"]).prop_map(String::from),
            1 => key().prop_map(|key| format!("[{}]", Value::from(key))),
            1 => key().prop_map(|key| format!(".{}", Value::from(key))),
            1 => (0_u8..3).prop_map(|index| format!("[{index}]")),
            1 => Just("[null]".to_owned()),
            1 => Just("[\"\\u0061\"]".to_owned()),
        ];
        (step, prop::bool::weighted(0.2))
            .prop_map(|(step, optional)| format!("{step}{}", if optional { "?" } else { "" }))
    }

    fn path() -> impl Strategy<Value = String> {
        let head =
            prop::sample::select(vec![".", "$body", "$user", "$group", "$settings.days", "$maps.users", "$rows"]);
        (head, prop::collection::vec(step(), 0..4)).prop_map(|(head, steps)| {
            let steps = steps.concat();
            // `.` and a field are written with one dot.
            if head == "." && steps.starts_with('.') { steps } else { format!("{head}{steps}") }
        })
    }

    fn expression() -> impl Strategy<Value = String> {
        let constants = vec!["\"\"", "\"a\"", "\"b\\n\"", "null", "true", "false", "0", "1", "12", "type"];
        let leaf = prop_oneof![4 => path(), 1 => prop::sample::select(constants).prop_map(String::from)];
        let object = |value: BoxedStrategy<String>| {
            let entry = prop_oneof![
                (key(), value).prop_map(|(key, value)| format!("{}: {value}", Value::from(key))),
                prop::sample::select(vec!["a", "z", "\"key with space\""]).prop_map(String::from),
            ];
            prop::collection::vec(entry, 0..3).prop_map(|entries| format!("{{{}}}", entries.join(", ")))
        };
        leaf.prop_recursive(3, 12, 3, move |inner| {
            let binary = (inner.clone(), prop::sample::select(vec!["|", "//", "==", "!="]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})"));
            let condition = (inner.clone(), inner.clone(), prop::option::of(inner.clone()), inner.clone());
            prop_oneof![
                3 => binary,
                1 => (inner.clone(), object(inner.clone().boxed())).prop_map(|(left, right)| format!("({left} + {right})")),
                1 => object(inner.clone().boxed()),
                1 => (path(), inner.clone()).prop_map(|(head, key)| format!("({head} | .)[{key}]")),
                1 => (path(), inner.clone()).prop_map(|(head, key)| format!("({head})[{key}].a")),
                1 => condition.prop_map(|(condition, then, other, otherwise)| {
                    let other = other.map_or(String::new(), |other| format!(" elif {other} then ."));
                    format!("(if {condition} then {then}{other} else {otherwise} end)")
                }),
                1 => (inner.clone(), inner).prop_map(|(condition, then)| format!("(if {condition} then {then} end)")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn direct_expression_yields_the_values_of_jq(
            code in expression(), [input, body, group, user] in [json_value(), json_value(), json_value(), json_value()],
        ) {
            let [input, body, group, user] = [input, body, group, user].map(value);
            let variables = Variables { body, names: vec![group, value(json!("hidden")), user], ..variables() };
            let (mut direct, mut jq) = (None, None);
            scope(|scope| {
                direct = Some(Expression::compile("test", &code, scope).unwrap());
                jq = Some(Expression::compile_as("test", &code, scope, |_, _| None).unwrap());
            });
            let (direct, jq) = (direct.unwrap(), jq.unwrap());
            // Without a value, and with objects of objects, jq is needed.
            let simple = !code.contains(['?', '{']);
            prop_assert!(!simple || matches!(direct.0.program, Program::Direct(_)), "{}", code);
            prop_assert!(matches!(jq.0.program, Program::Jq(..)));
            let shown = |result: Result<Vec<Val>, Unreadable>| result.map(|values| format!("{values:?}"));
            prop_assert_eq!(shown(direct.run(&variables, input.clone())), shown(jq.run(&variables, input.clone())), "{}", code);
            prop_assert_eq!(direct.first(&variables, input.clone()), jq.first(&variables, input.clone()));
            prop_assert_eq!(direct.truth(&variables, input.clone()), jq.truth(&variables, input));
        }
    }

    #[test]
    fn expressions_with_a_loop_or_a_function_need_jq() {
        for code in [
            ".a",
            ".",
            ".a.b[\"c\"]?",
            ".errors[0].code == \"X\"",
            "(.a // .b) | .c",
            "\"text\"",
            "$user.name",
            ".[.a]",
            "$maps.users[.id // \"\"].name",
            "if .a == 1 then .b elif .c then .d end",
            "{a, b: .c, \"d e\": $user.name}",
            "{a: true}[.state // \"\"]",
            "if .user | type == \"object\" then .user + {active: $maps.users[.user.id // \"\"]} else .user end",
        ] {
            assert!(is_direct(code), "{code}");
        }
        for code in [
            ".a[]",
            ".[1:]",
            "..",
            ".a + 1",
            ".a | tostring",
            ".a + .b",
            "{a: 1} + {b: 2}",
            "{a: {b: 1}}",
            "{a: .} | {a: .}",
            "{(.a): 1}",
            "{a: .b?}",
            ".[.a?]",
            ".a?[.b]",
            "\"\\(.a)\"",
            ".a, .b",
            "-1",
            "1.5",
            ".a == .b?",
        ] {
            assert!(!is_direct(code), "{code}");
        }
    }
}
