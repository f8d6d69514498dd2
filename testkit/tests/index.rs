//! ARCHITECTURE.md says where things are. Each file and folder that its two tables name exists.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the table under a heading, each with what stands in backticks in its cells.
fn table(heading: &str) -> Vec<Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let below = text.split(&format!("\n## {heading}\n")).nth(1).expect("the heading is there");
    let section = below.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.split('|').map(quoted).collect()).collect()
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn what_the_index_points_to_is_there() {
    let places: Vec<String> = table("Where is").into_iter().flat_map(|row| row[2].clone()).collect();
    let places: Vec<&String> = places.iter().filter(|text| text.contains('/')).collect();
    assert!(places.len() > 20, "{places:?}");
    let gone: Vec<_> = places.iter().filter(|place| !root().join(place).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md, Where is: no such files {gone:#?}");
}

#[test]
fn what_the_code_map_says_to_read_is_there() {
    let rows = table("Code map");
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (folders, starts) = (&row[1], &row[3]);
        for start in starts {
            let there =
                |folder: &String| ["", "src"].iter().any(|src| root().join(folder).join(src).join(start).exists());
            assert!(folders.iter().any(there), "ARCHITECTURE.md, Code map: no {start} in {folders:?}");
        }
    }
}
