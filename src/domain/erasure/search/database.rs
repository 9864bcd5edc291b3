//! Every value of every column of every table, as the database's catalogue names them. It reads a
//! stretch of a table at a time, so that a large one neither fills the memory nor runs into a time limit.

use sea_orm::{ConnectionTrait as _, DatabaseBackend, QueryResult, Statement};

use super::{Found, needle::Needle};
use crate::{app::App, domain::error::Result};

/// Rows of SQLite that are read at once.
const ROWS: i64 = 2_000;
/// Blocks of 8 KiB of PostgreSQL that are read at once.
const BLOCKS: i64 = 500;

struct Table {
    name: String,
    columns: Vec<Column>,
    /// What SQLite keeps its rows in order by.
    order: Vec<String>,
}

struct Column {
    name: String,
    /// How the value is selected: hexadecimal, or as text.
    select: String,
    is_hex: bool,
}

pub(super) async fn search(app: &App, needle: &Needle, found: &mut Found) -> Result<()> {
    for table in tables(app).await? {
        match app.db.backend() {
            DatabaseBackend::Postgres => blocks(app, &table, needle, found).await?,
            _ => rows(app, &table, needle, found).await?,
        }
    }
    Ok(())
}

async fn ask(app: &App, sql: String) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_string(app.db.backend(), sql);
    // What was just written is seen on every backend.
    Ok(app.db.read().query_all_raw(statement).await?)
}

async fn tables(app: &App) -> Result<Vec<Table>> {
    let is_postgres = app.db.backend() == DatabaseBackend::Postgres;
    let names = if is_postgres {
        "SELECT c.table_name::text AS t, c.column_name::text AS c, c.udt_name::text AS k \
         FROM information_schema.columns c JOIN information_schema.tables t \
           ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
         ORDER BY c.table_name, c.ordinal_position"
    } else {
        "SELECT l.name AS t, p.name AS c, p.type AS k, l.wr AS keyed, p.pk AS pk \
         FROM pragma_table_list l JOIN pragma_table_info(l.name) p \
         WHERE l.schema = 'main' AND l.type = 'table' ORDER BY l.name, p.cid"
    };
    let mut tables: Vec<Table> = Vec::new();
    let mut keys = Vec::new();
    for row in ask(app, names.to_owned()).await? {
        let (table, name): (String, String) = (row.try_get("", "t")?, row.try_get("", "c")?);
        let kind: String = row.try_get("", "k")?;
        let quoted = quoted(&name);
        let (select, is_hex) = match (is_postgres, kind.as_str()) {
            (true, "bytea") => (format!("encode({quoted}, 'hex')"), true),
            (true, _) => (format!("{quoted}::text"), false),
            // Whatever SQLite keeps in the column, a number or an id of 16 bytes.
            (false, _) => (format!("hex({quoted})"), true),
        };
        let column = Column {
            name,
            select: format!("coalesce({select}, '')"),
            is_hex,
        };
        match tables.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => tables.push(Table {
                name: table,
                columns: vec![column],
                order: Vec::new(),
            }),
        }
        if !is_postgres && row.try_get::<i64>("", "keyed")? == 1 {
            // A table without row ids lies in the order of its key.
            keys.extend((row.try_get::<i64>("", "pk")? > 0).then_some((tables.len() - 1, quoted)));
        }
    }
    for (table, column) in keys {
        tables[table].order.push(column);
    }
    for table in &mut tables {
        if table.order.is_empty() {
            table.order.push("rowid".to_owned());
        }
    }
    Ok(tables)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    fn selected(&self) -> String {
        let selects: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{} AS c{at}", column.select))
            .collect();
        selects.join(", ")
    }

    fn look(&self, row: &QueryResult, needle: &Needle, found: &mut Found) -> Result<()> {
        for (at, column) in self.columns.iter().enumerate() {
            let value: String = row.try_get("", &format!("c{at}"))?;
            if value.is_empty() {
                continue;
            }
            let place = format!("database:{}.{}", self.name, column.name);
            if column.is_hex {
                let bytes = hex::decode(&value).map_err(anyhow::Error::from)?;
                found.look(needle, &place, &bytes);
            } else {
                found.look(needle, &place, value.as_bytes());
            }
        }
        Ok(())
    }
}

/// SQLite: in the order of the rows' numbers.
async fn rows(app: &App, table: &Table, needle: &Needle, found: &mut Found) -> Result<()> {
    let (selected, name) = (table.selected(), quoted(&table.name));
    let order = table.order.join(", ");
    // As a literal of SQL.
    let place = table
        .order
        .iter()
        .map(|column| format!("quote({column})"))
        .collect::<Vec<_>>()
        .join(" || ', ' || ");
    let mut after = None::<String>;
    loop {
        let further = after
            .map(|after| format!("WHERE ({order}) > ({after})"))
            .unwrap_or_default();
        let sql = format!(
            "SELECT {place} AS place, {selected} FROM {name} {further} \
             ORDER BY {order} LIMIT {ROWS}"
        );
        let page = ask(app, sql).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.try_get("", "place")?);
        for row in &page {
            table.look(row, needle, found)?;
        }
    }
}

/// PostgreSQL: block after block.
async fn blocks(app: &App, table: &Table, needle: &Needle, found: &mut Found) -> Result<()> {
    let (selected, name) = (table.selected(), quoted(&table.name));
    let size = format!(
        "SELECT pg_relation_size('{}'::regclass) / current_setting('block_size')::bigint AS n",
        name.replace('\'', "''")
    );
    let blocks: i64 = match ask(app, size).await?.first() {
        Some(row) => row.try_get("", "n")?,
        None => 0,
    };
    let mut from = 0;
    while from < blocks {
        let to = from + BLOCKS;
        let sql = format!(
            "SELECT {selected} FROM {name} WHERE ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid"
        );
        for row in &ask(app, sql).await? {
            table.look(row, needle, found)?;
        }
        from = to;
    }
    Ok(())
}
