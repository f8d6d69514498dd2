//! The incident report: one page with everything in it. It loads nothing, runs nothing, and says the same in the same bytes for the
//! same outcome.

mod bad;
mod chart;
mod charts;
mod facts;
mod head;
mod markers;
mod markup;
mod post_mortem;
mod series;
mod sources;
mod summary;
mod tables;
mod timeline;
mod times;
mod what_if;
mod words;

use markup::Markup;
use times::Times;

use crate::outcome::{Outcome, WhatIf};

/// What a report tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its title, such as `Incident report: checkout-availability`.
    pub title: &'a str,
    /// What is told: of a what-if, what the definitions of then found.
    pub outcome: &'a Outcome,
    /// What other definitions make of it, where that was asked.
    pub what_if: Option<&'a WhatIf>,
    /// The alert that the replay was around: its id, or id/episode. It is told first.
    pub focus: Option<&'a str>,
    /// What made it: `slipstream 1.2.3`.
    pub generated_by: &'a str,
    /// The command that made it, to repeat it.
    pub command: &'a str,
}

/// The report as an HTML page, which is well-formed XML too.
pub fn html(told: &Told<'_>) -> String {
    let times = Times::new(&told.outcome.from, &told.outcome.to);
    let facts = facts::of(told, times);
    let mut m = Markup::default();
    m.within("html", &[("lang", "en"), ("xmlns", "http://www.w3.org/1999/xhtml")], |m| {
        head::write(m, told);
        m.within("body", &[], |m| {
            head::title(m, told, &facts, times);
            m.within("main", &[], |m| {
                head::summary(m, told, &facts, times);
                charts::write(m, told, &facts, times);
                timeline::write(m, told, &facts, times);
                bad::write(m, told, &facts, times);
                told.what_if.iter().for_each(|what_if| what_if::write(m, what_if, times));
                post_mortem::write(m, told, &facts, times);
                sources::write(m, told, times);
            });
            m.within("footer", &[], |m| {
                m.leaf("p", &[], &format!("Made by {} from the requests themselves.", told.generated_by))
            });
        });
    });
    m.into_page()
}
