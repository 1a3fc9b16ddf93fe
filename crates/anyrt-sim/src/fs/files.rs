//! The file system of a node, for its program.

use std::fs::{DirBuilder, DirEntry, Metadata, OpenOptions, Permissions};
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::task::Poll;

use super::file::submit_once;
use super::queue::{Doing, What, submit};
use super::resolve::Last;
use super::store::Store;
use crate::runtime::SimRuntime;

/// The file system of a node. The functions are those of [`std::fs`]; each takes virtual time.
///
/// A started operation takes place even if its future is dropped, unless the node crashes first. A
/// crash may interrupt an operation of several steps, such as
/// [`remove_dir_all`](Self::remove_dir_all).
#[derive(Debug, Clone)]
pub struct Files {
    rt: SimRuntime,
}

impl SimRuntime {
    /// Returns the file system of the node.
    pub fn files(&self) -> Files {
        Files { rt: self.clone() }
    }
}

/// Functions that consist of one step.
macro_rules! of_one_step {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $what:ident $store:ident => $job:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// Fails like the function of that name in [`std::fs`], and as
        /// [`DiskFaults`](crate::DiskFaults) say.
        pub fn $name(
            &self,
            $($argument: $type),*
        ) -> impl Future<Output = io::Result<$result>> + Send + Sync + use<> {
            submit_once(&self.rt, What::$what, move |doing| {
                let $store: &mut Store = doing.store;
                $job
            })
        }
    )*};
}

impl Files {
    of_one_step! {
        /// Returns the path with symbolic links, `.` and `..` resolved.
        canonicalize(path: PathBuf) -> PathBuf = Look store => store.canonicalize(&path);
        /// Creates a directory.
        create_dir(path: PathBuf) -> () = Write store => store.create_directory(&path, &DirBuilder::new());
        /// Returns the metadata, following symbolic links.
        metadata(path: PathBuf) -> Metadata = Look store => store.metadata(&path, Last::Follow);
        /// Returns the metadata without following a symbolic link at the end of the path.
        symlink_metadata(path: PathBuf) -> Metadata = Look store => store.metadata(&path, Last::Keep);
        /// Reads a file.
        read(path: PathBuf) -> Vec<u8> = Read store => store.read(&path);
        /// Returns the target of a symbolic link.
        read_link(path: PathBuf) -> PathBuf = Look store => store.read_link(&path);
        /// Removes an empty directory.
        remove_dir(path: PathBuf) -> () = Write store => store.remove_directory(&path);
        /// Returns `true` if the path exists.
        try_exists(path: PathBuf) -> bool = Look store => store.try_exists(&path);
        /// Renames a file or a directory.
        rename(from: PathBuf, to: PathBuf) -> () = Write store => store.rename(&from, &to);
        /// Creates a hard link.
        hard_link(original: PathBuf, link: PathBuf) -> () = Write store => store.hard_link(&original, &link);
        /// Creates a symbolic link.
        symlink(target: PathBuf, link: PathBuf) -> () = Write store => store.symlink(&target, &link);
        /// Changes the permissions.
        set_permissions(path: PathBuf, permissions: Permissions) -> () = Write store => store.set_permissions(&path, permissions);
        /// Opens a file or a directory. Pass the result to [`from_std`](super::from_std).
        open(path: PathBuf, options: OpenOptions) -> std::fs::File = Look store => {
            let wish = store.wish(&options)?;
            store.open(&path, &options, wish)
        };
    }

    /// Removes a file, or the path of a Unix socket.
    ///
    /// # Errors
    /// See [`std::fs::remove_file`] and [`DiskFaults`](crate::DiskFaults).
    pub fn remove_file(
        &self,
        path: PathBuf,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + use<> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let rt = self.rt.clone();
        submit_once(&self.rt, What::Write, move |doing| {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            if rt.remove_unix_path(&path) {
                return Ok(());
            }
            doing.store.remove_file(&path)
        })
    }

    /// Returns the entries of a directory in an order that the seed chooses. [`DirEntry::path`]
    /// returns a real path.
    ///
    /// # Errors
    /// See [`std::fs::read_dir`] and [`DiskFaults`](crate::DiskFaults).
    pub fn read_dir(
        &self,
        path: PathBuf,
    ) -> impl Future<Output = io::Result<Vec<DirEntry>>> + Send + Sync + use<> {
        submit_once(&self.rt, What::Read, move |doing| {
            doing.store.read_directory(&path, doing.random)
        })
    }

    /// Runs a job that examines a result, such as a [`DirEntry`].
    ///
    /// # Errors
    /// Returns the error of the job.
    pub fn look<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync {
        submit_once(&self.rt, What::Look, |_| job())
    }

    /// Reads a file, which must be UTF-8.
    ///
    /// # Errors
    /// See [`std::fs::read_to_string`] and [`DiskFaults`](crate::DiskFaults).
    pub fn read_to_string(
        &self,
        path: PathBuf,
    ) -> impl Future<Output = io::Result<String>> + Send + Sync + use<> {
        let read = self.read(path);
        async move {
            let not_text = |_| {
                let text = "stream did not contain valid UTF-8";
                io::Error::new(io::ErrorKind::InvalidData, text)
            };
            String::from_utf8(read.await?).map_err(not_text)
        }
    }

    /// Creates a directory and its missing parents, one per step.
    ///
    /// # Errors
    /// See [`std::fs::create_dir_all`] and [`DiskFaults`](crate::DiskFaults).
    pub fn create_dir_all(
        &self,
        path: PathBuf,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + use<> {
        self.build_dir(path, DirBuilder::new(), true)
    }

    /// Like [`create_dir`](Self::create_dir), or [`create_dir_all`](Self::create_dir_all) if
    /// `recursive`, with the permissions of `builder`.
    ///
    /// # Errors
    /// See there.
    pub fn build_dir(
        &self,
        path: PathBuf,
        builder: DirBuilder,
        recursive: bool,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + use<> {
        submit(&self.rt, What::Write, move |doing| match recursive {
            true => stepped(doing.store.create_directory_above(&path, &builder)),
            false => Poll::Ready(doing.store.create_directory(&path, &builder)),
        })
    }

    /// Removes a directory and its contents, one entry per step.
    ///
    /// # Errors
    /// See [`std::fs::remove_dir_all`] and [`DiskFaults`](crate::DiskFaults).
    pub fn remove_dir_all(
        &self,
        path: PathBuf,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + use<> {
        submit(&self.rt, What::Write, move |doing| {
            stepped(doing.store.remove_one_of(&path, doing.random))
        })
    }

    /// Creates or truncates a file, then writes to it.
    ///
    /// # Errors
    /// See [`std::fs::write`] and [`DiskFaults`](crate::DiskFaults).
    pub fn write(
        &self,
        path: PathBuf,
        contents: Vec<u8>,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + use<> {
        let mut open = None;
        submit(&self.rt, What::Write, move |doing| match open.take() {
            None => match create(doing, &path) {
                Ok(file) => {
                    open = Some(file);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            },
            Some(file) => Poll::Ready(fill(doing, &file, &contents)),
        })
    }

    /// Copies the contents and the permissions of a file. Returns the number of bytes.
    ///
    /// # Errors
    /// See [`std::fs::copy`] and [`DiskFaults`](crate::DiskFaults).
    pub fn copy(
        &self,
        from: PathBuf,
        to: PathBuf,
    ) -> impl Future<Output = io::Result<u64>> + Send + Sync + use<> {
        let mut open = None;
        submit(&self.rt, What::Write, move |doing| match open.take() {
            None => match open_both(doing, &from, &to) {
                Ok(files) => {
                    open = Some(files);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            },
            Some((mut source, target)) => Poll::Ready((|| {
                let mut contents = Vec::new();
                source.read_to_end(&mut contents)?;
                target.set_permissions(source.metadata()?.permissions())?;
                fill(doing, &target, &contents)?;
                Ok(contents.len() as u64)
            })()),
        })
    }
}

fn stepped(result: io::Result<Option<()>>) -> Poll<io::Result<()>> {
    match result {
        Ok(None) => Poll::Pending,
        Ok(Some(())) => Poll::Ready(Ok(())),
        Err(error) => Poll::Ready(Err(error)),
    }
}

fn create(doing: &mut Doing<'_>, path: &std::path::Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let wish = doing.store.wish(&options)?;
    doing.store.open(path, &options, wish)
}

fn open_both(
    doing: &mut Doing<'_>,
    from: &std::path::Path,
    to: &std::path::Path,
) -> io::Result<(std::fs::File, std::fs::File)> {
    let mut options = OpenOptions::new();
    options.read(true);
    let wish = doing.store.wish(&options)?;
    let source = doing.store.open(from, &options, wish)?;
    if !source.metadata()?.is_file() {
        let text = "the source path is neither a regular file nor a symlink to a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok((source, create(doing, to)?))
}

/// Writes to a file from its beginning.
fn fill(doing: &mut Doing<'_>, mut file: &std::fs::File, contents: &[u8]) -> io::Result<()> {
    match doing.store.find(file)? {
        Some(ino) => doing
            .store
            .write(ino, Some(0), contents, |part| file.write_all(part)),
        // It was removed for good since it was opened.
        None => file.write_all(contents),
    }
}
