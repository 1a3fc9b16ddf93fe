//! The contract of anyrt as tests, for every backend.
