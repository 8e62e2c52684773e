//! A private key from PEM text (RFC 7468 §10).

use rustls_pki_types::pem::{PemObject as _, SectionKind};

use super::KeyError;
use crate::model::{SecretBytes, SecretText};

/// The PKCS#8 DER of the one private key in `pem`. Certificates and public keys beside it are passed over.
///
/// # Errors
/// [`KeyError`]; for encrypted, PKCS#1 and SEC 1 keys it says how to convert them.
pub(super) fn private_key(pem: &SecretText) -> Result<SecretBytes, KeyError> {
    // An encrypted key says so in its label (RFC 7468 §11) or, in the older forms, in a header line (RFC 1421 §4.6.1.1).
    let encrypted = |line: &str| line.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY") || line.contains(",ENCRYPTED");
    if pem.expose().lines().any(encrypted) {
        return Err(KeyError::Encrypted);
    }
    let mut private = None;
    let mut public = None;
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.expose().as_bytes()) {
        let (kind, der) = section.map_err(|_| KeyError::Pem)?;
        let der = SecretBytes::new(der);
        match kind {
            SectionKind::PrivateKey if private.is_some() => return Err(KeyError::SeveralPrivateKeys),
            SectionKind::PrivateKey => private = Some(der),
            SectionKind::RsaPrivateKey => return Err(KeyError::Pkcs1),
            SectionKind::EcPrivateKey => return Err(KeyError::Sec1),
            SectionKind::PublicKey => public = Some("public key"),
            SectionKind::Certificate => public = Some("certificate"),
            _ => {}
        }
    }
    private.ok_or(public.map_or(KeyError::NoPrivateKey, |found| KeyError::NotPrivate { found }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<u8>, KeyError> {
        private_key(&SecretText::new(text.into())).map(|der| der.expose().to_vec())
    }

    fn section(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n")
    }

    #[test]
    fn one_pkcs8_section_is_read_and_what_stands_beside_it_is_passed_over() {
        assert_eq!(read(&section("PRIVATE KEY")), Ok(vec![1, 2, 3]));
        let bundle = [section("CERTIFICATE"), section("PRIVATE KEY"), section("PUBLIC KEY")].concat();
        assert_eq!(read(&bundle), Ok(vec![1, 2, 3]));
        assert_eq!(read(&section("PRIVATE KEY").replace('\n', "\r\n")), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn what_is_no_plain_pkcs8_key_is_refused_with_its_reason() {
        let old_encrypted =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n";
        let cases = [
            (String::new(), KeyError::NoPrivateKey),
            ("no pem at all".into(), KeyError::NoPrivateKey),
            (section("ENCRYPTED PRIVATE KEY"), KeyError::Encrypted),
            (old_encrypted.into(), KeyError::Encrypted),
            (section("RSA PRIVATE KEY"), KeyError::Pkcs1),
            (section("EC PARAMETERS") + &section("EC PRIVATE KEY"), KeyError::Sec1),
            (section("PUBLIC KEY"), KeyError::NotPrivate { found: "public key" }),
            (section("CERTIFICATE"), KeyError::NotPrivate { found: "certificate" }),
            (section("OPENSSH PRIVATE KEY"), KeyError::NoPrivateKey),
            (section("PRIVATE KEY").repeat(2), KeyError::SeveralPrivateKeys),
            ("-----BEGIN PRIVATE KEY-----\nAQID\n".into(), KeyError::Pem),
            ("-----BEGIN PRIVATE KEY-----\nA!ID\n-----END PRIVATE KEY-----\n".into(), KeyError::Pem),
        ];
        for (text, want) in cases {
            assert_eq!(read(&text), Err(want), "{text}");
        }
    }

    #[test]
    fn the_errors_say_how_to_convert() {
        for error in [KeyError::Pkcs1, KeyError::Sec1, KeyError::Encrypted] {
            assert!(error.to_string().contains("openssl pkcs8"), "{error}");
        }
    }
}
