//! Rights of a broker's users: CreateAcls by hand, because the client library does not expose it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// What a right is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// Topics with this prefix.
    Topics(String),
    /// Groups with this prefix.
    Groups(String),
    /// Transactional ids with this prefix.
    TransactionalIds(String),
}

/// What it allows. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's names")]
pub enum Operation {
    Read = 3,
    Write = 4,
    Create = 5,
    Describe = 8,
    DescribeConfigs = 10,
}

/// A right of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Name of the user.
    pub user: String,
    /// What it is about.
    pub resource: Resource,
    /// What it allows.
    pub operation: Operation,
}

const CREATE_ACLS: i16 = 30;
const VERSION: i16 = 1;
const LITERAL: u8 = 3;
const PREFIXED: u8 = 4;
const ALLOW: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// Creates all of them. The response comes when the controller has them; the broker follows within moments.
pub(super) fn create(broker: &str, acls: &[Acl]) -> Result<()> {
    let mut request =
        [&CREATE_ACLS.to_be_bytes()[..], &VERSION.to_be_bytes(), &1_i32.to_be_bytes(), &text("tests")].concat();
    request.extend(i32::try_from(acls.len())?.to_be_bytes());
    for Acl { user, resource, operation } in acls {
        let (kind, name, pattern) = match resource {
            Resource::Topic(name) => (2, name, LITERAL),
            Resource::Topics(name) => (2, name, PREFIXED),
            Resource::Groups(name) => (3, name, PREFIXED),
            Resource::TransactionalIds(name) => (5, name, PREFIXED),
        };
        request.push(kind);
        request.extend(text(name));
        request.push(pattern);
        request.extend(text(&format!("User:{user}")));
        request.extend(text("*"));
        request.extend([*operation as u8, ALLOW]);
    }
    let mut stream = TcpStream::connect(broker).context("connecting")?;
    stream.set_read_timeout(Some(PATIENCE)).context("bounding the wait")?;
    stream.write_all(&i32::try_from(request.len())?.to_be_bytes()).context("creating ACLs")?;
    stream.write_all(&request).context("creating ACLs")?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).context("reading the response")?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
    stream.read_exact(&mut answer).context("reading the response")?;
    all_created(&answer, acls.len())
}

/// A string of the protocol.
fn text(text: &str) -> Vec<u8> {
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Correlation, throttle, how many results; each a code and a message that may be null.
fn all_created(answer: &[u8], expected: usize) -> Result<()> {
    let mut rest = answer.get(8..).context("a short response")?;
    let mut take = |n: usize| -> Result<&[u8]> {
        let (taken, left) = rest.split_at_checked(n).context("a short response")?;
        rest = left;
        Ok(taken)
    };
    let results = i32::from_be_bytes(take(4)?.try_into()?);
    ensure!(usize::try_from(results)? == expected, "{results} results for {expected} rights");
    for _ in 0..results {
        let code = i16::from_be_bytes(take(2)?.try_into()?);
        let length = i16::from_be_bytes(take(2)?.try_into()?);
        let message = take(usize::try_from(length.max(0))?)?;
        ensure!(code == 0, "a right was not created: {code} {}", String::from_utf8_lossy(message));
    }
    Ok(())
}
