//! Budgets of sliced time beside the slice that spends them.

use crate::documents::{CHECKOUT, load_texts, summary};

/// Codes and messages of an SLO of hour-long slices, its window and its target.
fn found(window: &str, target: &str) -> Vec<(&'static str, String)> {
    let head = CHECKOUT.split("  timeWindow:").next().unwrap();
    let objective = format!("{{displayName: a, target: {target}, timeSliceTarget: 0.9, timeSliceWindow: 1h}}");
    let text = format!(
        "{head}  timeWindow: [{{duration: {window}, isRolling: true}}]\n  budgetingMethod: Timeslices\n  objectives: \
         [{objective}]\n"
    );
    load_texts(&[&text]).diagnostics.into_iter().map(|found| (found.code, found.message)).collect()
}

#[test]
fn a_budget_below_one_slice_is_warned_of() {
    let below = |window, target| found(window, target).into_iter().find(|(code, _)| *code == "budget-below-slice");
    let says = |slices: i64, allowed: &str| {
        let message = format!(
            "objective `a`: its window has {slices} slice{} of 1h and the target allows {allowed} bad ones: the first bad \
             slice spends more than the whole budget",
            if slices == 1 { "" } else { "s" }
        );
        Some(("budget-below-slice", message))
    };
    // 15 % of 6 slices are 0.9, of 7 they are 1.05.
    assert_eq!(below("6h", "0.85"), says(6, "0.90"));
    assert_eq!(below("7h", "0.85"), None);
    assert_eq!(below("19h", "0.95"), says(19, "0.95"));
    assert_eq!(below("20h", "0.95"), None, "exactly one");
    assert_eq!(below("1h", "0.5"), says(1, "0.50"));
}

#[test]
fn a_window_of_no_length_is_one_error() {
    let head = CHECKOUT.split("  timeWindow:").next().unwrap();
    let text = format!(
        "{head}  timeWindow: [{{duration: 0d, isRolling: true}}]\n  budgetingMethod: RatioTimeslices\n  objectives: \
         [{{target: 0.99, timeSliceWindow: 1h}}]\n"
    );
    let codes: Vec<&str> = summary(&load_texts(&[&text]).diagnostics).into_iter().map(|found| found.0).collect();
    assert_eq!(codes, ["invalid-duration"]);
}
