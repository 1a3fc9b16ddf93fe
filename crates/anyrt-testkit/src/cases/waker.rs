//! Wakers: any number, on any thread, at any time.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use anyrt_core::Runtime;
use anyrt_core::task::{JoinHandle, yield_now};

use super::peer::start_thread;
use crate::case::cases;
use crate::{DropFlag, Gate, on_thread, settle};

cases! {
    async a_plain_thread_wakes_a_task;
    async a_plain_thread_wakes_block_on;
    async a_task_may_wake_itself_inside_its_poll;
    async a_wake_during_the_poll_is_not_lost;
    async many_wakes_before_a_poll_are_one_poll;
    async forty_thousand_clones_of_a_waker_are_fine;
    async forty_thousand_wakes_from_a_plain_thread_are_fine;
    async a_waker_outlives_its_task;
    async the_last_waker_may_be_dropped_on_a_plain_thread;
    async a_waker_that_is_kept_does_not_keep_the_future;
    async wakers_of_one_task_will_wake_each_other;
    async a_waker_from_an_aborted_task_does_nothing;
}

/// A future that passes its waker on and is ready after `polls` further polls.
fn leak_waker(slot: Arc<Mutex<Option<Waker>>>, polls: usize) -> impl Future<Output = usize> + Send {
    let mut count = 0;
    poll_fn(move |cx| {
        *slot.lock().unwrap() = Some(cx.waker().clone());
        count += 1;
        if count > polls {
            Poll::Ready(count)
        } else {
            Poll::Pending
        }
    })
}

async fn taken(slot: &Mutex<Option<Waker>>) -> Waker {
    loop {
        if let Some(waker) = slot.lock().unwrap().take() {
            return waker;
        }
        yield_now().await;
    }
}

async fn a_plain_thread_wakes_a_task<R: Runtime>(rt: R) {
    let slot = Arc::default();
    let task = rt.spawn(leak_waker(Arc::clone(&slot), 3));
    for _ in 0..3 {
        let waker = taken(&slot).await;
        on_thread(move || waker.wake()).await;
    }
    assert_eq!(task.await.unwrap(), 4);
}

async fn a_plain_thread_wakes_block_on<R: Runtime>(_rt: R) {
    for _ in 0..100 {
        let gate = Gate::new();
        let opener = gate.clone();
        let thread = start_thread(move || opener.open());
        gate.wait().await;
        thread.join().await;
    }
}

async fn a_task_may_wake_itself_inside_its_poll<R: Runtime>(rt: R) {
    let mut left = 1_000;
    let task = rt.spawn(poll_fn(move |cx| {
        left -= 1;
        if left == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        let by_value = cx.waker().clone();
        by_value.wake();
        Poll::Pending
    }));
    task.await.unwrap();
}

async fn a_wake_during_the_poll_is_not_lost<R: Runtime>(rt: R) {
    for _ in 0..50 {
        let mut polled = false;
        let task = rt.spawn(poll_fn(move |cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            // Joined inside the poll, so another thread wakes the task while it is running.
            std::thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Pending
        }));
        task.await.unwrap();
    }
}

async fn many_wakes_before_a_poll_are_one_poll<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let (seen, go) = (Arc::clone(&polls), Gate::new());
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (wakers, started) = (Arc::clone(&slot), go.clone());
    let task = rt.spawn_local(poll_fn(move |cx| {
        *wakers.lock().unwrap() = Some(cx.waker().clone());
        seen.fetch_add(1, Ordering::SeqCst);
        started.open();
        Poll::<()>::Pending
    }));
    go.wait().await;
    let waker = taken(&slot).await;
    // The task is on this thread, so it cannot be polled between these wakes.
    for _ in 0..1_000 {
        waker.wake_by_ref();
    }
    settle(&rt).await;
    assert_eq!(polls.load(Ordering::SeqCst), 2);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

async fn forty_thousand_clones_of_a_waker_are_fine<R: Runtime>(rt: R) {
    // More than an `i16` can count.
    let task = rt.spawn(poll_fn(|cx| {
        let wakers: Vec<_> = (0..40_000).map(|_| cx.waker().clone()).collect();
        Poll::Ready(wakers.len())
    }));
    assert_eq!(task.await.unwrap(), 40_000);
}

async fn forty_thousand_wakes_from_a_plain_thread_are_fine<R: Runtime>(rt: R) {
    let mut woken = false;
    let task = rt.spawn(poll_fn(move |cx| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        // The task is inside its poll while it is woken.
        std::thread::spawn(move || {
            for _ in 0..40_000 {
                waker.wake_by_ref();
                let by_value = waker.clone();
                by_value.wake();
            }
        })
        .join()
        .unwrap();
        Poll::Pending
    }));
    task.await.unwrap();
}

async fn a_waker_outlives_its_task<R: Runtime>(rt: R) {
    let slot = Arc::default();
    let polls = Arc::new(AtomicUsize::new(0));
    let (mut inner, seen) = (
        Box::pin(leak_waker(Arc::clone(&slot), 0)),
        Arc::clone(&polls),
    );
    let task = rt.spawn(poll_fn(move |cx| {
        seen.fetch_add(1, Ordering::SeqCst);
        inner.as_mut().poll(cx)
    }));
    task.await.unwrap();
    let waker = taken(&slot).await;
    waker.wake_by_ref();
    let by_value = waker.clone();
    by_value.wake();
    on_thread(move || waker.wake()).await;
    settle(&rt).await;
    assert_eq!(polls.load(Ordering::SeqCst), 1);
}

async fn the_last_waker_may_be_dropped_on_a_plain_thread<R: Runtime>(rt: R) {
    // The handle and the waker are dropped on different threads: neither may free the task too
    // early.
    for _ in 0..200 {
        let slot = Arc::default();
        let task = rt.spawn(leak_waker(Arc::clone(&slot), 0));
        let waker = taken(&slot).await;
        let thread = std::thread::spawn(move || drop(waker));
        drop(task);
        on_thread(move || thread.join().unwrap()).await;
    }
}

async fn a_waker_that_is_kept_does_not_keep_the_future<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
    let inner = leak_waker(Arc::clone(&slot), 0);
    let task = rt.spawn(async move {
        let _flag = flag;
        inner.await
    });
    task.await.unwrap();
    assert!(dropped.is_dropped());
    assert!(slot.lock().unwrap().is_some());
}

async fn wakers_of_one_task_will_wake_each_other<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let first = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        yield_now().await;
        let second = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        first.will_wake(&second) && second.will_wake(&first)
    });
    assert!(task.await.unwrap(), "waiting twice would register twice");
}

async fn a_waker_from_an_aborted_task_does_nothing<R: Runtime>(rt: R) {
    let slot = Arc::default();
    let task = rt.spawn(leak_waker(Arc::clone(&slot), usize::MAX));
    let waker = taken(&slot).await;
    assert!(task.cancel().await.unwrap_err().is_cancelled());
    waker.wake_by_ref();
    on_thread(move || waker.wake()).await;
    settle(&rt).await;
}
