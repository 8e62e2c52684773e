//! The values of a key's columns as the bytes of a place in a scan, and back.

use rusqlite::types::Value;

pub(crate) fn write(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        // The parts of a key have at most some hundred bytes.
        bytes.extend_from_slice(&u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(content);
    };
    for value in values {
        match value {
            Value::Integer(number) => part(INTEGER, &number.to_be_bytes()),
            Value::Text(text) => part(TEXT, text.as_bytes()),
            Value::Blob(content) => part(BLOB, content),
            Value::Null | Value::Real(_) => {}
        }
    }
    bytes
}

/// The values that [`write`] was given; `None` for other bytes, which stand for the beginning.
pub(crate) fn read(mut bytes: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<3>() {
        let [kind, high, low] = *head;
        let (content, rest) = rest.split_at_checked(u16::from_be_bytes([high, low]).into())?;
        bytes = rest;
        values.push(match kind {
            INTEGER => Value::Integer(i64::from_be_bytes(content.try_into().ok()?)),
            TEXT => Value::Text(String::from_utf8(content.to_vec()).ok()?),
            BLOB => Value::Blob(content.to_vec()),
            _ => return None,
        });
    }
    (!values.is_empty() && bytes.is_empty()).then_some(values)
}

const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        let values = vec![
            Value::Text("live".to_owned()),
            Value::Integer(-1),
            Value::Blob(vec![0; 32]),
            Value::Text(String::new()),
        ];
        assert_eq!(read(&write(&values)), Some(values));
    }

    #[test]
    fn other_bytes_are_no_place() {
        for bytes in [&[][..], &[1], &[2, 0, 9, 1], &[7, 0, 0], &[1, 0, 1, 5], &[2, 0, 1, 0xff], &[2, 0, 0, 1]] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }
}
