//! docs/access.md says what is so: its commands run, in its order, against a process that it configures.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use slipstream_runtime::config::{Config, Overrides};
use slipstream_schemas::records::Scope;
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, told};

const GUIDE: &str = include_str!("../../docs/access.md");

/// The fenced blocks of a language: the name in the comment above each, and its text.
fn blocks(language: &str) -> Vec<(Option<&'static str>, String)> {
    let lines: Vec<&str> = GUIDE.lines().collect();
    let fences: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].starts_with("```")).collect();
    let of_language = fences.chunks_exact(2).filter(|pair| lines[pair[0]].trim_start_matches('`') == language);
    let block = |pair: &[usize]| {
        let name = lines[pair[0] - 1].strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        (name, lines[pair[0] + 1..pair[1]].join("\n") + "\n")
    };
    of_language.map(block).collect()
}

/// A block as somebody enters it who has followed the guide so far.
fn entered(folder: &Path, process: &Slipstream, commands: &str) -> Output {
    let path = format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let here = process.gateway().replace("http://127.0.0.1", "https://localhost");
    let commands = commands.replace("https://localhost:8480", &here);
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &commands]).current_dir(folder).env("PATH", path);
    bash.env("SLIPSTREAM_DATA", process.data()).env("SLIPSTREAM_CA_FILE", folder.join("tls.crt"));
    bash.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn its_commands_run_in_its_order() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    let mut configured = String::new();
    for (name, text) in blocks("yaml") {
        let file = folder.join(name.expect("it has a name"));
        std::fs::write(&file, &text).unwrap();
        Config::load(Some(&file), [], Overrides::default()).unwrap_or_else(|e| panic!("{text}\n{e}"));
        configured += &text;
    }
    let config = folder.join("all.yaml");
    std::fs::write(&config, &configured).unwrap();
    // On loopback: the guide's address may be taken.
    let mut process = Slipstream::new(BINARY).unwrap().with(["--config", arg(&config)]);

    let commands = blocks("sh");
    assert!(commands.len() >= 6, "only {} were found", commands.len());
    let mut printed = Vec::new();
    for (i, (_, commands)) in commands.iter().enumerate() {
        // The id of the last one is another in each installation.
        let shop = std::fs::read_to_string(folder.join("shop.token")).unwrap_or_default();
        let id = shop.get(4..20).unwrap_or("9f86d081884c7d65");
        // From the second on with an owner, who asks for a token also where the guide begins without.
        let shown = match (i, commands.contains("--token-file")) {
            (0, _) | (_, true) => commands.replace("9f86d081884c7d65", id),
            (_, false) => commands.replace("token create", "token create --token-file admin.token"),
        };
        let (code, out, said) = told(&entered(folder, &process, &shown));
        assert_eq!(code, Some(0), "{shown}\n{out}{said}");
        printed.push(out);
        if i == 0 {
            process.start().await.unwrap_or_else(|e| panic!("{e:#}"));
        }
    }
    let trial = slipstream_runtime::http::Tls::load(&folder.join("trial.crt"), &folder.join("trial.key"));
    assert!(trial.is_ok(), "{trial:?}");
    let inserted = printed.iter().any(|out| out.contains(r#""inserted":1"#));
    assert!(inserted && printed.last().unwrap().starts_with("revoked: shop ("), "{printed:#?}");
    assert!(process.stop().await.unwrap().success());
}

#[test]
fn its_tables_have_every_scope_and_every_refusal() {
    for scope in Scope::ALL {
        assert!(GUIDE.contains(&format!("| `{scope}` | ")), "{scope}");
    }
    let codes = [
        "token-missing",
        "token-malformed",
        "token-unknown",
        "token-expired",
        "token-revoked",
        "scope-missing",
        "not-loopback",
        "too-many-requests",
    ];
    for code in codes {
        assert!(GUIDE.contains(&format!("`{code}`")), "{code}");
    }
}
