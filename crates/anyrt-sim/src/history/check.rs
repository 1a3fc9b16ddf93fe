//! The check of a history, and the shortest part of it that has no explanation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::marker::PhantomData;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as Actions};
use todc_utils::specifications::Specification;

use super::{Effect, History, Model, Moment, Record};
use crate::minimise::minimise;

/// Answers that no order of the operations explains.
///
/// `Display` shows the shortest part of the history that was found to have no explanation: up to
/// the first answer that cannot be explained, without the operations that do not matter for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    operations: usize,
    shown: usize,
    text: String,
}

impl Violation {
    /// Returns how many operations the report shows.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// Returns how many operations the history has.
    pub fn operations(&self) -> usize {
        self.operations
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Violation {}

impl<M: Model> History<M> {
    /// Checks that some order of the operations explains all answers so far.
    ///
    /// # Errors
    /// Returns the [`Violation`] if there is no such order.
    pub fn check(&self) -> Result<(), Violation> {
        let notes = self.lock();
        let records: Vec<_> = notes.records.values().collect();
        check(&records)
    }
}

fn check<M: Model>(records: &[&Record<M>]) -> Result<(), Violation> {
    let mut parts: BTreeMap<M::Part, Vec<&Record<M>>> = BTreeMap::new();
    for &record in records {
        parts.entry(M::part(&record.op)).or_default().push(record);
    }
    for (part, of_part) in parts {
        if !has_an_order(&of_part, u64::MAX) {
            return Err(violation(records.len(), &format!("{part:?}"), &of_part));
        }
    }
    Ok(())
}

/// The model as the checker needs it.
struct Spec<M>(PhantomData<M>);

/// An operation with its answer, if there is one.
struct Done<M: Model>(M::Op, Option<M::Ret>);

impl<M: Model> Clone for Done<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<M: Model> fmt::Debug for Done<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} -> {:?}", self.0, self.1)
    }
}

impl<M: Model> Specification for Spec<M> {
    type State = M::State;
    type Operation = Done<M>;

    fn init() -> M::State {
        M::init()
    }

    fn apply(operation: &Done<M>, state: &M::State) -> (bool, M::State) {
        let (next, ret) = M::apply(state, &operation.0);
        match &operation.1 {
            // Correct for any answer.
            None => (true, next),
            Some(answer) if *answer == ret => (true, next),
            Some(_) => (false, state.clone()),
        }
    }
}

/// Returns the answer of an operation, if it had one by then.
fn answer<M: Model>(record: &Record<M>, until: u64) -> Option<(&Moment, &M::Ret)> {
    let (moment, ret) = record.returned.as_ref()?;
    (moment.place <= until).then_some((moment, ret))
}

fn effect<M: Model>(record: &Record<M>, until: u64) -> Option<Effect> {
    M::effect(&record.op, answer(record, until).map(|(_, ret)| ret))
}

/// Leaves out operations without an answer whose value no other operation reads: they do not affect
/// the result, and each of them would double the search.
fn that_matter<'a, M: Model>(called: &[&'a Record<M>], until: u64) -> Vec<&'a Record<M>> {
    let (mut matter, mut open): (Vec<_>, Vec<_>) = called
        .iter()
        .copied()
        .partition(|record| answer(record, until).is_some());
    let mut seen = BTreeSet::new();
    for record in &matter {
        match effect(record, until) {
            Some(effect) => seen.extend(effect.sees),
            // It is unknown what it reads.
            None => return called.to_vec(),
        }
    }
    // An operation that is read by a relevant one is relevant, too.
    loop {
        let is_seen = |record: &&Record<M>| match effect(record, until) {
            Some(effect) => effect.leaves.is_some_and(|left| seen.contains(&left)),
            None => true,
        };
        let (more, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(is_seen);
        if more.is_empty() {
            return matter;
        }
        let effects = more.iter().filter_map(|record| effect(record, until));
        seen.extend(effects.filter_map(|effect| effect.sees).collect::<Vec<_>>());
        matter.extend(more);
        open = rest;
    }
}

/// Returns `true` if some order explains all records up to that place.
fn has_an_order<M: Model>(records: &[&Record<M>], until: u64) -> bool {
    let called = records.iter().filter(|record| record.called.place <= until);
    let called: Vec<_> = called.copied().collect();
    let mut events = Vec::new();
    for (number, record) in that_matter(&called, until).into_iter().enumerate() {
        let ret = answer(record, until);
        let done = Done::<M>(record.op.clone(), ret.map(|(_, ret)| ret.clone()));
        events.push((record.called.place, (number, Action::Call(done.clone()))));
        // An operation without an answer may take effect at any time, even after all others.
        let returned = ret.map_or(u64::MAX, |(moment, _)| moment.place);
        events.push((returned, (number, Action::Response(done))));
    }
    if events.is_empty() {
        return true;
    }
    events.sort_by_key(|(place, _)| *place);
    let actions = events.into_iter().map(|(_, action)| action).collect();
    WGLChecker::<Spec<M>>::is_linearizable(Actions::from_actions(actions))
}

/// Describes why a part of the history has no explanation.
fn violation<M: Model>(operations: usize, part: &str, records: &[&Record<M>]) -> Violation {
    // A history that can be explained stays so with fewer answers, so bisection finds the first
    // wrong one.
    let mut answers: Vec<_> = records
        .iter()
        .filter_map(|record| answer(record, u64::MAX))
        .map(|(moment, _)| moment.place)
        .collect();
    answers.sort_unstable();
    let first = answers.partition_point(|&place| has_an_order(records, place));
    let until = answers.get(first).copied().unwrap_or(u64::MAX);
    let called = records.iter().filter(|record| record.called.place <= until);
    let called: Vec<_> = called.copied().collect();
    let numbers: Vec<_> = (0..called.len()).collect();
    let minimal = minimise(&numbers, |some| Some(is_as_wrong(&called, some, until)));
    let shown = minimal.map_or(numbers, |minimal| minimal.needed);

    let of = match part {
        "()" => String::new(),
        part => format!(" on {part}"),
    };
    let mut text = format!(
        "not linearizable: no order of these {} of {operations} operations{of} explains the answers",
        shown.len()
    );
    let width = shown
        .iter()
        .map(|&n| called[n].client.chars().count())
        .max();
    let width = width.unwrap_or_default();
    for &number in &shown {
        let record = called[number];
        let time = |moment: &Moment| match moment.time {
            Some(time) => format!("{time:?}"),
            None => format!("#{}", moment.place),
        };
        let (client, from) = (&record.client, time(&record.called));
        let _ = match answer(record, until) {
            Some((moment, ret)) => {
                let to = time(moment);
                let wrong = if moment.place == until {
                    "  <- this one"
                } else {
                    ""
                };
                write!(
                    text,
                    "\n    {client:width$}  {from} .. {to}  {:?} -> {ret:?}{wrong}",
                    record.op
                )
            }
            None => write!(
                text,
                "\n    {client:width$}  {from} ..  {:?} -> no answer",
                record.op
            ),
        };
    }
    Violation {
        operations,
        shown: shown.len(),
        text,
    }
}

/// Returns `true` if some of the operations have no explanation by themselves, and none of them
/// reads a value that was left out.
fn is_as_wrong<M: Model>(called: &[&Record<M>], some: &[usize], until: u64) -> bool {
    let left_out = (0..called.len()).filter(|number| !some.contains(number));
    let mut missing = BTreeSet::new();
    for number in left_out {
        match effect(called[number], until) {
            Some(effect) => missing.extend(effect.leaves),
            // It is unknown which value it leaves.
            None => return false,
        }
    }
    let sees_what_is_missing = |&number: &usize| match effect(called[number], until) {
        Some(effect) => effect.sees.is_some_and(|seen| missing.contains(&seen)),
        None => !missing.is_empty(),
    };
    if some.iter().any(sees_what_is_missing) {
        return false;
    }
    let some: Vec<_> = some.iter().map(|&number| called[number]).collect();
    !has_an_order(&some, until)
}

#[cfg(test)]
mod tests {
    use super::super::{
        Answer, History, KeyValue, MapAnswer, MapOperation, Model, Operation, Record, Register,
    };
    use crate::random::{Concern, Random};

    type Register32 = Register<u32>;

    #[test]
    fn overlapping_operations_take_effect_in_any_order() {
        let history = History::<Register32>::new();
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| history.client(name));
        a.invoke(Operation::Write(1));
        b.invoke(Operation::Write(2));
        c.invoke(Operation::Read);
        c.ret(Answer::Value(2));
        c.invoke(Operation::Read);
        c.ret(Answer::Value(1));
        b.ret(Answer::Done);
        a.ret(Answer::Done);
        assert_eq!(history.check(), Ok(()));
        c.invoke(Operation::Read);
        c.ret(Answer::Value(2));
        let violation = history.check().expect_err("it went back");
        assert_eq!(violation.shown(), 5, "{violation}");
    }

    #[test]
    fn a_stale_read_is_shown_without_the_rest() {
        let history = History::<Register32>::new();
        let [mut writer, mut reader] = ["writer", "reader"].map(|name| history.client(name));
        for value in 1..=50 {
            writer.invoke(Operation::Write(value));
            writer.ret(Answer::Done);
            reader.invoke(Operation::Read);
            reader.ret(Answer::Value(if value == 40 { 39 } else { value }));
        }
        let violation = history.check().expect_err("40 was written");
        assert_eq!((violation.shown(), violation.operations()), (3, 100));
        let lines: Vec<_> = violation.text.lines().skip(1).collect();
        let expected = [
            "Write(39) -> Done",
            "Write(40) -> Done",
            "Read -> Value(39)  <- this one",
        ];
        for (line, end) in lines.iter().zip(expected) {
            assert!(line.ends_with(end), "{violation}");
        }
    }

    #[test]
    fn a_value_that_nobody_wrote_is_shown_alone() {
        let history = History::<Register32>::new();
        let mut client = history.client("a");
        for value in 1..=5 {
            client.invoke(Operation::Write(value));
            client.ret(Answer::Done);
        }
        client.invoke(Operation::Read);
        client.ret(Answer::Value(77));
        assert_eq!(history.check().expect_err("77 is from nowhere").shown(), 1);
    }

    #[test]
    fn what_has_no_answer_may_have_happened_or_not() {
        let history = |seen: &[u32]| {
            let history = History::<Register32>::new();
            let [mut lost, mut reader] = ["lost", "reader"].map(|name| history.client(name));
            lost.invoke(Operation::Write(1));
            for &value in seen {
                reader.invoke(Operation::Read);
                reader.ret(Answer::Value(value));
            }
            history.check().is_ok()
        };
        assert!(history(&[0, 0]) && history(&[0, 1, 1]) && history(&[1]));
        assert!(!history(&[1, 0]));
    }

    #[test]
    fn what_an_open_operation_needs_may_have_happened_too() {
        let history = History::<Register32>::new();
        let [mut one, mut two, mut reader] = ["1", "2", "r"].map(|name| history.client(name));
        one.invoke(Operation::Write(1));
        two.invoke(Operation::CompareAndSet {
            expected: 1,
            new: 2,
        });
        reader.invoke(Operation::Read);
        reader.ret(Answer::Value(2));
        assert_eq!(history.check(), Ok(()));
    }

    #[test]
    fn what_has_failed_has_not_happened() {
        let history = History::<Register32>::new();
        let mut client = history.client("a");
        client.invoke(Operation::Write(1));
        client.fail();
        client.invoke(Operation::Read);
        client.ret(Answer::Value(1));
        assert!(history.check().is_err());
    }

    #[test]
    #[should_panic(expected = "the client \"a\" has no operation without an answer")]
    fn an_answer_without_a_question_is_refused() {
        History::<Register32>::new().client("a").ret(Answer::Done);
    }

    #[test]
    fn keys_are_checked_apart_and_the_wrong_one_is_named() {
        let history = History::<KeyValue<&str, u32>>::new();
        let mut client = history.client("a");
        let mut ask = |op, ret| {
            client.invoke(op);
            client.ret(ret);
        };
        ask(MapOperation::Put("x", 1), MapAnswer::Done);
        ask(MapOperation::Put("y", 2), MapAnswer::Done);
        ask(MapOperation::Get("x"), MapAnswer::Value(Some(1)));
        ask(MapOperation::Delete("x"), MapAnswer::Done);
        let set = |expected, new| MapOperation::CompareAndSet {
            key: "x",
            expected,
            new,
        };
        ask(set(Some(1), 5), MapAnswer::Set(false));
        ask(set(None, 6), MapAnswer::Set(true));
        ask(MapOperation::Get("x"), MapAnswer::Value(Some(6)));
        assert_eq!(history.check(), Ok(()));
        let mut other = history.client("b");
        other.invoke(MapOperation::Get("y"));
        other.ret(MapAnswer::Value(None));
        let violation = history.check().expect_err("y has a value");
        assert!(
            violation.to_string().contains("2 of 8 operations on \"y\""),
            "{violation}"
        );
    }

    #[test]
    fn a_long_history_with_lost_answers_is_checked_soon() {
        let history = History::<Register32>::new();
        let [mut a, mut b, mut lost] = ["a", "b", "lost"].map(|name| history.client(name));
        for value in 0..400 {
            a.invoke(Operation::Write(value));
            b.invoke(Operation::Read);
            a.ret(Answer::Done);
            b.ret(Answer::Value(value));
            // Forty of these would take 2^40 steps in a search that tries each of them.
            lost.invoke(Operation::Write(1_000 + value));
        }
        assert_eq!(history.check(), Ok(()));
    }

    /// Tries all orders of the remaining operations; `state` is the state after the previous ones.
    fn brute(left: &[&Record<Register32>], state: u32) -> bool {
        if left.iter().all(|record| record.returned.is_none()) {
            return true;
        }
        (0..left.len()).any(|next| {
            let record = left[next];
            let place = record.called.place;
            // Operations that returned before this one was called must precede it.
            let too_early = left.iter().any(|other| {
                let returned = other.returned.as_ref();
                returned.is_some_and(|(moment, _)| moment.place < place)
            });
            let (after, ret) = Register32::apply(&state, &record.op);
            let fits = record
                .returned
                .as_ref()
                .is_none_or(|(_, answer)| *answer == ret);
            let mut rest = left.to_vec();
            rest.remove(next);
            // An operation without an answer may also never happen.
            (record.returned.is_none() && brute(&rest, state))
                || (!too_early && fits && brute(&rest, after))
        })
    }

    #[test]
    fn short_histories_are_judged_as_by_trying_all_orders() {
        let mut random = Random::new(3, Concern::Application);
        let mut judged = [0; 2];
        for _ in 0..3_000 {
            let history = History::<Register32>::new();
            let mut clients = ["a", "b", "c"].map(|name| (history.client(name), None));
            for _ in 0..10 {
                let (client, open) = &mut clients[random.index(3)];
                match open.take() {
                    Some(op) if random.chance(0.9) => client.ret(match op {
                        Operation::Read => Answer::Value(random.below(3) as u32),
                        Operation::Write(_) => Answer::Done,
                        Operation::CompareAndSet { .. } => Answer::Set(random.chance(0.5)),
                    }),
                    _ => {
                        let [expected, new] = [(); 2].map(|()| random.below(3) as u32);
                        let op = match random.below(3) {
                            0 => Operation::Read,
                            1 => Operation::Write(new),
                            _ => Operation::CompareAndSet { expected, new },
                        };
                        client.invoke(op.clone());
                        *open = Some(op);
                    }
                }
            }
            let expected = {
                let notes = history.lock();
                brute(&notes.records.values().collect::<Vec<_>>(), 0)
            };
            assert_eq!(history.check().is_ok(), expected, "{:?}", history.check());
            judged[usize::from(expected)] += 1;
        }
        assert!(judged.iter().all(|&count| count > 300), "{judged:?}");
    }
}
