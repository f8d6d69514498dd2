//! Which requests a line of traffic is on, and which alerts an entry is about.

use crate::files::{AVAILABILITY, failures, passes, play, read, story};

#[test]
fn a_line_is_on_requests_that_are_all_that_it_says() {
    passes(
        AVAILABILITY,
        "
given:
  traffic:
    - 1/s environment prod latency 80ms for 10m
    - 1/s environment test latency 80ms for 10m
    - 1/s environment test latency none for 10m
    - 100 % 500 on environment prod latency 80ms from 1m to 2m
    - 100 % 500 on environment test latency none from 3m to 5m
    - 100 % 500 on latency 80ms from 6m to 7m
expect:
  - {at: 3m, total: 540, bad: 60}
  - {at: 6m, total: 1080, bad: 180}
  - {at: 10m, total: 1800, bad: 300}
",
    );
}

/// The same SLO with a second objective that is never missed.
fn with_another() -> String {
    AVAILABILITY.replace(
        "[{displayName: answered, target: 0.999}]",
        "[{displayName: answered, target: 0.999}, {displayName: mostly, target: 0.5}]",
    )
}

#[test]
fn an_entry_is_about_its_own_objective() {
    let body = |objective: &str| {
        format!(
            "
given: {{traffic: [100/s for 70m, 100 % 503 from 1h to 1h5m]}}
alerts:
  - {{at: 1h ± 5m, is: firing, objective: {objective}}}
  - {{at: 1h ± 5m, is: severity, objective: answered}}
  - {{at: 1h ± 5m, is: severity, objective: answered}}
"
        )
    };
    let others = |objective: &str| {
        let found = failures(&with_another(), &body(objective));
        found.into_iter().filter(|line| line.contains("firing")).collect::<Vec<_>>()
    };
    assert_eq!(others("answered"), Vec::<String>::new());
    let found = others("mostly");
    assert!(found.iter().any(|line| line.ends_with("firing at 1h ± 5m | none")), "{found:?}");
}

#[test]
fn an_alert_that_never_comes_is_shown_with_the_series_that_it_is_about() {
    let body = "
given: {traffic: 10/s for 10m}
alerts:
  - {at: 5m, is: firing}
";
    let outcome = play(AVAILABILITY, &story(body));
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:#?}") };
    assert_eq!((failure.series.as_str(), failure.at.as_str()), ("availability answered", "5m"));
    let around = failure.around.as_ref().expect("the series was there");
    assert_eq!((around.row, around.rows.len(), around.rows[3][..2].join(" ")), (3, 7, "5m 100".to_owned()));
}

#[test]
fn kinds_of_requests_are_bounded_by_their_number_too() {
    // Each line doubles them: 1,024 are allowed, 2,048 are not.
    let body = |doublings: usize| {
        let lines: Vec<String> = (0..doublings).map(|i| format!("50 % attributes.a{i}=x")).collect();
        story(&format!("given: {{traffic: [100/s for 1m, {}]}}\nalerts: none", lines.join(", ")))
    };
    assert!(read(AVAILABILITY, &body(10)).is_ok());
    let found = read(AVAILABILITY, &body(11)).err().map(|found| found[0].code);
    assert_eq!(found, Some("too-much-traffic"));
}
