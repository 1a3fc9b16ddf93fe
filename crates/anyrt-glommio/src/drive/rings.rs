//! Glommio's rings, in which a shard waits.

#[cfg(anyrt_loom)]
pub(super) use model::Rings;
#[cfg(not(anyrt_loom))]
pub(super) use real::Rings;

#[cfg(not(anyrt_loom))]
mod real {
    use std::os::fd::OwnedFd;
    use std::sync::Arc;

    use glommio::io::PollableFd;

    use crate::epoll::Epoll;

    /// The rings of the executor on this thread, for one epoll.
    pub(in crate::drive) struct Rings(PollableFd<Arc<OwnedFd>>);

    impl Rings {
        pub(in crate::drive) fn new(epoll: &Arc<Epoll>) -> Self {
            match PollableFd::new(epoll.fd()) {
                Ok(epoll) => Self(epoll),
                Err(_) => unreachable!("the driver runs inside its executor"),
            }
        }

        /// Waits until the epoll is readable.
        pub(in crate::drive) async fn wait(&self) {
            // On an error the poll was not queued, and the next iteration checks the epoll itself.
            let _ = self.0.readable().await;
        }
    }
}

#[cfg(anyrt_loom)]
mod model {
    use std::sync::Arc;

    use crate::epoll::Epoll;

    pub(in crate::drive) struct Rings(Arc<Epoll>);

    impl Rings {
        pub(in crate::drive) fn new(epoll: &Arc<Epoll>) -> Self {
            Self(Arc::clone(epoll))
        }

        pub(in crate::drive) async fn wait(&self) {
            self.0.await_readable();
        }
    }
}
