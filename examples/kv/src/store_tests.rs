use std::sync::Arc;

use tokio::time::{advance, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn keys(keys: &[&'static str]) -> Vec<Bytes> {
    keys.iter().map(|key| Bytes::from(*key)).collect()
}

fn set(store: &Store, key: &str, value: &str) {
    assert!(store.set(
        key.as_bytes(),
        value.as_bytes(),
        Expiry::Never,
        Condition::Always
    ));
}

fn set_for(store: &Store, key: &str, time: Duration) {
    let expiry = Expiry::At(Instant::now() + time);
    assert!(store.set(key.as_bytes(), b"v", expiry, Condition::Always));
}

#[test]
fn what_was_set_is_there_until_it_is_removed() {
    let store = Store::default();
    assert_eq!(store.get(b"a"), None);
    set(&store, "a", "1");
    store.set_all(&keys(&["b", "2", "c", "3", "b", "4"]));
    assert_eq!(store.get(b"a"), Some("1".into()));
    assert_eq!(
        store.get_all(&keys(&["a", "x", "b"])),
        [Some("1".into()), None, Some("4".into())]
    );
    assert_eq!(store.count(&keys(&["a", "a", "x"])), 2);
    assert_eq!(store.remove(&keys(&["a", "a", "x"])), 1);
    assert_eq!(store.len(), 2);
    store.clear();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_condition_may_keep_a_value_from_being_set() {
    let store = Store::default();
    assert!(!store.set(b"a", b"1", Expiry::Never, Condition::IfPresent));
    assert!(store.set(b"a", b"2", Expiry::Never, Condition::IfMissing));
    assert!(!store.set(b"a", b"3", Expiry::Never, Condition::IfMissing));
    assert!(store.set(b"a", b"4", Expiry::Never, Condition::IfPresent));
    assert_eq!(store.get(b"a"), Some("4".into()));
}

#[test]
fn numbers_are_added_and_nothing_else() {
    let store = Store::default();
    assert_eq!(store.add(b"n", 5), Ok(5));
    assert_eq!(store.add(b"n", -7), Ok(-2));
    assert_eq!(store.add(b"n", i64::MIN), Err(StoreError::Overflow));
    assert_eq!(store.get(b"n"), Some("-2".into()));
    set(&store, "text", "1 ");
    assert_eq!(store.add(b"text", 1), Err(StoreError::NotAnInteger));
}

#[test]
fn what_a_reader_holds_does_not_change_under_an_append() {
    let store = Store::default();
    assert_eq!(store.append(b"a", b"one"), Ok(3));
    let held = store.get(b"a");
    assert_eq!(store.append(b"a", b"two"), Ok(6));
    assert_eq!(store.append(b"a", b""), Ok(6));
    assert_eq!(held, Some("one".into()));
    assert_eq!(store.get(b"a"), Some("onetwo".into()));
}

// ANCHOR: paused
#[tokio::test(start_paused = true)]
async fn an_expired_key_is_gone_at_its_deadline_and_not_before() {
    let store = Store::default();
    set_for(&store, "a", SECOND);
    assert_eq!(store.time_to_live(b"a"), TimeToLive::For(SECOND));
    advance(SECOND - Duration::from_millis(1)).await;
    assert!(store.get(b"a").is_some());
    advance(Duration::from_millis(1)).await;
    assert_eq!(store.get(b"a"), None);
    assert_eq!(store.time_to_live(b"a"), TimeToLive::NoKey);
    assert!(!store.expire(b"a", None));
}
// ANCHOR_END: paused

#[tokio::test(start_paused = true)]
async fn a_new_value_lives_forever_unless_it_keeps_the_deadline() {
    let store = Store::default();
    set_for(&store, "a", SECOND);
    assert!(store.set(b"a", b"new", Expiry::Keep, Condition::Always));
    assert_eq!(store.time_to_live(b"a"), TimeToLive::For(SECOND));
    assert_eq!(store.add(b"n", 1), Ok(1));
    assert!(store.expire(b"n", Some(Instant::now() + SECOND)));
    assert_eq!(store.add(b"n", 1), Ok(2));
    assert_eq!(store.time_to_live(b"n"), TimeToLive::For(SECOND));
    set(&store, "a", "newer");
    assert_eq!(store.time_to_live(b"a"), TimeToLive::Forever);
    assert!(store.expire(b"n", None));
    advance(2 * SECOND).await;
    assert_eq!(store.get(b"a"), Some("newer".into()));
    assert_eq!(store.get(b"n"), Some("2".into()));
    assert!(store.state().deadlines.is_empty());
}

#[tokio::test(start_paused = true)]
async fn expired_keys_are_dropped_though_nobody_asks_for_them() {
    let store = Arc::new(Store::default());
    let expiry = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.drop_expired().await }
    });
    for key in 0..3 * BATCH {
        set_for(&store, &format!("long {key}"), 100 * SECOND);
    }
    sleep(SECOND).await;
    // The earliest deadline, while the task waits for a later one.
    set_for(&store, "short", SECOND);
    set(&store, "forever", "v");
    assert_eq!(store.len(), 3 * BATCH + 2);
    sleep(2 * SECOND).await;
    assert_eq!(store.len(), 3 * BATCH + 1);
    sleep(100 * SECOND).await;
    assert_eq!(store.len(), 1);
    assert!(store.state().deadlines.is_empty());
    expiry.abort();
}
