//! The Glommio backend of anyrt: io_uring, thread per core.
