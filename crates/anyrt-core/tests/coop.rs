//! The cooperative budget.

mod common;

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use anyrt_core::coop::{self, BUDGET};
use common::CountWakes;

/// Returns the remaining budget, up to 1,000 operations.
fn left() -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    (0..1_000)
        .take_while(|_| coop::charged(&mut cx, |_| Poll::Ready(())).is_ready())
        .count()
}

#[test]
fn outside_a_task_there_is_no_limit() {
    assert_eq!(left(), 1_000);
    assert!(coop::has_budget_remaining());
}

#[test]
fn a_poll_has_a_fixed_number_of_ready_operations() {
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    coop::with_budget(|| {
        for _ in 0..BUDGET {
            assert!(coop::has_budget_remaining());
            assert!(coop::charged(&mut cx, |_| Poll::Ready(())).is_ready());
        }
        assert!(!coop::has_budget_remaining());
        assert_eq!(wakes.get(), 0);
        let refused = coop::charged(&mut cx, |_| -> Poll<()> { panic!("it is not even asked") });
        assert!(refused.is_pending());
        assert_eq!(wakes.get(), 1, "the task comes again");
    });
    assert_eq!(left(), 1_000, "the budget ends with the poll");
}

#[test]
fn waiting_costs_nothing() {
    coop::with_budget(|| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1_000 {
            assert!(coop::charged(&mut cx, |_| Poll::<()>::Pending).is_pending());
        }
        assert_eq!(left(), usize::from(BUDGET));
    });
}

#[test]
fn a_charge_is_spent_only_by_progress() {
    coop::with_budget(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(charge) = coop::poll_proceed(&mut cx) else {
            panic!("the budget is fresh");
        };
        drop(charge);
        let Poll::Ready(charge) = coop::poll_proceed(&mut cx) else {
            panic!("the budget is fresh");
        };
        charge.made_progress();
        assert_eq!(left(), usize::from(BUDGET) - 1);
    });
}

#[test]
fn budgets_nest() {
    coop::with_budget(|| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..28 {
            assert!(coop::charged(&mut cx, |_| Poll::Ready(())).is_ready());
        }
        // A task that is polled inside the poll of another one, as by `block_on` in a job.
        coop::with_budget(|| assert_eq!(left(), usize::from(BUDGET)));
        coop::with_unconstrained(|| assert_eq!(left(), 1_000));
        assert_eq!(left(), usize::from(BUDGET) - 28);
    });
}

#[test]
fn a_panic_ends_the_budget_of_its_poll() {
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        coop::with_budget(|| panic!("in the poll"));
    }));
    assert!(unwound.is_err());
    assert_eq!(left(), 1_000);
}

#[test]
fn cooperative_charges_for_a_future_that_does_not() {
    let mut cx = Context::from_waker(Waker::noop());
    coop::with_budget(|| {
        assert!(
            pin!(coop::cooperative(pending::<()>()))
                .poll(&mut cx)
                .is_pending()
        );
        let mut busy = pin!(async {
            let mut count = 0;
            loop {
                coop::cooperative(ready(())).await;
                count += 1;
                if count == 1_000 {
                    return count;
                }
            }
        });
        assert!(busy.as_mut().poll(&mut cx).is_pending());
        let mut polls = 1;
        let count = loop {
            polls += 1;
            if let Poll::Ready(count) = coop::with_budget(|| busy.as_mut().poll(&mut cx)) {
                break count;
            }
        };
        assert_eq!((count, polls), (1_000, 8));
    });
}
