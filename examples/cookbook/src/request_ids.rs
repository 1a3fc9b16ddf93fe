//! Gives each request an id that every function below can read, without passing it as an argument.
//!
//! Use a task-local for what belongs to a request: its id, its tenant, its deadline. Never for what
//! changes the result.
//! What guides miss: a thread-local does not follow a task from worker to worker; a task-local does
//! not follow `spawn`, so it must be passed to the child.

use anyrt::task::JoinSet;

anyrt::task_local! {
    static REQUEST: u64;
}

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: scope
    let mut requests = JoinSet::new();
    for id in 1..=20 {
        requests.spawn(REQUEST.scope(id, handle()));
    }
    let logs = requests.join_all().await;
    for id in 1..=20 {
        let log = format!("[{id}] begin, [{id}] query, [{id}] audit, [none] bare");
        assert!(logs.contains(&log), "{log} is not in {logs:?}");
    }
    // Outside a scope there is none.
    assert!(REQUEST.try_with(|_| ()).is_err());
    // ANCHOR_END: scope
    println!("request_ids: {}", logs[0]);
    Ok(())
}

// ANCHOR: handle
async fn handle() -> String {
    let mut log = vec![line("begin")];
    log.push(query().await);
    // A spawned task starts without one, and gets the value by its own scope.
    let audit = anyrt::spawn(with_request(async { line("audit") }));
    let bare = anyrt::spawn(async { line("bare") });
    log.push(audit.await.expect("it does not panic"));
    log.push(bare.await.expect("it does not panic"));
    log.join(", ")
}

async fn query() -> String {
    // The task may be on another worker afterwards, and still has its id.
    anyrt::task::yield_now().await;
    line("query")
}

/// Carries the caller's request id into `future`, which is to be spawned.
fn with_request<F: Future>(future: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(REQUEST.get(), future)
}

fn line(text: &str) -> String {
    match REQUEST.try_get() {
        Ok(id) => format!("[{id}] {text}"),
        Err(_) => format!("[none] {text}"),
    }
}
// ANCHOR_END: handle
