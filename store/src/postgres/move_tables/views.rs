//! Views over a table that is exchanged: ours, and whatever else somebody has made. They are taken down and put up again as they
//! were, with their owners, options, comments and rights. A materialized view would lose its rows: it is refused before anything
//! is done.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::super::error;
use super::{Answer, DOING, run};
use crate::port::StoreError;

/// A view as it was.
pub struct View {
    name: String,
    /// With its options.
    create: String,
    owner: String,
    comments: Vec<String>,
    rights: Vec<String>,
}

const DEPENDENTS: &str = "WITH RECURSIVE dependents (view, depth) AS (
       SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = $1::text::regclass AND r.ev_class <> d.refobjid
       UNION
       SELECT r.ev_class, p.depth + 1 FROM dependents p
       JOIN pg_depend d ON d.refobjid = p.view AND d.classid = 'pg_rewrite'::regclass
       JOIN pg_rewrite r ON r.oid = d.objid WHERE r.ev_class <> p.view
     )
     SELECT view::regclass::text,
            format('CREATE VIEW %s %s AS %s', view::regclass, 'WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(view)),
            format('ALTER VIEW %s OWNER TO %I', view::regclass, pg_get_userbyid(c.relowner)), c.relkind::text
     FROM dependents JOIN pg_class c ON c.oid = view GROUP BY view, c.oid ORDER BY max(depth)";

impl View {
    /// Whether it has one of these names, in the store's schema.
    pub fn is_one_of(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }
}

/// Refuses to begin where somebody has made a materialized view over our tables.
pub async fn refuse_materialized(asked: &Transaction<'_>) -> Answer<()> {
    for table in ["rollups", "burn_rates", "events", "hourly", "daily"] {
        let rows = asked.query_typed(DEPENDENTS, &[(&table, Type::TEXT)]).await.map_err(error::at(DOING))?;
        if let Some(row) = rows.iter().find(|row| row.get::<_, &str>(3) == "m") {
            let name: &str = row.get(0);
            let cause = format!("the materialized view {name} reads {table}: drop it, and make it again afterwards");
            return Err(StoreError::Fatal { doing: DOING.to_owned(), cause: cause.into() });
        }
    }
    Ok(())
}

/// Every view that depends on a table, by a view perhaps, in the order in which they can be made; they are gone then.
pub async fn taken_down(transaction: &Transaction<'_>, table: &str) -> Answer<Vec<View>> {
    let rows = transaction.query_typed(DEPENDENTS, &[(&table, Type::TEXT)]).await.map_err(error::at(DOING))?;
    let mut views = Vec::new();
    for row in rows {
        let (name, create, owner): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (comments, rights) = (comments(transaction, &name).await?, rights(transaction, &name).await?);
        views.push(View { name, create, owner, comments, rights });
    }
    for view in views.iter().rev() {
        run(transaction, &format!("DROP VIEW {}", view.name)).await?;
    }
    Ok(views)
}

/// Makes them again.
pub async fn put_up(transaction: &Transaction<'_>, views: &[View]) -> Answer<()> {
    for View { create, owner, comments, rights, .. } in views {
        for statement in [create, owner].into_iter().chain(comments).chain(rights) {
            run(transaction, statement).await?;
        }
    }
    Ok(())
}

async fn comments(transaction: &Transaction<'_>, name: &str) -> Answer<Vec<String>> {
    let sql = "SELECT format('COMMENT ON VIEW %s IS %L', $1::text, obj_description($1::text::regclass, 'pg_class'))
               WHERE obj_description($1::text::regclass, 'pg_class') IS NOT NULL
               UNION ALL
               SELECT format('COMMENT ON COLUMN %s.%I IS %L', $1::text, a.attname, col_description(a.attrelid, a.attnum))
               FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0
               AND col_description(a.attrelid, a.attnum) IS NOT NULL";
    statements(transaction, sql, name).await
}

/// What grants the rights that a table or view has.
pub async fn rights(transaction: &Transaction<'_>, name: &str) -> Answer<Vec<String>> {
    let sql = "SELECT format('GRANT %s ON %s TO %s', r.privilege_type, $1::text,
                      CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.grantee)) END)
               FROM pg_class c, aclexplode(c.relacl) r WHERE c.oid = $1::text::regclass AND r.grantee <> c.relowner";
    statements(transaction, sql, name).await
}

/// Grants rights again.
pub async fn give(transaction: &Transaction<'_>, rights: &[String]) -> Answer<()> {
    for right in rights {
        run(transaction, right).await?;
    }
    Ok(())
}

async fn statements(transaction: &Transaction<'_>, sql: &str, name: &str) -> Answer<Vec<String>> {
    let rows = transaction.query_typed(sql, &[(&name, Type::TEXT)]).await.map_err(error::at(DOING))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
