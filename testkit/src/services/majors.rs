//! A PostgreSQL of each major that we support, as native processes. Their programs come from npm.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::instance::Instance;
use super::postgres::{Postgres, Setup};
use super::way;

/// The majors that we support.
pub const MAJORS: [u32; 5] = [14, 15, 16, 17, 18];

/// Nobody kills these, and five servers on one disk wait for it.
const VOLATILE: [&str; 2] = ["fsync=off", "full_page_writes=off"];

/// The variable with the URL of a PostgreSQL of this major, in place of a process of our own; `none`: do without.
pub(super) fn variable(major: u32) -> String {
    format!("{}_{major}", way::POSTGRES)
}

/// The one that all tests of this process share.
pub(super) async fn shared(major: u32) -> Result<Arc<Postgres>> {
    let variable = variable(major);
    let postgres = match way::given(&variable)? {
        Some(none) if none == way::NONE => bail!("{variable}={none}"),
        Some(url) => Postgres::at(url, Instance::Given, "given").await?,
        None => {
            let home = way::script("postgres-home", &[&major.to_string()]).await.context("its programs")?;
            let origin = "native process, @embedded-postgres from npm";
            let setup = Setup { home: Some(PathBuf::from(home)), settings: &VOLATILE, origin, ..Setup::default() };
            Postgres::native(&setup).await?
        }
    };
    Ok(Arc::new(postgres))
}
