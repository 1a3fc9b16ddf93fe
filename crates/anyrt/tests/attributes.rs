//! The expansion of `#[anyrt::test]` and `#[anyrt::main]`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::thread;

use anyrt::runtime::{Backend, Handle};

#[anyrt::test]
async fn each_backend_has_a_test_of_its_name() {
    let thread = thread::current()
        .name()
        .map(str::to_owned)
        .unwrap_or_default();
    let backend = Handle::current().backend();
    let expected = format!("each_backend_has_a_test_of_its_name on {backend}");
    assert!(thread.ends_with(&expected), "{thread}");
}

#[anyrt::test]
async fn a_test_may_give_a_result() -> io::Result<()> {
    anyrt::spawn(async {}).await?;
    Ok(())
}

#[anyrt::test]
#[should_panic(expected = "the reason")]
async fn an_error_is_a_failure() -> Result<(), Box<dyn std::error::Error>> {
    Err("the reason".into())
}

#[anyrt::test]
async fn a_test_may_give_an_exit_code() -> ExitCode {
    ExitCode::SUCCESS
}

#[anyrt::test]
#[should_panic(expected = "ExitCode")]
async fn an_exit_code_of_failure_is_a_failure() -> Result<ExitCode, io::Error> {
    Ok(ExitCode::FAILURE)
}

#[anyrt::test]
#[should_panic(expected = "on purpose")]
async fn a_panic_is_a_failure_with_its_message() {
    panic!("on purpose");
}

#[anyrt::test(timeout_secs = 1)]
#[should_panic(expected = "has not ended after 1s")]
async fn what_never_ends_is_a_failure() {
    pending::<()>().await;
}

#[anyrt::test(timeout_secs = 1)]
#[should_panic(expected = "has not ended after 1s")]
async fn what_blocks_its_thread_is_a_failure() {
    thread::park();
}

#[anyrt::test]
#[ignore = "to show that it can be"]
async fn attributes_reach_the_tests() {
    panic!("it is ignored");
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_threads_are_given() {
    let here = thread::current().id();
    let there = anyrt::spawn(async { thread::current().id() }).await;
    assert_ne!(there.ok(), Some(here));
}

#[anyrt::test(flavor = "current_thread")]
async fn on_the_current_thread_tasks_run_here() {
    let here = thread::current().id();
    let there = anyrt::spawn(async { thread::current().id() }).await;
    assert_eq!(there.ok(), Some(here));
}

#[anyrt::test(backend = ["smol", "async-std"])]
async fn backends_can_be_chosen() {
    let backend = Handle::current().backend();
    assert!(matches!(backend, Backend::Smol | Backend::AsyncStd));
}

mod elsewhere {
    pub(super) use anyrt as under_another_name;
}

#[anyrt::test(crate = "elsewhere::under_another_name")]
async fn the_path_of_the_crate_may_be_a_relative_one() {
    anyrt::task::yield_now().await;
}

#[anyrt::test(crate = "anyrt")]
async fn the_crate_can_be_named() {}

/// `#[anyrt::main]` without a backend is a compile error.
#[cfg(any(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
))]
mod programs {
    use std::sync::Mutex;

    use super::*;

    static RAN: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    #[anyrt::main]
    async fn entered() -> u32 {
        RAN.lock().unwrap().push("entered");
        anyrt::spawn(async { 7 }).await.unwrap()
    }

    #[anyrt::main(flavor = "current_thread")]
    async fn entered_on_this_thread() -> Result<(), String> {
        RAN.lock().unwrap().push("entered_on_this_thread");
        anyrt::task::yield_now().await;
        Err("an error".to_owned())
    }

    #[test]
    fn a_main_function_runs_and_gives_what_it_gives() {
        assert_eq!(entered(), 7);
        assert_eq!(entered_on_this_thread(), Err("an error".to_owned()));
        assert_eq!(*RAN.lock().unwrap(), ["entered", "entered_on_this_thread"]);
    }

    #[anyrt::test(name = "ingest")]
    async fn the_runtime_can_be_named() {
        assert_eq!(Handle::current().name(), Some("ingest"));
    }

    #[anyrt::test(flavor = "local")]
    async fn on_a_local_runtime_tasks_need_not_be_send() {
        let shared = std::rc::Rc::new(7);
        let task = anyrt::task::spawn_local(async move { *shared });
        assert_eq!(task.await.ok(), Some(7));
    }

    #[anyrt::main(name = "sum", worker_threads = 1)]
    async fn sum<'a, T>(numbers: &'a [T], mut start: T) -> (T, &'a str)
    where
        T: Copy + std::ops::AddAssign,
    {
        for number in numbers {
            start += *number;
            anyrt::task::yield_now().await;
        }
        let name = Handle::current().name().map(str::len);
        (start, if name == Some(3) { "named" } else { "nameless" })
    }

    #[anyrt::main(flavor = "local")]
    async fn even(numbers: Vec<u32>) -> impl Iterator<Item = u32> {
        let kept = anyrt::task::spawn_local(async move {
            let kept = std::rc::Rc::new(numbers);
            anyrt::task::yield_now().await;
            kept.iter()
                .copied()
                .filter(|n| n % 2 == 0)
                .collect::<Vec<_>>()
        });
        kept.await.unwrap().into_iter()
    }

    #[anyrt::main]
    async fn never() -> ! {
        panic!("on purpose")
    }

    struct Counter(u32);

    impl Counter {
        #[anyrt::main(flavor = "current_thread")]
        async fn count(&mut self) -> Result<u32, std::num::ParseIntError> {
            let one: u32 = "1".parse()?;
            self.0 += one;
            Ok(self.0)
        }
    }

    #[test]
    fn a_function_takes_what_it_took() {
        assert_eq!(sum(&[1, 2, 3], 4), (10, "named"));
        assert!(even(vec![1, 2, 3, 4]).eq([2, 4]));
        let mut counter = Counter(1);
        assert_eq!(counter.count(), Ok(2));
        assert!(std::panic::catch_unwind(|| never()).is_err());
    }
}
