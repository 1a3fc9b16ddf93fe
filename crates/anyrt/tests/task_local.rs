//! Values that belong to a task.

use std::cell::{Cell, RefCell};
use std::pin::pin;

use anyrt::task::futures::TaskLocalFuture;
use anyrt::task::{LocalKey, yield_now};

anyrt::task_local! {
    static NUMBER: u32;
    static LOG: RefCell<Vec<u32>>;
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_task_has_its_own() {
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            anyrt::spawn(NUMBER.scope(number, async move {
                for _ in 0..5 {
                    assert_eq!(NUMBER.get(), number);
                    yield_now().await;
                }
                NUMBER.with(|number| number * 2)
            }))
        })
        .collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap(), number * 2);
    }
    assert!(NUMBER.try_with(|_| ()).is_err());
    assert!(NUMBER.try_get().is_err());
}

#[anyrt::test]
async fn scopes_nest_and_end() {
    NUMBER
        .scope(1, async {
            assert_eq!(NUMBER.scope(2, async { NUMBER.get() }).await, 2);
            assert_eq!(NUMBER.sync_scope(3, || NUMBER.get()), 3);
            assert_eq!(NUMBER.get(), 1);
            // A task that is spawned inside does not inherit the value.
            assert!(
                anyrt::spawn(async { NUMBER.try_get().is_err() })
                    .await
                    .unwrap()
            );
        })
        .await;
    let error = NUMBER.try_get().unwrap_err();
    assert_eq!(error.to_string(), "task-local value not set");
}

#[anyrt::test]
async fn the_value_can_be_taken_afterwards() {
    let key: &'static LocalKey<_> = &LOG;
    let scope: TaskLocalFuture<_, _> = key.scope(RefCell::new(vec![1]), async {
        LOG.with(|log| log.borrow_mut().push(2));
        yield_now().await;
        LOG.with(|log| log.borrow_mut().push(3));
    });
    let mut scope = pin!(scope);
    scope.as_mut().await;
    assert_eq!(scope.take_value().unwrap().into_inner(), [1, 2, 3]);
}

#[anyrt::test]
async fn a_local_task_has_them_too() {
    let local = anyrt::task::LocalSet::new();
    let seen = std::rc::Rc::new(Cell::new(0));
    let out = std::rc::Rc::clone(&seen);
    local.spawn_local(NUMBER.scope(9, async move { out.set(NUMBER.get()) }));
    local.await;
    assert_eq!(seen.get(), 9);
}
