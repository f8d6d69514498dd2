//! Filters and patterns made at random. A pattern is compiled or refused for a reason of RE2's syntax, never of the one that
//! it is translated to. A filter keeps its answer when what is known of an event is put into it, and what a warning says of
//! it is so.

use std::sync::LazyLock;

use proptest::prelude::*;
use slipstream_definitions::filter::Filter;

use crate::ours::{Events, events};
use crate::random_filters::filter;
use crate::random_patterns::{pattern, quoted};
use crate::table::{check_findings, check_reduced};

static EVENTS: LazyLock<Events> = LazyLock::new(events);

proptest! {
    #[test]
    fn any_pattern_is_compiled_or_refused_in_the_words_of_re2(pattern in pattern()) {
        let quoted = quoted(&pattern);
        if let Err(errors) = Filter::compile(&format!("endpoint.matches({quoted})")) {
            let [error] = errors.as_slice() else { panic!("{pattern}: {errors:?}") };
            prop_assert_eq!(error.code, "filter-regex");
            // A message of the engine has several lines, and shows a pattern that nobody wrote.
            prop_assert!(!error.message.contains('\n') && !error.message.contains("parse error"), "{}", error.message);
        }
    }

    #[test]
    fn a_filter_keeps_its_answer_and_what_is_said_of_it_holds(sources in prop::collection::vec(filter(), 8)) {
        for source in sources {
            check_findings(&source, &EVENTS);
            check_reduced(&source, &EVENTS);
        }
    }
}
