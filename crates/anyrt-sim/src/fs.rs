//! Files, which a simulated node does not have yet: every operation fails and says so.

use std::future::{Future, Ready};
use std::io;
use std::sync::Arc;

use anyrt_kit::fs::{self, Buf, Reply, Request};

use crate::runtime::SimRuntime;

/// An open file.
pub type File = fs::File<Disk>;

/// A file whose operations fail.
pub fn from_std(std: std::fs::File, home: Option<SimRuntime>) -> File {
    File::new(std, Disk { home })
}

/// The error of what would touch a disk.
///
/// # Errors
/// Always.
pub fn refuse<T>(rt: &SimRuntime) -> io::Result<T> {
    Err(rt.unsupported("files, which are not simulated yet; a blocking job that calls `std::fs` reaches the real disk"))
}

/// Refuses the operations of a file.
#[derive(Debug)]
pub struct Disk {
    home: Option<SimRuntime>,
}

impl Disk {
    fn refuse<T>(&self) -> io::Result<T> {
        match SimRuntime::try_current().as_ref().or(self.home.as_ref()) {
            Some(rt) => refuse(rt),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fs::Disk for Disk {
    type Job = Ready<io::Result<Reply>>;

    fn start(&self, _: Arc<std::fs::File>, _: Request, _: Buf) -> io::Result<Self::Job> {
        self.refuse()
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync {
        drop(job);
        let refused = self.refuse::<()>();
        async move {
            refused?;
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn share(&self) -> Self {
        Self {
            home: self.home.clone(),
        }
    }
}
