//! Answers of `query` as tables: those of the command line are the tables of the API.

use slipstream_query::history::{
    AlertAnswer, ContributorAnswer, EventAnswer, HistoryAnswer, NotificationAnswer, TopAnswer,
};
use slipstream_query::slos::SloAnswer;
use slipstream_store::kpis;

use super::Rows;
use super::alerts::{Alert, Alerts};
use super::contributors::Contributors;
use super::endpoints::Endpoints;
use super::events::{Event, Events};
use super::history::History;
use super::kpis::{KpiAnswer, KpiRows};
use super::notifications::Notifications;
use super::rules::RuleStanding;
use super::slos::{Known, Slos, Standing};

/// An answer that has a table.
pub trait Tabled {
    /// The table.
    type Table: Rows;

    /// It as a table.
    fn tabled(self) -> Self::Table;

    /// Where the next page starts, if there is one.
    fn next(&self) -> Option<&str> {
        None
    }
}

impl Tabled for kpis::KpiAnswer {
    type Table = KpiRows;

    fn tabled(self) -> KpiRows {
        KpiAnswer::new(self, None).into_rows()
    }
}

impl Tabled for EventAnswer {
    type Table = Events;

    fn tabled(self) -> Events {
        Events { events: self.events.into_iter().map(Event::from).collect(), next: self.next, as_of: None }
    }

    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl Tabled for TopAnswer {
    type Table = Endpoints;

    fn tabled(self) -> Endpoints {
        Endpoints::new(self, None)
    }
}

impl Tabled for HistoryAnswer {
    type Table = History;

    fn tabled(self) -> History {
        History::new(self, None)
    }
}

impl Tabled for ContributorAnswer {
    type Table = Contributors;

    fn tabled(self) -> Contributors {
        Contributors::new(self, None)
    }
}

impl Tabled for AlertAnswer {
    type Table = Alerts;

    fn tabled(self) -> Alerts {
        Alerts { alerts: self.alerts.into_iter().map(Alert::from).collect(), as_of: None }
    }
}

impl Tabled for NotificationAnswer {
    type Table = Notifications;

    fn tabled(self) -> Notifications {
        Notifications::new(self, None)
    }

    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl Tabled for SloAnswer {
    type Table = Slos;

    fn tabled(self) -> Slos {
        let known = Known { as_of: None, complete: true, stale_for_seconds: None };
        let rules = self.rules.into_iter().map(RuleStanding::from).collect();
        Slos { slos: self.slos.into_iter().map(Standing::from).collect(), rules, known }
    }
}
