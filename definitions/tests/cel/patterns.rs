//! Regular expressions made at random: each is compiled or refused for a reason of RE2's syntax, never of what ours is
//! translated to.

use proptest::prelude::*;
use slipstream_definitions::filter::Filter;

use crate::random_patterns::{pattern, quoted};

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
}
