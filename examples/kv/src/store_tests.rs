use super::*;

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
