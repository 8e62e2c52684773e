//! Many changes at once share commits, and those that lose touch nothing. Shared by the stores in a file, which give `Store` and `FILE`.

use std::sync::Arc;
use std::thread;

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _, StoreError};
use latchbook_core::model::{ChainId, ChangeId, ChangeSet, Index, Record, UnixTime};

use super::{FILE, Store};

#[test]
fn r5_racing_changes_are_each_done_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path().join(FILE)).unwrap());
    let ada = samples::developer_ref("ada").unwrap();
    let threads: Vec<_> = (0..16_u8)
        .map(|thread| {
            let (store, ada) = (Arc::clone(&store), ada.clone());
            thread::spawn(move || {
                let mut won = 0;
                for round in 0..10_u8 {
                    let mut set = ChangeSet::new(
                        ChangeId::from_bytes([thread + 1, round, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                        UnixTime::from_seconds(1),
                    );
                    // Every thread wants the round's entity, and a key of its own with it.
                    let key = samples::key_id(u64::from(thread) * 100 + u64::from(round)).unwrap();
                    set.insert = vec![
                        Record::ApiKey(samples::key(&ada, key, samples::at(1))),
                        Record::Entity(samples::entity(&ada, &format!("e{round}"), samples::at(1)).unwrap()),
                    ];
                    set.audit.push(samples::event(&ChainId::Developer(ada.clone()), "raced"));
                    match block_on(store.commit(set)) {
                        Ok(_) => won += 1,
                        Err(error) => assert!(matches!(error, StoreError::Conflict), "{error}"),
                    }
                }
                won
            })
        })
        .collect();
    let won: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(won, 10);
    for index in [Index::KeysOf(ada.clone()), Index::EntitiesOf(ada.clone()), Index::Audit(ChainId::Developer(ada))] {
        assert_eq!(block_on(store.all(&index)).unwrap().len(), 10, "{index:?}");
    }
}
