//! Values on their way into columns and out of them.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::UnixTime;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// `text`.
    Text,
    /// `bytea`.
    Bytes,
    /// `bigint`: instants, positions and numbers that start at 1.
    Int,
    /// `numeric(20)`: whatever may be as large as a `u64`. It travels as text.
    Number,
    /// `jsonb`. It travels as text.
    Json,
    /// `text[]`.
    Texts,
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
}

impl Column {
    /// The column in a list of results.
    pub(crate) fn shown(self) -> String {
        match self.holds {
            Holds::Number | Holds::Json => format!("{}::text", self.name),
            _ => self.name.to_owned(),
        }
    }

    /// The parameter of that number, for this column.
    pub(crate) fn parameter(self, number: usize) -> String {
        match self.holds {
            Holds::Number => format!("${number}::text::numeric"),
            Holds::Json => format!("${number}::text::jsonb"),
            _ => format!("${number}"),
        }
    }

    /// A value that no record has, below every other.
    pub(crate) fn least(self) -> Value {
        match self.holds {
            Holds::Text => Value::Text(String::new()),
            Holds::Bytes => Value::Bytes(Vec::new()),
            Holds::Int => Value::Int(i64::MIN),
            Holds::Number => Value::Text("0".to_owned()),
            Holds::Json => Value::Text("{}".to_owned()),
            Holds::Texts => Value::Texts(Vec::new()),
        }
    }
}

/// A value for a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Int(i64),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Blobs(Vec<Vec<u8>>),
    Null,
}

impl Value {
    pub(crate) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    pub(crate) fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bytes(bytes.as_ref().to_vec())
    }

    pub(crate) fn at(at: UnixTime) -> Self {
        Self::int(at.seconds())
    }

    /// A number that starts small and is counted up; one beyond `bigint` stays at its end.
    pub(crate) fn int(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// `None` as NULL.
    pub(crate) fn maybe<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, make)
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Text(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Texts(value) => value.to_sql(ty, out),
            Self::Ints(value) => value.to_sql(ty, out),
            Self::Blobs(value) => value.to_sql(ty, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Reads a row's columns one after the other.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    fn take<T: FromSql<'a>>(&mut self) -> Result<T, StoreError> {
        let value = self.row.try_get(self.next).map_err(|_| {
            let name = self.row.columns().get(self.next).map_or("?", |column| column.name());
            damaged(&format!("the column `{name}` is missing or of another type"))
        });
        self.next += 1;
        value
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, StoreError> {
        self.take()
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<&'a str>, StoreError> {
        self.take()
    }

    /// A text that `parse` accepts.
    pub(crate) fn parsed<T, E>(&mut self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, StoreError> {
        let text = self.text()?;
        self.value(parse(text).ok())
    }

    pub(crate) fn maybe_parsed<T, E>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        match self.maybe_text()? {
            None => Ok(None),
            Some(text) => self.value(parse(text).ok()).map(Some),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        self.take()
    }

    pub(crate) fn maybe_bytes(&mut self) -> Result<Option<&'a [u8]>, StoreError> {
        self.take()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let bytes = self.bytes()?;
        self.value(bytes.try_into().ok())
    }

    pub(crate) fn signed(&mut self) -> Result<i64, StoreError> {
        self.take()
    }

    pub(crate) fn int(&mut self) -> Result<u64, StoreError> {
        let number = self.signed()?;
        self.value(number.try_into().ok())
    }

    pub(crate) fn maybe_int(&mut self) -> Result<Option<u64>, StoreError> {
        match self.take::<Option<i64>>()? {
            None => Ok(None),
            Some(number) => self.value(number.try_into().ok()).map(Some),
        }
    }

    pub(crate) fn ints(&mut self) -> Result<Vec<u64>, StoreError> {
        let numbers: Vec<i64> = self.take()?;
        self.value(numbers.into_iter().map(|number| number.try_into().ok()).collect())
    }

    pub(crate) fn number(&mut self) -> Result<u64, StoreError> {
        self.parsed(str::parse)
    }

    pub(crate) fn maybe_number(&mut self) -> Result<Option<u64>, StoreError> {
        self.maybe_parsed(str::parse)
    }

    pub(crate) fn at(&mut self) -> Result<UnixTime, StoreError> {
        let seconds = self.int()?;
        self.value(UnixTime::checked(seconds))
    }

    pub(crate) fn maybe_at(&mut self) -> Result<Option<UnixTime>, StoreError> {
        match self.maybe_int()? {
            None => Ok(None),
            Some(seconds) => self.value(UnixTime::checked(seconds)).map(Some),
        }
    }

    pub(crate) fn texts(&mut self) -> Result<Vec<String>, StoreError> {
        self.take()
    }

    /// Whether the next column is NULL.
    pub(crate) fn at_null(&self) -> bool {
        matches!(self.row.try_get::<_, Option<i64>>(self.next), Ok(None))
    }

    /// What the column that was read last means, or that it is damaged.
    pub(crate) fn value<T>(&self, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| {
            let column = self.next.checked_sub(1).and_then(|last| self.row.columns().get(last));
            damaged(&format!("the column `{}` holds a value that is not allowed", column.map_or("?", |c| c.name())))
        })
    }
}

fn damaged(text: &str) -> StoreError {
    StoreError::corrupt(text.to_owned())
}
