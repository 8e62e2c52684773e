//! One copy after another, from a store on redb over SQLite and memory back to redb.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use futures_executor::block_on;
use latchbook::authority::NewEntity;
use latchbook::key_store::{KeyStore, MemoryStore};
use latchbook::model::DeveloperId;
use latchbook::{Actor, Authority, DeveloperRef, EnvironmentName, MasterKey, RedbStore, Source, SqliteStore, moving};

#[test]
fn a_store_that_moves_over_every_back_end_stays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first: Arc<dyn KeyStore> = Arc::new(RedbStore::open(folder.path().join("first.redb")).unwrap());
    let builder = Authority::builder().shared_store(Arc::clone(&first)).issuer("https://api.example.com");
    let authority = block_on(builder.master_key(MasterKey::from_bytes([7; 32])).build()).unwrap();
    let (host, source) = (Actor::Host, Source::UNKNOWN);
    for name in ["ada", "bob"] {
        let owner = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse(name).unwrap() };
        block_on(authority.developers().create(&host, source, &owner, name)).unwrap();
        for number in 0..300 {
            let new = NewEntity { id: None, legal_name: format!("Entity {number} 株式会社") };
            block_on(authority.entities().create(&host, source, &owner, &new)).unwrap();
        }
        block_on(authority.developers().revoke_tokens(&host, source, &owner)).unwrap();
    }
    let others: [Arc<dyn KeyStore>; 3] = [
        Arc::new(SqliteStore::open(folder.path().join("second.db")).unwrap()),
        Arc::new(MemoryStore::new()),
        Arc::new(RedbStore::open(folder.path().join("fourth.redb")).unwrap()),
    ];
    let want = block_on(moving::digest(&first, &mut |_| {})).unwrap();
    assert!(want.rows() > 1_200, "{want:?}");
    let mut from = first;
    for to in others {
        assert_eq!(block_on(moving::copy(&from, &to, None, &mut |_| {})).unwrap().digest, want);
        assert!(block_on(moving::check(&to, &mut |_| {})).unwrap().holds());
        from = to;
    }
    assert_eq!(block_on(moving::digest(&from, &mut |_| {})).unwrap(), want);
}
