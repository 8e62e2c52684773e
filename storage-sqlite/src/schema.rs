//! The tables in SQL, version by version, and how a database is brought from one to the next.

use rusqlite::{Connection, Result};

use crate::connection::{BEGIN, COMMIT, ROLLBACK};

/// The version that this latchbook reads and writes.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// Whose file it is (`PRAGMA application_id`): `ltbk`.
pub(crate) const APPLICATION_ID: i64 = 0x6c74_626b;

/// Brings `db` to [`VERSION`].
pub(crate) fn migrate(db: &Connection) -> Result<()> {
    steps(db, STEPS)
}

pub(crate) fn version(db: &Connection) -> Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Does the steps that are not done yet, each in a transaction that also counts it. A process that is stopped leaves
/// whole steps, and of several that start at once each step is done by one.
fn steps(db: &Connection, steps: &[&str]) -> Result<()> {
    for (number, step) in (0..).zip(steps) {
        if version(db)? > number {
            continue;
        }
        db.execute_batch(BEGIN)?;
        let done = || -> Result<()> {
            // Another process may have been faster while this one waited.
            if version(db)? == number {
                db.execute_batch(step)?;
                db.execute_batch(&format!("PRAGMA user_version = {}", number + 1))?;
            }
            db.execute_batch(COMMIT)
        };
        if let Err(error) = done() {
            // What went wrong first is the better answer.
            let _ = db.execute_batch(ROLLBACK);
            return Err(error);
        }
    }
    Ok(())
}

/// What each version adds. A step that was released is never changed.
const STEPS: &[&str] = &[include_str!("schema/1.sql")];

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(db: &Connection) -> Vec<String> {
        let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_>>().unwrap()
    }

    #[test]
    fn s12_a_migration_that_was_stopped_at_any_step_goes_on_from_there() {
        let good = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO b VALUES (1)", "CREATE TABLE c (x)"];
        for stopped_at in 0..good.len() {
            let db = Connection::open_in_memory().unwrap();
            let mut broken = good;
            broken[stopped_at] = "CREATE TABLE half (x); CREATE TABLE half (x)";
            assert!(steps(&db, &broken).is_err());
            assert_eq!(version(&db).unwrap(), stopped_at as i64);
            assert_eq!(tables(&db), ["a", "b", "c"][..stopped_at]);
            for _ in 0..2 {
                steps(&db, &good).unwrap();
                assert_eq!((version(&db).unwrap(), tables(&db).len()), (3, 3));
            }
        }
    }

    #[test]
    fn the_tables_have_the_columns_that_are_written() {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db).unwrap();
        assert_eq!(version(&db).unwrap(), VERSION);
        for table in crate::rows::ALL {
            db.prepare(&table().find).unwrap();
        }
        assert_eq!(tables(&db).len(), crate::rows::ALL.len());
    }
}
