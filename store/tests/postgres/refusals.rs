//! What PostgreSQL cannot hold is known before, and is refused as a whole if it comes all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use slipstream_schemas::RequestEvent;
use slipstream_schemas::records::BurnRates;
use slipstream_store::conformance::made::{self, Dice};
use slipstream_store::{Store, StoreError, StoredBurnRates, WriteBatch};

use crate::support::fresh_store;

#[tokio::test]
async fn nul_is_refused_where_it_is_and_nowhere_else() {
    let (store, _) = fresh_store().await;
    let plain = RequestEvent { attributes: BTreeMap::new(), user_ref: None, ..made::events(&mut Dice(1), 1).remove(0) };
    let attribute = |key: &str, value: &str| RequestEvent {
        attributes: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..plain.clone()
    };
    let rows = [
        (plain.clone(), true),
        (RequestEvent { user_ref: Some("a\0b".into()), ..plain.clone() }, false),
        (RequestEvent { event_id: "\0".into(), ..plain.clone() }, false),
        (attribute("key\0", "value"), false),
        (attribute("key", "val\0ue"), false),
        // What looks like it, but is not, and other things that text can have.
        (attribute("\\u0000", "\\u0000 \u{1} \u{7f} \u{fffd} \u{1F600} \" \\"), true),
        (RequestEvent { user_ref: Some("\u{1}\u{7f}".into()), ..plain.clone() }, true),
    ];
    for (i, (event, taken)) in rows.iter().enumerate() {
        let position = store.positions().await.unwrap().first().map(|p| p.offset);
        let answer = store.write(Arc::new(made::batch(std::slice::from_ref(event), position, 1))).await;
        assert_eq!((store.refusal())(&made::view(event)).is_none(), *taken, "row {i}: what is said before");
        match answer {
            Ok(()) if *taken => {}
            Err(StoreError::Refused(_)) if !*taken => {}
            other => panic!("row {i}: {other:?}"),
        }
    }
    let mut stored = crate::support::all_events(&store).await;
    let mut expected: Vec<RequestEvent> = rows.into_iter().filter(|(_, taken)| *taken).map(|(e, _)| e).collect();
    stored.sort_by_key(|e| format!("{e:?}"));
    expected.sort_by_key(|e| format!("{e:?}"));
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn history_with_nul_is_stored_all_the_same() {
    let (store, _) = fresh_store().await;
    let rates = BurnRates { objective: "o\0".into(), ..made::burn_rates("slo", &["a\0b"], 1, 100) };
    let mut transition = made::transition("x", 100, 1, slipstream_schemas::records::TransitionKind::Firing);
    transition.group[0].value = "a\0b".into();
    let mut notification = made::notification("x", 1);
    notification.detail = "said \0".into();
    let batch = WriteBatch {
        burn_rates: vec![StoredBurnRates { partition: 0, offset: 0, rates: rates.clone() }],
        transitions: vec![transition.clone()],
        notifications: vec![notification],
        positions: vec![made::moved(slipstream_schemas::Topic::BurnRates, None, 1, 1)],
        ..WriteBatch::default()
    };
    store.write(Arc::new(batch)).await.unwrap();
    assert_eq!(store.slo_states(None).await.unwrap(), [rates]);
    assert_eq!(store.transitions("x").await.unwrap(), [transition]);
    assert_eq!(store.transitions("\0").await.unwrap(), []);
}
