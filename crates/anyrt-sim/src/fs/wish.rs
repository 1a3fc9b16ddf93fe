//! The flags of options for opening a file. std does not expose them, so the options are tried on
//! two files outside of the disk.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) creates: bool,
    /// The file must be new.
    pub(super) is_new: bool,
    pub(super) truncates: bool,
    /// A symbolic link at the end is not followed.
    pub(super) keeps_link: bool,
}

impl Wish {
    /// # Errors
    /// Fails if the options are inconsistent.
    pub(super) fn of(options: &OpenOptions, beside: &Path) -> io::Result<Self> {
        let (old, new) = (beside.join("old"), beside.join("new"));
        fs::write(&old, "x")?;
        let creates = match options.open(&new) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if creates {
            fs::remove_file(new)?;
        }
        let mut wish = Self {
            creates,
            is_new: false,
            truncates: false,
            keeps_link: false,
        };
        match options.open(&old) {
            Ok(file) => {
                wish.truncates = file.metadata()?.len() == 0;
                wish.keeps_link = fcntl_getfl(&file)?.contains(OFlags::NOFOLLOW);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                wish.is_new = true;
                wish.keeps_link = true;
            }
            // It must be a directory: otherwise the system reports the error again.
            Err(error) if error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn the_options_are_found_out() {
        let beside = tempfile::tempdir().unwrap();
        let wish = |set: fn(&mut OpenOptions)| {
            let mut options = OpenOptions::new();
            set(&mut options);
            Wish::of(&options, beside.path()).map(|wish| {
                let Wish {
                    creates,
                    is_new,
                    truncates,
                    keeps_link,
                } = wish;
                [creates, is_new, truncates, keeps_link]
            })
        };
        let read = wish(|options| {
            options.read(true);
        });
        assert_eq!(read.unwrap(), [false, false, false, false]);
        let create = wish(|options| {
            options.write(true).create(true).truncate(true);
        });
        assert_eq!(create.unwrap(), [true, false, true, false]);
        let append = wish(|options| {
            options.append(true).create(true);
        });
        assert_eq!(append.unwrap(), [true, false, false, false]);
        let new = wish(|options| {
            options.write(true).create_new(true);
        });
        assert_eq!(new.unwrap(), [true, true, false, true]);
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags);
        assert!(Wish::of(&options, beside.path()).unwrap().keeps_link);
        let senseless = wish(|options| {
            options.read(true).truncate(true);
        });
        assert_eq!(senseless.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
