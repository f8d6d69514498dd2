//! The report in a real browser: its charts are drawn, in both schemes, with labels that do not overlap, and nothing is loaded.
//!
//! A page beside the report frames it, looks at what the browser made of it, and writes that down. The report itself is as users get
//! it: it runs no script. Needs Chromium: `SLIPSTREAM_TEST_BROWSER`, or the first that is found of those in `BROWSERS`.

#[path = "report/made_up.rs"]
#[expect(dead_code, reason = "the other tests of the report use the rest")]
mod made_up;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use slipstream_replay::report::{self, Told};
use tokio::process::Command;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: &str = include_str!("report/look.html");

/// What the browser made of the report.
#[derive(Debug, Deserialize)]
struct Seen {
    background: String,
    color: String,
    /// How far the page is wider than its window, pixels.
    overflow: f64,
    /// What was loaded besides the page.
    loaded: Vec<String>,
    charts: Vec<Chart>,
    /// Charts of the same page, read as XML; `None` if it is not well-formed.
    charts_as_xml: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Chart {
    id: String,
    width: f64,
    height: f64,
    /// Lines: their length in pixels, and whether their colour differs from the page's.
    lines: Vec<Line>,
    /// Labels that lie over each other, or outside.
    misplaced: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    length: f64,
    is_visible: bool,
}

#[tokio::test]
async fn a_browser_draws_every_chart_in_light_and_dark() -> Result<()> {
    let browser = browser()?;
    let folder = tempfile::tempdir()?;
    write(folder.path())?;
    let mut backgrounds = Vec::new();
    for (scheme, preference) in [("light", 1), ("dark", 0)] {
        let seen =
            look(&browser, folder.path(), preference).await.with_context(|| format!("looking at it in {scheme}"))?;
        check(&seen).with_context(|| format!("{scheme}: {seen:#?}"))?;
        backgrounds.push(seen.background);
    }
    ensure!(backgrounds[0] != backgrounds[1], "dark looks like light: {backgrounds:?}");
    Ok(())
}

fn browser() -> Result<PathBuf> {
    if let Some(browser) = std::env::var_os("SLIPSTREAM_TEST_BROWSER") {
        return Ok(browser.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = BROWSERS.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    let found = candidates.into_iter().find(|candidate| candidate.is_file());
    found.context("no browser: install Debian's package chromium (scripts/setup test does), or name one in SLIPSTREAM_TEST_BROWSER")
}

/// The report, the same as XML, and the page that looks at both.
fn write(folder: &Path) -> Result<()> {
    let (outcome, what_if) = (made_up::incident(), made_up::what_if());
    let told = Told {
        title: "Incident report: checkout-availability",
        outcome: &outcome,
        what_if: Some(&what_if),
        focus: None,
        generated_by: "slipstream 0.1.0",
        command: "slipstream replay --report report.html",
    };
    let page = report::html(&told);
    std::fs::write(folder.join("report.html"), &page)?;
    std::fs::write(folder.join("report.xhtml"), &page)?;
    std::fs::write(folder.join("look.html"), LOOK)?;
    Ok(())
}

async fn look(browser: &Path, folder: &Path, preference: u8) -> Result<Seen> {
    let mut command = Command::new(browser);
    // Without a sandbox, since containers rarely allow one, and the page is ours.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]);
    // The looking page may read the other: both are files.
    command.args([
        "--allow-file-access-from-files",
        "--window-size=1200,900",
        "--virtual-time-budget=10000",
        "--dump-dom",
    ]);
    command.arg(format!("--blink-settings=preferredColorScheme={preference}"));
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.arg(format!("file://{}", folder.join("look.html").display())).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.context("the browser does not end")??;
    let dom = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let seen = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = seen.with_context(|| format!("{} wrote no page: {stderr}", browser.display()))?;
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&seen).with_context(|| format!("what it saw: {seen}\n{stderr}"))
}

fn check(seen: &Seen) -> Result<()> {
    ensure!(seen.charts.len() == 6, "{} charts", seen.charts.len());
    ensure!(seen.charts_as_xml == Some(6), "not well-formed XML");
    ensure!(seen.background != seen.color, "text cannot be seen");
    ensure!(seen.overflow <= 0.0, "the page is wider than its window by {}", seen.overflow);
    ensure!(seen.loaded.is_empty(), "the page loads something");
    for chart in &seen.charts {
        ensure!(chart.width > 600.0 && chart.height > 100.0, "{} is {} by {}", chart.id, chart.width, chart.height);
        ensure!(!chart.lines.is_empty(), "{} has no lines", chart.id);
        ensure!(
            chart.lines.iter().all(|line| line.length > 10.0 && line.is_visible),
            "a line of {} is not drawn",
            chart.id
        );
        ensure!(chart.misplaced.is_empty(), "labels of {}", chart.id);
    }
    Ok(())
}
