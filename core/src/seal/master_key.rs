//! The master key: 32 bytes that the operator keeps, from a file or the environment, never from an argument.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::model::SecretText;

/// Names a file with the master key; looked at first.
const FILE_VARIABLE: &str = "LATCHBOOK_MASTER_KEY_FILE";
/// Holds the master key.
const VARIABLE: &str = "LATCHBOOK_MASTER_KEY";
/// More than any spelling of 32 bytes, so that a wrong path does not read a disk full.
const LONGEST_FILE: usize = 1024;

/// The key that every other secret at rest is sealed under. `Debug` is redacted; wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads 32 bytes in base64, of either alphabet, with or without padding. White space around them is passed over.
    ///
    /// # Errors
    /// [`MasterKeyError`], which says what to do and never shows the value.
    pub fn parse(base64_text: &SecretText) -> Result<Self, MasterKeyError> {
        Self::parse_from(base64_text.expose(), Place::Text)
    }

    /// Reads the key from a file that holds it in base64.
    ///
    /// # Errors
    /// [`MasterKeyError`], which names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, MasterKeyError> {
        let path = path.as_ref();
        let unreadable = |source| MasterKeyError::Unreadable { path: path.to_owned(), source };
        let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE));
        let file = File::open(path).map_err(unreadable)?;
        match file.take(LONGEST_FILE as u64).read_to_string(&mut text) {
            Ok(_) => Self::parse_from(&text, Place::File(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(MasterKeyError::NotBase64 { place: Place::File(path.to_owned()) })
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Reads the key from the file that `LATCHBOOK_MASTER_KEY_FILE` names, else from `LATCHBOOK_MASTER_KEY`.
    ///
    /// # Errors
    /// [`MasterKeyError`], which names the variable or the file.
    pub fn from_env() -> Result<Self, MasterKeyError> {
        Self::from_variables(|name| env::var_os(name))
    }

    /// Its bytes. Whoever calls this answers for where they go.
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, MasterKeyError> {
        if let Some(path) = variable(FILE_VARIABLE).filter(|path| !path.is_empty()) {
            return Self::from_file(PathBuf::from(path));
        }
        let value = variable(VARIABLE).filter(|value| !value.is_empty()).ok_or(MasterKeyError::Missing)?;
        let text = value.into_string().map(Zeroizing::new);
        let text = text.map_err(|_| MasterKeyError::NotBase64 { place: Place::Variable })?;
        Self::parse_from(&text, Place::Variable)
    }

    fn parse_from(text: &str, place: Place) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map(Zeroizing::new);
        let Ok(bytes) = bytes else {
            return Err(MasterKeyError::NotBase64 { place });
        };
        match <[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(Self::from_bytes(key)),
            Err(_) => Err(MasterKeyError::Length { place, bytes: bytes.len() }),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Where a master key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A text that the host passed in.
    Text,
    /// `LATCHBOOK_MASTER_KEY`.
    Variable,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("the master key"),
            Self::Variable => write!(f, "the master key in `{VARIABLE}`"),
            Self::File(path) => write!(f, "the master key in file `{}`", path.display()),
        }
    }
}

/// There is no usable master key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// Neither variable is set.
    #[error(
        "no master key: set `{FILE_VARIABLE}` to a file that holds one, or `{VARIABLE}` to one, \
         made with `openssl rand -base64 32`"
    )]
    Missing,
    /// The file cannot be read.
    #[error("the master key file `{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not base64.
    #[error("{place} is not base64: make one with `openssl rand -base64 32`")]
    NotBase64 {
        /// Where it came from.
        place: Place,
    },
    /// The text holds another number of bytes than 32.
    #[error("{place} has {bytes} bytes, not 32: make one with `openssl rand -base64 32`")]
    Length {
        /// Where it came from.
        place: Place,
        /// How many bytes it has.
        bytes: usize,
    },
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh/7+/s=";

    fn parse(text: &str) -> Result<MasterKey, MasterKeyError> {
        MasterKey::parse(&SecretText::new(text.into()))
    }

    #[test]
    fn thirty_two_bytes_in_base64_are_read_in_every_spelling() {
        let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
        let mut bytes = [0; 32];
        (0..31).for_each(|place: u8| bytes[usize::from(place)] = place);
        bytes[31] = 0xff;
        for spelling in [text, text.trim_end_matches('='), &text.replace('/', "_"), &format!(" {text}\r\n")] {
            assert_eq!(parse(spelling).expect(spelling).expose(), &bytes);
        }
    }

    #[test]
    fn another_length_or_alphabet_is_refused_without_showing_the_value() {
        let cases = [
            ("", "the master key has 0 bytes, not 32: make one with `openssl rand -base64 32`"),
            (
                "AAECAwQFBgcICQoLDA0ODw==",
                "the master key has 16 bytes, not 32: make one with `openssl rand -base64 32`",
            ),
            (GOOD, "the master key has 35 bytes, not 32: make one with `openssl rand -base64 32`"),
            ("hunter2!", "the master key is not base64: make one with `openssl rand -base64 32`"),
        ];
        for (text, want) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), want);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn the_file_is_looked_at_before_the_variable() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
        let variables = |file: Option<&str>, value: Option<&str>| {
            let (file, value) = (file.map(OsString::from), value.map(OsString::from));
            MasterKey::from_variables(move |name| if name == FILE_VARIABLE { file.clone() } else { value.clone() })
        };
        assert!(variables(None, Some(key)).is_ok());
        assert!(variables(Some(""), Some(key)).is_ok());
        assert!(matches!(variables(None, None), Err(MasterKeyError::Missing)));
        assert!(matches!(variables(None, Some("")), Err(MasterKeyError::Missing)));
        let missing = variables(Some("/nowhere/master.key"), Some(key)).expect_err("no such file").to_string();
        assert!(missing.starts_with("the master key file `/nowhere/master.key` cannot be read: "), "{missing}");
        let short = variables(None, Some("AAEC")).expect_err("short").to_string();
        assert!(short.starts_with("the master key in `LATCHBOOK_MASTER_KEY` has 3 bytes"), "{short}");
    }
}
