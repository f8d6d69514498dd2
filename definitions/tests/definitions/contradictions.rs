//! Filters that can never matter, one for each way to see it: bounds that are open or closed, attributes, letters of the
//! other case, keys that are too long, branches. Beside each the nearest filter that can.

use slipstream_definitions::filter::Filter;

/// Code and marked text of each finding.
fn found(source: &str) -> Vec<(&'static str, String)> {
    let (_, findings) = Filter::checked(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
    let marked = |start, width| source.chars().skip(start).take(width).collect();
    findings.iter().map(|finding| (finding.code, marked(finding.start, finding.width))).collect()
}

fn check(code: &'static str, sources: &[&str]) {
    for source in sources {
        assert_eq!(found(source), [(code, (*source).to_owned())], "{source}");
    }
}

fn check_silent(sources: &[&str]) {
    for source in sources {
        assert_eq!(found(source), [], "{source}");
    }
}

#[test]
fn a_bound_is_open_or_closed() {
    check(
        "never-true",
        &[
            "latency_ms > 0 && latency_ms <= 0",
            "latency_ms >= 300 && latency_ms < 300",
            "latency_ms > 300 && latency_ms <= 300",
            "status_code <= 404 && status_code > 404",
            "status_code < 404 && status_code >= 404",
        ],
    );
    check_silent(&[
        "latency_ms >= 0 && latency_ms <= 0",
        "latency_ms >= 300 && latency_ms <= 300",
        "status_code <= 404 && status_code >= 404",
        "status_code <= 598",
    ]);
    check("always-true", &["status_code <= 599", "status_code < 600", "599 >= status_code"]);
}

#[test]
fn the_narrowest_bound_counts_wherever_it_stands() {
    let never = |source: &str| assert!(found(source).iter().any(|(code, _)| *code == "never-true"), "{source}");
    never("latency_ms > 300 && latency_ms > 100 && latency_ms < 200");
    never("latency_ms > 100 && latency_ms > 300 && latency_ms < 200");
    never("latency_ms < 300 && latency_ms < 500 && latency_ms > 400");
    never("latency_ms < 500 && latency_ms < 300 && latency_ms > 400");
    never("latency_ms > 400 && latency_ms < 500 && latency_ms < 300");
    never("latency_ms < 200 && latency_ms > 100 && latency_ms > 300");
    never("latency_ms >= 300 && latency_ms <= 300 && latency_ms < 300");
    never("latency_ms <= 300 && latency_ms >= 300 && latency_ms > 300");
    // Of two bounds at the same place the open one, in any order.
    check_silent(&["latency_ms < 300 && latency_ms <= 300", "latency_ms > 300 && latency_ms >= 300"]);
    for source in [
        "(latency_ms < 300 || latency_ms > 400) && latency_ms <= 300 && latency_ms >= 300",
        "(latency_ms > 300 || latency_ms < 200) && latency_ms <= 300 && latency_ms >= 300",
    ] {
        never(source);
    }
}

#[test]
fn an_attribute_has_one_value() {
    check(
        "never-true",
        &[
            "attributes.a == \"x\" && attributes.a == \"y\"",
            "attributes.a == \"x\" && attributes.a != \"x\"",
            "attributes.a in [\"x\", \"y\"] && attributes.a == \"z\"",
            "attributes.a.startsWith(\"x\") && attributes.a.startsWith(\"y\")",
        ],
    );
    check_silent(&[
        "attributes.a == \"x\" && attributes.b == \"y\"",
        "attributes.a in [\"x\", \"y\"] && attributes.a == \"y\"",
        "attributes.a.startsWith(\"x\") && attributes.a.startsWith(\"xy\")",
        "attributes.a.startsWith(\"x\") && attributes.b.startsWith(\"y\")",
    ]);
}

#[test]
fn what_was_made_lower_case_has_no_upper_case() {
    check("never-true", &["method.lowerAscii() == \"GET\"", "method.upperAscii().startsWith(\"g\")"]);
    check("always-true", &["!(method.lowerAscii() == \"GET\")", "!method.upperAscii().startsWith(\"g\")"]);
    check_silent(&["!(method.lowerAscii() == \"get\")", "!method.upperAscii().startsWith(\"G\")"]);
}

#[test]
fn a_key_has_at_most_64_bytes() {
    let (fits, too_long) =
        (format!("\"{}\" in attributes", "k".repeat(64)), format!("\"{}\" in attributes", "k".repeat(65)));
    check_silent(&[&fits]);
    check("never-true", &[&too_long]);
}

#[test]
fn a_conditional_is_what_its_branches_are() {
    check(
        "never-true",
        &["service == \"a\" ? status_code > 600 : false", "service == \"a\" ? service == \"b\" : status_code > 600"],
    );
    check("always-true", &["service == \"a\" ? service != \"b\" : status_code < 600"]);
    check_silent(&[
        "latency_ms < 300 ? method == \"GET\" : method != \"GET\"",
        "service == \"a\" ? status_code < 500 : status_code < 400",
    ]);
}

#[test]
fn no_number_is_a_value_too() {
    // `double("nan")` is neither below 3 nor at least 3, and differs from itself.
    check_silent(&[
        "!(double(attributes.a) < 3.0) && !(double(attributes.a) >= 3.0)",
        "double(attributes.a) != 3.0 && !(double(attributes.a) < 3.0) && !(double(attributes.a) > 3.0)",
        "!has(attributes.a) || double(attributes.a) < 3.0 || double(attributes.a) >= 3.0",
    ]);
    check(
        "never-true",
        &[
            "double(attributes.a) < 3.0 && double(attributes.a) >= 3.0",
            "double(attributes.a) == 3.0 && !(double(attributes.a) >= 3.0)",
            "!(int(attributes.a) < 3) && !(int(attributes.a) >= 3)",
        ],
    );
}

#[test]
fn neighbours_that_a_double_does_not_tell_apart_stay_two() {
    check_silent(&["int(attributes.a) > 9007199254740992 && int(attributes.a) <= 9007199254740993"]);
    check("never-true", &["int(attributes.a) > 9007199254740991 && int(attributes.a) <= 9007199254740991"]);
}

#[test]
fn patterns_are_those_of_re2() {
    check_silent(&[
        "endpoint == \"é\" && endpoint.matches(\"\\\\W\")",
        "endpoint == \"~\" && endpoint.matches(\"[a~~b]\")",
    ]);
    check(
        "never-true",
        &["endpoint == \"é\" && endpoint.matches(\"\\\\w\")", "endpoint == \"٣\" && endpoint.matches(\"\\\\d\")"],
    );
}

#[test]
fn a_number_that_cannot_be_read_is_unknown_although_it_is_there() {
    // `abc` is neither more than 3 nor at most 3.
    check_silent(&["!has(attributes.a) || int(attributes.a) > 3 || int(attributes.a) <= 3"]);
    // A string is compared whatever it is.
    check("always-true", &["!has(attributes.a) || attributes.a == \"x\" || attributes.a != \"x\""]);
}
