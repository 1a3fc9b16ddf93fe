//! Empty so far.

use crate::case::cases;

cases! {}
