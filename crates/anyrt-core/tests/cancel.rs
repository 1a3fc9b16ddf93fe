//! Cancellation tokens: propagation, wake-ups, and released memory.

mod common;

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use allocation_counter::measure;
use anyrt_core::CancellationToken;
use anyrt_core::cancel::CancelledOwned;
use anyrt_core::coop;
use common::{CountWakes, block_on, within_a_minute};

#[test]
fn clones_are_the_same_token() {
    let token = CancellationToken::new();
    let clone = token.clone();
    assert!(!token.is_cancelled());
    clone.cancel();
    assert!(token.is_cancelled());
    token.cancel();
}

#[test]
fn a_parent_cancels_its_children_and_theirs() {
    let parent = CancellationToken::new();
    let children: Vec<_> = (0..3).map(|_| parent.child_token()).collect();
    let grandchildren: Vec<_> = children
        .iter()
        .flat_map(|child| [child.child_token(), child.child_token()])
        .collect();
    parent.cancel();
    let family = children.iter().chain(&grandchildren);
    assert!(family.into_iter().all(CancellationToken::is_cancelled));
}

#[test]
fn a_child_cancels_neither_its_parent_nor_its_siblings() {
    let parent = CancellationToken::new();
    let [first, middle, last] = [(); 3].map(|()| parent.child_token());
    let below = middle.child_token();
    middle.cancel();
    assert!(middle.is_cancelled() && below.is_cancelled());
    assert!(!parent.is_cancelled() && !first.is_cancelled() && !last.is_cancelled());
    parent.cancel();
    assert!(first.is_cancelled() && last.is_cancelled());
}

#[test]
fn a_child_of_a_cancelled_token_is_born_cancelled() {
    let parent = CancellationToken::new();
    let child = parent.child_token();
    parent.cancel();
    assert!(parent.child_token().is_cancelled());
    assert!(child.child_token().child_token().is_cancelled());
}

#[test]
fn a_grandchild_outlives_the_token_between() {
    let root = CancellationToken::new();
    let middle = root.child_token();
    let below = [middle.child_token(), middle.child_token()];
    let sibling = root.child_token();
    drop(middle);
    assert!(!below[0].is_cancelled(), "dropping cancels nothing");
    // An unrelated token may take its place in the tree.
    let other = root.child_token();
    other.cancel();
    assert!(!below[0].is_cancelled() && !sibling.is_cancelled());
    root.cancel();
    assert!(below.iter().all(CancellationToken::is_cancelled));
    assert!(sibling.is_cancelled());
}

#[test]
fn children_go_on_when_the_root_is_dropped() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let grandchild = child.child_token();
    drop(root);
    child.cancel();
    assert!(grandchild.is_cancelled());
}

#[test]
fn random_trees_agree_with_a_simple_model() {
    /// The model: each token knows its parent, and nothing is released.
    struct Model {
        parent: Vec<Option<usize>>,
        cancelled: Vec<bool>,
    }
    impl Model {
        fn is_cancelled(&self, mut node: usize) -> bool {
            loop {
                match (self.cancelled[node], self.parent[node]) {
                    (true, _) => return true,
                    (_, Some(parent)) => node = parent,
                    (_, None) => return false,
                }
            }
        }
    }
    for seed in 1..200_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let mut tokens = vec![Some(CancellationToken::new())];
        let mut model = Model {
            parent: vec![None],
            cancelled: vec![false],
        };
        for _ in 0..150 {
            let at = random(tokens.len());
            let Some(token) = &tokens[at] else { continue };
            match random(8) {
                0 => tokens[at] = None,
                1 => {
                    token.cancel();
                    model.cancelled[at] = true;
                }
                _ => {
                    let child = token.child_token();
                    tokens.push(Some(child));
                    model.parent.push(Some(at));
                    model.cancelled.push(false);
                }
            }
            for (at, token) in tokens.iter().enumerate() {
                if let Some(token) = token {
                    assert_eq!(token.is_cancelled(), model.is_cancelled(at), "seed {seed}");
                }
            }
        }
    }
}

#[test]
fn cancelled_waits_and_is_woken() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let mut waiting = [
        Box::pin(token.clone().cancelled_owned()),
        Box::pin(child.clone().cancelled_owned()),
    ];
    let mut borrowed = pin!(child.cancelled());
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..2 {
        // Two polls register one waiter.
        assert!(borrowed.as_mut().poll(&mut cx).is_pending());
        for future in &mut waiting {
            assert!(future.as_mut().poll(&mut cx).is_pending());
        }
    }
    token.cancel();
    assert_eq!(wakes.get(), 3);
    assert!(borrowed.as_mut().poll(&mut cx).is_ready());
    for future in &mut waiting {
        assert!(future.as_mut().poll(&mut cx).is_ready());
    }
}

#[test]
fn who_stopped_waiting_is_not_woken() {
    let token = CancellationToken::new();
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    {
        let mut waiting = pin!(token.cancelled());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    }
    token.cancel();
    assert_eq!(wakes.get(), 0);
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    let token = CancellationToken::new();
    let (old, old_waker) = CountWakes::new();
    let (new, new_waker) = CountWakes::new();
    let mut waiting = pin!(token.cancelled());
    for waker in [&old_waker, &new_waker] {
        let mut cx = Context::from_waker(waker);
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
    }
    token.cancel();
    assert_eq!((old.get(), new.get()), (0, 1));
}

#[test]
fn a_waker_may_use_the_token_that_wakes_it() {
    /// Uses the token inside the wake-up, which would deadlock if a lock were held.
    struct Meddler {
        token: CancellationToken,
        waiting: Mutex<Option<Pin<Box<CancelledOwned>>>>,
        woken: AtomicUsize,
    }
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            drop(self.waiting.lock().unwrap().take());
            self.token.cancel();
            drop(self.token.child_token());
            self.woken.fetch_add(1, Ordering::SeqCst);
        }
    }
    within_a_minute(|| {
        let parent = CancellationToken::new();
        let meddler = Arc::new(Meddler {
            token: parent.child_token(),
            waiting: Mutex::default(),
            woken: AtomicUsize::new(0),
        });
        let waker = Waker::from(Arc::clone(&meddler));
        let mut first = Box::pin(meddler.token.clone().cancelled_owned());
        let mut second = Box::pin(meddler.token.clone().cancelled_owned());
        for waiting in [&mut first, &mut second] {
            let mut cx = Context::from_waker(&waker);
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
        }
        *meddler.waiting.lock().unwrap() = Some(first);
        parent.cancel();
        assert_eq!(meddler.woken.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_drop_guard_cancels_unless_disarmed() {
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    let same = guard.disarm();
    assert!(!token.is_cancelled());
    drop(same.drop_guard());
    assert!(token.is_cancelled());
}

#[test]
fn run_until_cancelled_gives_the_value_or_none() {
    let token = CancellationToken::new();
    assert_eq!(block_on(token.run_until_cancelled(ready(7))), Some(7));

    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut run = pin!(token.run_until_cancelled(pending::<()>()));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    token.cancel();
    assert_eq!(wakes.get(), 1);
    assert_eq!(run.as_mut().poll(&mut cx), Poll::Ready(None));

    // With a cancelled token the future is not polled.
    let never = async { panic!("it is not polled") };
    assert_eq!(block_on(token.run_until_cancelled(never)), None::<()>);
}

#[test]
fn a_value_that_is_ready_at_the_cancellation_is_not_lost() {
    let token = CancellationToken::new();
    let own = token.clone();
    let value = async move {
        own.cancel();
        7
    };
    assert_eq!(block_on(token.run_until_cancelled(value)), Some(7));
}

#[test]
fn a_future_that_eats_its_budget_is_cancelled_all_the_same() {
    let token = CancellationToken::new();
    let greedy = token.run_until_cancelled(async {
        loop {
            coop::cooperative(ready(())).await;
        }
    });
    let mut greedy = pin!(greedy);
    let mut poll = || {
        let mut cx = Context::from_waker(Waker::noop());
        coop::with_budget(|| greedy.as_mut().poll(&mut cx))
    };
    assert!(poll().is_pending());
    token.cancel();
    assert_eq!(poll(), Poll::Ready(None));
}

#[test]
fn cancelled_charges_the_budget() {
    let token = CancellationToken::new();
    token.cancel();
    let mut cx = Context::from_waker(Waker::noop());
    coop::with_budget(|| {
        for _ in 0..coop::BUDGET {
            assert!(pin!(token.cancelled()).poll(&mut cx).is_ready());
        }
        assert!(pin!(token.cancelled()).poll(&mut cx).is_pending());
    });
}

#[test]
fn a_million_children_leave_nothing_behind() {
    let root = CancellationToken::new();
    // At most ten at a time, in no particular order.
    let mut alive: Vec<CancellationToken> = (0..10).map(|_| root.child_token()).collect();
    let used = measure(|| {
        for i in 0..1_000_000 {
            alive[(i * 7) % 10] = root.child_token();
        }
    });
    assert_eq!(used.count_current, 0);
    assert!(used.bytes_max < 4_096, "{} bytes at most", used.bytes_max);
    root.cancel();
    assert!(alive.iter().all(CancellationToken::is_cancelled));
}

#[test]
fn many_children_at_once_give_their_memory_back() {
    let root = CancellationToken::new();
    let used = measure(|| {
        let children: Vec<_> = (0..100_000).map(|_| root.child_token()).collect();
        drop(children);
    });
    assert_eq!(used.bytes_current, 0);
}

#[test]
fn a_line_of_descendants_keeps_only_those_that_are_held() {
    let root = CancellationToken::new();
    let mut last = root.child_token();
    let used = measure(|| {
        for _ in 0..100_000 {
            last = last.child_token();
        }
    });
    assert!(used.bytes_max < 4_096, "{} bytes at most", used.bytes_max);
    root.cancel();
    assert!(last.is_cancelled());
}

#[test]
fn deep_trees_overflow_no_stack() {
    const DEPTH: usize = 200_000;
    let line = || {
        let mut tokens = vec![CancellationToken::new()];
        for i in 0..DEPTH {
            tokens.push(tokens[i].child_token());
        }
        tokens
    };
    let cancelled = line();
    cancelled[0].cancel();
    assert!(cancelled[DEPTH].is_cancelled());
    drop(cancelled);
    // From above and from below.
    drop(line());
    let mut tokens = line();
    while tokens.pop().is_some() {}
}

#[test]
fn threads_that_cancel_and_make_children_agree() {
    within_a_minute(|| {
        for _ in 0..2_000 {
            let root = CancellationToken::new();
            let middle = root.child_token();
            let start = Barrier::new(3);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    root.cancel();
                    assert!(middle.is_cancelled());
                });
                scope.spawn(|| {
                    start.wait();
                    middle.cancel();
                });
                let children = scope.spawn(|| {
                    start.wait();
                    (0..4).map(|_| middle.child_token()).collect::<Vec<_>>()
                });
                for child in children.join().unwrap() {
                    block_on(child.cancelled());
                }
            });
        }
    });
}

#[test]
fn no_wake_up_is_lost_to_a_cancellation_meanwhile() {
    within_a_minute(|| {
        for _ in 0..5_000 {
            let token = CancellationToken::new();
            let waiting = token.child_token();
            let thread = thread::spawn(move || block_on(waiting.cancelled()));
            token.cancel();
            thread.join().unwrap();
        }
    });
}
