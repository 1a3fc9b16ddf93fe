//! Panics: each stays inside its task.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use anyrt_core::Runtime;
use anyrt_core::task::{AbortHandle, JoinHandle, yield_now};
use futures_util::future::join_all;

use crate::case::cases;
use crate::{Bomb, DropFlag, Gate, on_thread, panic_on_purpose, settle};

cases! {
    async a_panic_is_an_error_with_its_str;
    async a_panic_is_an_error_with_its_string;
    async a_panic_is_an_error_with_its_own_payload;
    async the_error_of_a_panic_is_not_cancelled_and_tells_the_message;
    async a_panic_leaves_all_other_tasks_alone;
    async a_hundred_panics_leave_the_workers_alive;
    async a_panic_in_a_detached_task_harms_nobody;
    async a_panic_after_an_await_is_an_error;
    async a_panicking_task_drops_its_future;
    async a_panicking_task_is_finished;
    async a_panic_in_a_destructor_after_the_value_is_an_error;
    async a_panic_in_a_destructor_while_aborting_is_an_error;
    async a_panic_in_a_poll_while_aborting_is_an_error;
    async a_panic_in_the_destructor_of_a_detached_value_harms_nobody;
    async dropping_the_handle_of_a_value_whose_destructor_panics_does_not_panic;
    async a_panic_while_a_panicking_future_is_dropped_is_the_first_panic;
    async a_panicking_waker_user_does_not_poison_the_runtime;
}

async fn a_panic_is_an_error_with_its_str<R: Runtime>(rt: R) {
    let error = rt.spawn(async { panic_on_purpose("boom") }).await;
    let payload = error.unwrap_err().into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
}

async fn a_panic_is_an_error_with_its_string<R: Runtime>(rt: R) {
    let error = rt.spawn(async { panic_on_purpose(format!("boom {}", 7)) });
    let payload = error.await.unwrap_err().into_panic();
    assert_eq!(*payload.downcast::<String>().unwrap(), "boom 7");
}

async fn a_panic_is_an_error_with_its_own_payload<R: Runtime>(rt: R) {
    struct Payload(u32);
    let error = rt.spawn(async { panic_on_purpose(Payload(7)) }).await;
    let payload = error.unwrap_err().try_into_panic().unwrap();
    assert_eq!(payload.downcast::<Payload>().unwrap().0, 7);
}

async fn the_error_of_a_panic_is_not_cancelled_and_tells_the_message<R: Runtime>(rt: R) {
    let error = rt.spawn(async { panic_on_purpose("boom") }).await;
    let error = error.unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(error.to_string().contains("boom"), "{error}");
    assert!(format!("{error:?}").contains("boom"), "{error:?}");
}

async fn a_panic_leaves_all_other_tasks_alone<R: Runtime>(rt: R) {
    let go = Gate::new();
    let tasks = (0..100).map(|number| {
        let go = go.clone();
        rt.spawn(async move {
            go.wait().await;
            if number == 50 {
                panic_on_purpose("one of many");
            }
            yield_now().await;
            number
        })
    });
    let tasks: Vec<_> = tasks.collect();
    go.open();
    for (number, joined) in join_all(tasks).await.into_iter().enumerate() {
        match number {
            50 => assert!(joined.unwrap_err().is_panic()),
            _ => assert_eq!(joined.unwrap(), number),
        }
    }
}

async fn a_hundred_panics_leave_the_workers_alive<R: Runtime>(rt: R) {
    for _ in 0..100 {
        let panicked = rt.spawn(async { panic_on_purpose("boom") }).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
    }
}

async fn a_panic_in_a_detached_task_harms_nobody<R: Runtime>(rt: R) {
    for _ in 0..100 {
        let (flag, dropped) = DropFlag::new();
        drop(rt.spawn(async move {
            let _flag = flag;
            panic_on_purpose("unheard")
        }));
        dropped.wait().await;
    }
    settle(&rt).await;
}

async fn a_panic_after_an_await_is_an_error<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        yield_now().await;
        panic_on_purpose("late")
    });
    assert!(task.await.unwrap_err().is_panic());
}

async fn a_panicking_task_drops_its_future<R: Runtime>(rt: R) {
    // A field, which is dropped with the task. Unwinding would drop a local of an async block.
    struct Panics {
        _flag: DropFlag,
    }
    impl Future for Panics {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic_on_purpose("boom")
        }
    }
    let (flag, dropped) = DropFlag::new();
    let joined = rt.spawn(Panics { _flag: flag }).await;
    assert!(joined.unwrap_err().is_panic());
    assert!(dropped.is_dropped());
}

async fn a_panicking_task_is_finished<R: Runtime>(rt: R) {
    let task = rt.spawn(async { panic_on_purpose("boom") });
    let abort = task.abort_handle();
    while !task.is_finished() {
        yield_now().await;
    }
    assert!(abort.is_finished());
    abort.abort();
    assert!(task.await.unwrap_err().is_panic());
}

async fn a_panic_in_a_destructor_after_the_value_is_an_error<R: Runtime>(rt: R) {
    struct Ready {
        _bomb: Bomb,
    }
    impl Future for Ready {
        type Output = u32;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
            Poll::Ready(7)
        }
    }
    let error = rt.spawn(Ready { _bomb: Bomb }).await.unwrap_err();
    assert!(error.is_panic());
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn a_panic_in_a_destructor_while_aborting_is_an_error<R: Runtime>(rt: R) {
    let started = Gate::new();
    let tell = started.clone();
    let task = rt.spawn(async move {
        let _bomb = Bomb;
        tell.open();
        std::future::pending::<()>().await;
    });
    started.wait().await;
    task.abort();
    let payload = task.await.unwrap_err().into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"bomb"));
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn a_panic_in_a_poll_while_aborting_is_an_error<R: Runtime>(rt: R) {
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let task = rt.spawn(async move {
        tell.open();
        wait.wait_blocking();
        panic_on_purpose("while aborting")
    });
    let abort = task.abort_handle();
    on_thread(move || {
        started.wait_blocking();
        abort.abort();
        go.open();
    })
    .await;
    let error: anyrt_core::JoinError = match task.await {
        Ok(never) => never,
        Err(error) => error,
    };
    assert!(error.is_panic());
}

async fn a_panic_in_the_destructor_of_a_detached_value_harms_nobody<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let (go, (flag, dropped)) = (Gate::new(), DropFlag::new());
        let wait = go.clone();
        drop(rt.spawn(async move {
            wait.wait().await;
            (Bomb, flag)
        }));
        go.open();
        dropped.wait().await;
    }
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn dropping_the_handle_of_a_value_whose_destructor_panics_does_not_panic<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async { (Bomb, flag) });
    while !task.is_finished() {
        yield_now().await;
    }
    drop(task);
    // The rest of the value is dropped nevertheless.
    dropped.wait().await;
}

async fn a_panic_while_a_panicking_future_is_dropped_is_the_first_panic<R: Runtime>(rt: R) {
    struct Panics {
        _bomb: Bomb,
    }
    impl Future for Panics {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic_on_purpose("poll")
        }
    }
    let error = rt.spawn(Panics { _bomb: Bomb }).await.unwrap_err();
    let payload = error.into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"poll"));
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn a_panicking_waker_user_does_not_poison_the_runtime<R: Runtime>(rt: R) {
    // The task panics after it has woken itself: the runtime must not poll it again.
    let polls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&polls);
    let task = rt.spawn(poll_fn(move |cx| {
        seen.fetch_add(1, Ordering::SeqCst);
        cx.waker().wake_by_ref();
        panic_on_purpose("after the wake")
    }));
    let joined: Result<(), _> = task.await;
    assert!(joined.unwrap_err().is_panic());
    settle(&rt).await;
    assert_eq!(polls.load(Ordering::SeqCst), 1);
}
