//! The models that are included: a register, and a map of keys to values.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::{Effect, Model};

/// One value that is read, written, and compared and set. Its initial value is the default of its
/// type.
#[derive(Debug, Clone, Copy, Default)]
pub struct Register<T>(PhantomData<T>);

/// An operation of a [`Register`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation<T> {
    /// Answered by [`Answer::Value`].
    Read,
    /// Answered by [`Answer::Done`].
    Write(T),
    /// Writes `new` if the value is `expected`. Answered by [`Answer::Set`].
    CompareAndSet {
        /// The value that is expected.
        expected: T,
        /// The value that is written.
        new: T,
    },
}

/// The answer of a [`Register`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer<T> {
    /// The value that was read.
    Value(T),
    /// The value was written.
    Done,
    /// `true` if the value was the expected one and was set.
    Set(bool),
}

impl<T> Model for Register<T>
where
    T: Clone + Debug + Default + Eq + Hash + Send + 'static,
{
    type Op = Operation<T>;
    type Ret = Answer<T>;
    type State = T;
    type Part = ();

    fn init() -> T {
        T::default()
    }

    fn apply(state: &T, op: &Operation<T>) -> (T, Answer<T>) {
        match op {
            Operation::Read => (state.clone(), Answer::Value(state.clone())),
            Operation::Write(value) => (value.clone(), Answer::Done),
            Operation::CompareAndSet { expected, new } if expected == state => {
                (new.clone(), Answer::Set(true))
            }
            Operation::CompareAndSet { .. } => (state.clone(), Answer::Set(false)),
        }
    }

    fn part(_: &Operation<T>) {}

    fn effect(op: &Operation<T>, ret: Option<&Answer<T>>) -> Option<Effect> {
        let value = |value: &T| Some(format!("{value:?}"));
        Some(match (op, ret) {
            (Operation::Read, Some(Answer::Value(seen))) => Effect {
                sees: value(seen),
                leaves: None,
            },
            (Operation::Read, _) => Effect::default(),
            (Operation::Write(new), _) => Effect {
                sees: None,
                leaves: value(new),
            },
            // It shows that the value is a different one, but not which.
            (Operation::CompareAndSet { .. }, Some(Answer::Set(false))) => return None,
            (Operation::CompareAndSet { expected, new }, _) => Effect {
                sees: value(expected),
                leaves: value(new),
            },
        })
    }
}

/// Values by keys. Each key is a part of its own and has no value initially.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyValue<K, V>(PhantomData<(K, V)>);

/// An operation of a [`KeyValue`] map.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapOperation<K, V> {
    /// Answered by [`MapAnswer::Value`].
    Get(K),
    /// Answered by [`MapAnswer::Done`].
    Put(K, V),
    /// Answered by [`MapAnswer::Done`], with or without a value for the key.
    Delete(K),
    /// Writes `new` if the key has the expected value. Answered by [`MapAnswer::Set`].
    CompareAndSet {
        /// The key.
        key: K,
        /// The value that is expected; `None` if there must be none.
        expected: Option<V>,
        /// The value that is written.
        new: V,
    },
}

/// The answer of a [`KeyValue`] map.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapAnswer<V> {
    /// The value of the key, if it has one.
    Value(Option<V>),
    /// The value was written or deleted.
    Done,
    /// `true` if the value was the expected one and was set.
    Set(bool),
}

impl<K, V> Model for KeyValue<K, V>
where
    K: Clone + Debug + Ord + Send + 'static,
    V: Clone + Debug + Eq + Hash + Send + 'static,
{
    type Op = MapOperation<K, V>;
    type Ret = MapAnswer<V>;
    type State = Option<V>;
    type Part = K;

    fn init() -> Option<V> {
        None
    }

    fn apply(state: &Option<V>, op: &MapOperation<K, V>) -> (Option<V>, MapAnswer<V>) {
        match op {
            MapOperation::Get(_) => (state.clone(), MapAnswer::Value(state.clone())),
            MapOperation::Put(_, value) => (Some(value.clone()), MapAnswer::Done),
            MapOperation::Delete(_) => (None, MapAnswer::Done),
            MapOperation::CompareAndSet { expected, new, .. } if expected == state => {
                (Some(new.clone()), MapAnswer::Set(true))
            }
            MapOperation::CompareAndSet { .. } => (state.clone(), MapAnswer::Set(false)),
        }
    }

    fn part(op: &MapOperation<K, V>) -> K {
        match op {
            MapOperation::Get(key)
            | MapOperation::Put(key, _)
            | MapOperation::Delete(key)
            | MapOperation::CompareAndSet { key, .. } => key.clone(),
        }
    }

    fn effect(op: &MapOperation<K, V>, ret: Option<&MapAnswer<V>>) -> Option<Effect> {
        let value = |value: Option<&V>| Some(format!("{value:?}"));
        Some(match (op, ret) {
            (MapOperation::Get(_), Some(MapAnswer::Value(seen))) => Effect {
                sees: value(seen.as_ref()),
                leaves: None,
            },
            (MapOperation::Get(_), _) => Effect::default(),
            (MapOperation::Put(_, new), _) => Effect {
                sees: None,
                leaves: value(Some(new)),
            },
            (MapOperation::Delete(_), _) => Effect {
                sees: None,
                leaves: value(None),
            },
            // It shows that the value is a different one, but not which.
            (MapOperation::CompareAndSet { .. }, Some(MapAnswer::Set(false))) => return None,
            (MapOperation::CompareAndSet { expected, new, .. }, _) => Effect {
                sees: value(expected.as_ref()),
                leaves: value(Some(new)),
            },
        })
    }
}
