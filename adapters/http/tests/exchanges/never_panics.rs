//! Laws of the two readers that see hostile bytes first.

use latchbook_http::{credential, query};
use proptest::prelude::*;

fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "(?i)bearer[ \t]{0,3}[A-Za-z0-9._~+/=,\" -]{0,40}".prop_map(String::into_bytes),
        "[Bb]earer .{0,20}".prop_map(String::into_bytes),
    ]
}

fn query_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,64}",
        "(entityId|%65ntityId|entity%|x|access_token)?=?[a-z%0-9&;=+]{0,24}(&entityId=?[a-z%0-9]{0,6}){0,3}",
    ]
}

proptest! {
    #[test]
    fn a_credential_is_read_the_same_each_time_and_is_part_of_its_field(
        fields in prop::collection::vec(field(), 0..3), query in prop::option::of(query_text())
    ) {
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let first = credential::parse(&fields, query.as_deref());
        prop_assert_eq!(&credential::parse(&fields, query.as_deref()), &first);
        if let Ok(Some(token)) = first {
            prop_assert_eq!(fields.len(), 1);
            prop_assert!(!token.is_empty() && token.len() <= credential::MAX_TOKEN && token.is_ascii());
            prop_assert!(fields[0].trim_ascii_end().ends_with(token.as_bytes()));
            let again = format!("Bearer {token}");
            prop_assert_eq!(credential::parse(&[again.as_bytes()], None), Ok(Some(token)));
        }
    }

    #[test]
    fn a_parameter_is_read_the_same_each_time_and_is_there_when_it_is_found(query in query_text()) {
        let first = query::find(Some(&query), "entityId");
        prop_assert_eq!(&query::find(Some(&query), "entityId"), &first);
        prop_assert_eq!(query::contains(&query, "entityId"), first != Ok(None));
    }

    #[test]
    fn a_percent_coded_value_comes_back_whole(value in ".{0,32}") {
        let coded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let query = format!("x=1&entityId={coded}&y");
        let found = query::find(Some(&query), "entityId");
        prop_assert_eq!(found.as_ref().map(|found| found.as_deref()), Ok(Some(&*value)));
        let twice = format!("{query}&entity%49d=1");
        prop_assert_eq!(query::find(Some(&twice), "entityId"), Err(query::QueryError::Repeated));
    }
}
