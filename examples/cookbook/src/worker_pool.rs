//! A fixed number of workers that take jobs from one queue.
//!
//! Use it when each worker holds something costly, such as a connection. Otherwise a semaphore and
//! `spawn` are simpler.
//! What guides miss: `while let Some(job) = queue.lock().await.recv().await` keeps the lock while
//! the job runs, so the workers take turns; a panic in a job ends its worker, and the pool silently
//! shrinks.

use std::sync::Arc;

use anyrt::sync::{Barrier, Mutex, mpsc, oneshot};
use anyrt::task::JoinSet;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let pool = WorkerPool::new(4, 16);

    let mut answers = Vec::new();
    for number in 0..100_u64 {
        answers.push(pool.submit(async move { number * number }).await?);
    }
    let mut sum = 0;
    for answer in answers {
        sum += answer.await?;
    }
    assert_eq!(sum, 328_350);

    // Four jobs that wait for each other, which proves that the workers run at the same time.
    let meeting = Arc::new(Barrier::new(4));
    let mut met = Vec::new();
    for _ in 0..4 {
        let meeting = Arc::clone(&meeting);
        met.push(
            pool.submit(async move { meeting.wait().await.is_leader() })
                .await?,
        );
    }
    let mut leaders = 0;
    for answer in met {
        leaders += u32::from(answer.await?);
    }
    assert_eq!(leaders, 1);

    // A job that panics affects no other job. Its caller gets an error.
    let failed = pool
        .submit(async { assert_eq!(1, 2, "the job panics") })
        .await?;
    assert!(failed.await.is_err());
    assert_eq!(pool.close().await, 4);
    println!("worker_pool: the squares add up to {sum}, 4 jobs met, 4 workers left after a panic");
    Ok(())
}

type Job = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

// ANCHOR: pool
struct WorkerPool {
    queue: mpsc::Sender<Job>,
    workers: JoinSet<()>,
}

impl WorkerPool {
    fn new(workers: usize, waiting: usize) -> Self {
        let (queue, jobs) = mpsc::channel::<Job>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut set = JoinSet::new();
        for _ in 0..workers {
            let jobs = Arc::clone(&jobs);
            set.spawn(async move {
                loop {
                    // A separate statement, so that the guard is dropped before the job runs.
                    let job = jobs.lock().await.recv().await;
                    let Some(job) = job else { return };
                    // In a separate task, so that a panic does not end the worker.
                    let _ = anyrt::spawn(job).await;
                }
            });
        }
        Self {
            queue,
            workers: set,
        }
    }

    /// Queues the job, and waits while the queue is full. The receiver fails if the job panics.
    async fn submit<T, F>(&self, job: F) -> anyhow::Result<oneshot::Receiver<T>>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::pin(async move { drop(reply.send(job.await)) });
        self.queue
            .send(job)
            .await
            .map_err(|_| anyhow::anyhow!("the pool is closed"))?;
        Ok(answer)
    }

    /// Lets the workers finish all queued jobs. Returns how many workers ended without a panic.
    async fn close(mut self) -> usize {
        drop(self.queue);
        let mut ended = 0;
        while let Some(worker) = self.workers.join_next().await {
            ended += usize::from(worker.is_ok());
        }
        ended
    }
}
// ANCHOR_END: pool
