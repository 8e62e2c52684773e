//! KeyStore on redb, the embedded default.
