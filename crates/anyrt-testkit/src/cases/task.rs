//! Tasks: joining, detaching, ids.

use anyrt_core::Runtime;

use crate::Gate;
use crate::case::cases;

cases! {
    async a_task_gives_its_value;
    async dropping_the_handle_detaches_the_task;
}

async fn a_task_gives_its_value<R: Runtime>(rt: R) {
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn dropping_the_handle_detaches_the_task<R: Runtime>(rt: R) {
    let (go, done) = (Gate::new(), Gate::new());
    let (wait, tell) = (go.clone(), done.clone());
    drop(rt.spawn(async move {
        wait.wait().await;
        tell.open();
    }));
    go.open();
    done.wait().await;
}
