//! A client's credentials: by HTTP Basic or in the form, never by both (RFC 6749 §2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook_core::model::{SecretBytes, SecretText};

use crate::form::Form;
use crate::{credential, percent};

/// What a client shows of itself: a developer's id and an API key, as they came.
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: SecretText,
}

impl ClientCredentials {
    /// What no client has. Credentials that cannot be read are refused like wrong ones: as these.
    fn nobodys() -> Self {
        Self { id: String::new(), secret: SecretText::new(String::new()) }
    }
}

/// The credentials in `fields`, the values of a request's `Authorization`, or in `form`; `None` where there are none.
/// Another scheme's credentials than Basic's are not looked at. A `client_id` alone shows nothing.
///
/// # Errors
/// What is wrong with the request: a second field, or credentials in both places.
pub(crate) fn find(fields: &[&[u8]], form: &Form) -> Result<Option<ClientCredentials>, &'static str> {
    let field = match fields {
        [] => None,
        [field] => Some(*field),
        _ => return Err("the `Authorization` field must be sent once"),
    };
    let (id, secret) = (form.text("client_id"), form.secret("client_secret"));
    let Some(basic) = field.and_then(|field| credential::after_scheme(credential::trim(field), b"Basic")) else {
        return Ok(
            secret.map(|secret| ClientCredentials { id: id.unwrap_or_default().to_owned(), secret: secret.clone() })
        );
    };
    let shown = decode(basic).unwrap_or_else(ClientCredentials::nobodys);
    if secret.is_some() || id.is_some_and(|id| id != shown.id) {
        return Err("the client must authenticate in one way: by the `Authorization` field or in the form");
    }
    Ok(Some(shown))
}

/// What stands after the scheme: spaces, then base64 of id and secret, each coded as in a form, with a colon between.
fn decode(coded: &[u8]) -> Option<ClientCredentials> {
    let spaces = coded.iter().take_while(|&&byte| byte == b' ').count();
    let token = coded.get(spaces..).filter(|_| spaces > 0)?;
    let pair = SecretBytes::new(STANDARD.decode(token).ok()?);
    let (id, secret) = std::str::from_utf8(pair.expose()).ok()?.split_once(':')?;
    let secret = SecretText::new(percent::decode_form(secret)?.into_owned());
    Some(ClientCredentials { id: percent::decode_form(id)?.into_owned(), secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[&str], form: &str) -> Result<Option<(String, String)>, &'static str> {
        let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
        let form = Form::parse(form.as_bytes(), &[]).expect("a form");
        find(&fields, &form).map(|shown| shown.map(|shown| (shown.id, shown.secret.expose().to_owned())))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn pair(id: &str, secret: &str) -> Result<Option<(String, String)>, &'static str> {
        Ok(Some((id.to_owned(), secret.to_owned())))
    }

    #[test]
    fn basic_credentials_are_decoded_as_a_form_after_base64() {
        assert_eq!(found(&[&basic("acme:key")], ""), pair("acme", "key"));
        assert_eq!(found(&[&basic("a%2Dc%20m+e:k%3Ay:z")], ""), pair("a-c m e", "k:y:z"));
        assert_eq!(found(&[&basic(":")], ""), pair("", ""));
        for scheme in ["basic", "BASIC", "Basic  ", " Basic"] {
            let field = basic("acme:key").replacen("Basic", scheme, 1);
            assert_eq!(found(&[&field], ""), pair("acme", "key"), "{field}");
        }
        assert_eq!(found(&[&basic("acme:key")], "client_id=acme&client_secret="), pair("acme", "key"));
    }

    #[test]
    fn form_credentials_count_where_no_basic_ones_are() {
        assert_eq!(found(&[], "client_id=acme&client_secret=k+y"), pair("acme", "k y"));
        assert_eq!(found(&["Bearer x.y.z"], "client_id=acme&client_secret=key"), pair("acme", "key"));
        assert_eq!(found(&[], "client_secret=key"), pair("", "key"));
        for none in ["", "client_id=acme", "client_id=acme&client_secret=", "client_secret"] {
            assert_eq!(found(&[], none), Ok(None), "{none}");
            assert_eq!(found(&["Bearer x.y.z"], none), Ok(None), "{none}");
        }
    }

    #[test]
    fn credentials_in_both_places_and_two_fields_are_refused() {
        let field = basic("acme:key");
        for form in ["client_secret=key", "client_id=acme&client_secret=key", "client_id=other"] {
            assert!(found(&[&field], form).is_err(), "{form}");
        }
        for fields in [[&*field, &field], [&field, "Bearer x"], ["", ""]] {
            assert!(found(&fields, "").is_err(), "{fields:?}");
        }
    }

    #[test]
    fn basic_credentials_that_cannot_be_read_are_nobodys() {
        let no_utf8 = format!("Basic {}", STANDARD.encode(b"\xff:\xff"));
        let unpadded = "Basic YTpiYw";
        for field in [
            "Basic",
            "Basic ",
            "Basic\tYTpi",
            "Basic !",
            "Basic YTpi YTpi",
            unpadded,
            &no_utf8,
            &basic("acme"),
            &basic("acme:%zz"),
            &basic("%:key"),
            "Basic,YTpi",
        ] {
            assert_eq!(found(&[field], ""), pair("", ""), "{field}");
        }
    }
}
