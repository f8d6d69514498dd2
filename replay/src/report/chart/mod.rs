//! Charts over time, as SVG: lines with gaps, thresholds, shaded alerts, markers. Colours come from the page's style sheet, so that
//! they follow the reader's scheme; dashes and labels tell the same without colours.

mod draw;
mod hours;
mod labels;
mod scale;

pub use draw::draw;
pub use scale::Scale;

use super::times::{Micros, Times};

/// A chart.
#[derive(Debug)]
pub struct Chart<'a> {
    /// What is shown, with its unit.
    pub title: String,
    /// What else is to be known.
    pub caption: String,
    /// In words, for those who cannot see it.
    pub description: String,
    /// What it covers.
    pub times: Times,
    /// The vertical axis.
    pub scale: Scale,
    /// Writes a value beside the axis.
    pub figure: fn(f64) -> String,
    /// Height of the plot.
    pub height: f64,
    /// At most four.
    pub lines: Vec<Line>,
    /// Values that matter.
    pub thresholds: Vec<Level>,
    /// Stretches of time, behind the lines.
    pub bands: &'a [Band],
    /// Moments.
    pub marks: &'a [Mark],
}

/// A line.
#[derive(Debug)]
pub struct Line {
    /// Written at its end.
    pub label: String,
    /// What it looks like.
    pub look: Look,
    /// By time; `None` ends the line until the next value.
    pub points: Vec<(Micros, Option<f64>)>,
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Solid, filled below.
    Area,
    /// Solid, filled below, in the colour of errors.
    Errors,
    /// Solid.
    Solid,
    /// Dashed.
    Dashed,
    /// Dotted.
    Dotted,
    /// Dashes and dots.
    Mixed,
}

impl Look {
    /// Its class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Look::Area => "line area",
            Look::Errors => "line errors",
            Look::Solid => "line solid",
            Look::Dashed => "line dashed",
            Look::Dotted => "line dotted",
            Look::Mixed => "line mixed",
        }
    }

    fn is_filled(self) -> bool {
        matches!(self, Look::Area | Look::Errors)
    }
}

/// A horizontal line across the plot.
#[derive(Debug)]
pub struct Level {
    /// Where.
    pub value: f64,
    /// Written at its end.
    pub label: String,
}

/// A stretch of time.
#[derive(Debug, Clone)]
pub struct Band {
    /// Beginning.
    pub from: Micros,
    /// End.
    pub to: Micros,
    /// What it is.
    pub kind: BandKind,
    /// Written above it where there is room.
    pub label: String,
}

/// What a stretch of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandKind {
    /// An alert's `for` runs.
    Pending,
    /// An alert fires.
    Firing,
    /// Events are gone.
    Missing,
}

/// A moment.
#[derive(Debug, Clone)]
pub struct Mark {
    /// When.
    pub at: Micros,
    /// Written above it where there is room.
    pub label: String,
}
