//! The post-mortem: facts where there are any, and what people are to write. On the page, and as Markdown to copy.

mod markdown;

use super::facts::Facts;
use super::markup::Markup;
use super::tables::{self, Cell};
use super::times::{self, Times};
use super::{Told, markers, summary, timeline, words};

/// Episodes that it tells of.
const MOST_ALERTS: usize = 3;
/// Rows of its timeline.
const MOST_ENTRIES: usize = 40;
/// What is told of the time before an incident, if not everything is.
const SHORTLY: times::Micros = 3_600 * times::SECOND;

/// A part of it.
#[derive(Debug)]
pub enum Block {
    /// Begins a part.
    Heading(&'static str),
    /// Facts.
    Facts(String),
    /// A field that people fill in, and what belongs there.
    ToWrite(&'static str, String),
    /// Heads and rows.
    Table(&'static str, &'static [&'static str], Vec<Vec<String>>),
}

/// The section, unless there is nothing to write about.
pub fn write(m: &mut Markup, told: &Told<'_>, facts: &[Facts<'_>], times: Times) {
    if told.outcome.events == 0 && facts.is_empty() {
        return;
    }
    let blocks = blocks(told, facts, times);
    m.within("section", &[("aria-labelledby", "post-mortem"), ("class", "post-mortem")], |m| {
        m.leaf("h2", &[("id", "post-mortem")], "Post-mortem");
        m.leaf("p", &[("class", "note")], "The facts are filled in. What is framed is for you to write.");
        blocks.iter().for_each(|block| on_page(m, block));
        m.within("details", &[], |m| {
            m.leaf("summary", &[], "The post-mortem as Markdown, to copy");
            m.within("pre", &[("class", "copy"), ("tabindex", "0")], |m| {
                m.text(&markdown::text(told.title, times, &blocks))
            });
        });
    });
}

fn on_page(m: &mut Markup, block: &Block) {
    match block {
        Block::Heading(heading) => m.leaf("h3", &[], heading),
        Block::Facts(text) => m.leaf("p", &[], text),
        Block::ToWrite(what, hint) => m.within("p", &[("class", "to-write")], |m| {
            m.leaf("strong", &[], &format!("{what}, to be written: "));
            m.text(hint);
        }),
        Block::Table(caption, heads, rows) => {
            let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().cloned().map(Cell::Text).collect()).collect();
            tables::write(m, caption, heads, &rows);
        }
    }
}

fn blocks(told: &Told<'_>, facts: &[Facts<'_>], times: Times) -> Vec<Block> {
    let worst = &facts[..facts.len().min(MOST_ALERTS)];
    let mut blocks = impact(told, worst, times);
    blocks.extend(detection(worst, times));
    blocks.extend(timeline(told, facts, times));
    blocks.extend(cause(worst, times));
    blocks.extend(done(told, worst, times));
    blocks.extend(actions());
    blocks.extend(lessons());
    blocks
}

fn to_write(what: &'static str, hint: &str) -> Block {
    Block::ToWrite(what, hint.to_owned())
}

fn impact(told: &Told<'_>, worst: &[Facts<'_>], times: Times) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Impact")];
    if worst.is_empty() {
        blocks.push(Block::Facts(summary::without_alerts(told.outcome, times)));
    }
    for facts in worst {
        let begin = format!(
            "{}, from {} to {} UTC ({}):",
            facts.name,
            times.at(facts.since),
            times.at(facts.end),
            words::span((facts.end - facts.since) / times::SECOND)
        );
        let rest = [
            Some(summary::impact(facts, times)),
            summary::who(&facts.alert.contributors),
            summary::budget(facts, times),
        ];
        blocks.push(Block::Facts([Some(begin)].into_iter().chain(rest).flatten().collect::<Vec<_>>().join(" ")));
    }
    blocks.push(to_write("For users", "what they saw, and what it cost them and us."));
    blocks
}

fn detection(worst: &[Facts<'_>], times: Times) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Detection")];
    let many = worst.len() > 1;
    for facts in worst {
        let of = if many { format!("{}: ", facts.name) } else { String::new() };
        blocks.push(Block::Facts(format!("{of}{}", summary::how_it_was_told(facts, times))));
    }
    if worst.is_empty() {
        blocks.push(Block::Facts("No alert told of it.".to_owned()));
    }
    blocks.push(to_write("Response", "who noticed first and how, who took it on and when, what took time."));
    blocks
}

fn timeline(told: &Told<'_>, facts: &[Facts<'_>], times: Times) -> Vec<Block> {
    let entries = timeline::entries(told.outcome, facts, times);
    let row =
        |entry: &timeline::Entry| vec![times.at(entry.at), entry.kind.clone(), entry.of.clone(), entry.text.clone()];
    // Of a long one, the part that begins shortly before the worst.
    let shortly_before = facts.first().map(|worst| worst.begin - SHORTLY);
    let is_before = |entry: &&timeline::Entry| shortly_before.is_some_and(|at| entry.at < at);
    let too_many = entries.len().saturating_sub(MOST_ENTRIES);
    let before = entries.iter().take(too_many).take_while(is_before).count();
    let rows: Vec<Vec<String>> = entries.iter().skip(before).take(MOST_ENTRIES).map(row).collect();
    let after = entries.len() - before - rows.len();
    let left_out = (before + after > 0).then(|| {
        let [before, after] = [before, after].map(|n| words::count(n as i64));
        Block::Facts(format!("Not shown here: {before} earlier, {after} later."))
    });
    let heads = &["Time", "Kind", "Of", "What"];
    let table = (!rows.is_empty()).then_some(Block::Table("Timeline (UTC)", heads, rows));
    let people = to_write("What people did", "who did what at which time.");
    [Block::Heading("Timeline")].into_iter().chain(table).chain(left_out).chain([people]).collect()
}

fn cause(worst: &[Facts<'_>], times: Times) -> Vec<Block> {
    let change = worst.iter().find_map(|facts| summary::change(facts, times));
    // Of one that was open before the range, and is not known when it began, the hour before was not looked at.
    let looked = worst.iter().any(|facts| facts.alert.began_at.is_some() || facts.begin == facts.since);
    let none = looked.then(|| "No deploy or configuration change is marked in the hour before.".to_owned());
    let written = [
        to_write("Immediate cause", "what broke."),
        to_write("Contributing causes", "what made it possible, longer or worse."),
        to_write("Root cause", "why it could happen at all."),
    ];
    [Block::Heading("Cause")].into_iter().chain(change.or(none).map(Block::Facts)).chain(written).collect()
}

fn done(told: &Told<'_>, worst: &[Facts<'_>], times: Times) -> Vec<Block> {
    let is_during = |at: i64| worst.iter().any(|facts| at > facts.begin && at <= facts.end);
    let changes = told.outcome.markers.iter().filter(|marker| markers::is_change(marker));
    let during = changes.filter(|marker| times::parse(&marker.time).is_some_and(is_during));
    let facts = during.map(|marker| {
        let text = if marker.text.is_empty() { String::new() } else { format!(" ({})", marker.text) };
        Block::Facts(format!("At {}: {}{text}.", times.at_text(&marker.time), markers::named(marker)))
    });
    let written = to_write("What was done", "what ended it, and what was tried before.");
    [Block::Heading("What was done")].into_iter().chain(facts).chain([written]).collect()
}

fn actions() -> Vec<Block> {
    const HEADS: &[&str] = &["Action", "Owner", "Due"];
    let blank = || vec![vec![String::new(); 3]; 3];
    vec![
        Block::Heading("Actions"),
        Block::Table("Short term, to be written", HEADS, blank()),
        Block::Table("Medium term, to be written", HEADS, blank()),
    ]
}

fn lessons() -> Vec<Block> {
    vec![
        Block::Heading("Lessons"),
        to_write("What went well", "what helped, and is to be kept."),
        to_write("What went badly", "what made it worse, or slower to end."),
        to_write("Where we were lucky", "what could have made it worse, and did not."),
    ]
}
