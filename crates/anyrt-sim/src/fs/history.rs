//! The contents of one file since they were last durable, and the versions that a power failure may
//! leave.
//!
//! A page of the cache may be written back at any moment, so after a power failure each page of the
//! disk is one of its versions since the last sync. The journal writes the length at any time. A
//! truncation is one atomic change: if it has happened, no earlier byte comes back, and if it has
//! not, no later byte is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::faults::Unsynced;
use crate::random::Random;

/// The unit of the page cache.
pub(super) const PAGE: u64 = 4096;
/// The unit that a disk writes atomically.
const SECTOR: usize = 512;
/// The maximum number of versions of a page. Dropping one between the first and the last only makes
/// outcomes rarer.
const MOST_VERSIONS: usize = 16;

/// A whole page; `None` is all zeros.
type Bytes = Option<Arc<[u8]>>;

#[derive(Debug)]
struct Version {
    at: u64,
    /// Created by a truncation.
    is_cut: bool,
    bytes: Bytes,
}

#[derive(Debug)]
struct Page {
    /// The version on the disk.
    durable: Bytes,
    versions: Vec<Version>,
    /// Set after a failed sync: the cache treats the page as written, which it is not.
    is_stale: bool,
}

#[derive(Debug)]
struct Length {
    at: u64,
    len: u64,
}

/// See [the module](self). Times are numbers of changes of the disk.
#[derive(Debug)]
pub(super) struct PageHistory {
    durable_len: u64,
    lengths: Vec<Length>,
    pages: BTreeMap<u64, Page>,
}

impl PageHistory {
    /// Returns the history of a file that is durable with that length.
    pub(super) fn new(durable_len: u64) -> Self {
        Self {
            durable_len,
            lengths: Vec::new(),
            pages: BTreeMap::new(),
        }
    }

    /// Keeps the pages from `from` to `to` before they change, in a file of `len` bytes.
    pub(super) fn keep(&mut self, live: &File, len: u64, from: u64, to: u64) -> io::Result<()> {
        for number in pages(from, to) {
            if self.pages.contains_key(&number) {
                continue;
            }
            let durable = read_page(live, number, len)?;
            self.pages.insert(
                number,
                Page {
                    durable,
                    versions: Vec::new(),
                    is_stale: false,
                },
            );
        }
        Ok(())
    }

    /// Records a write of the bytes from `from` to `to`; the file now has `len` bytes.
    pub(super) fn written(
        &mut self,
        at: u64,
        live: &File,
        len: u64,
        from: u64,
        to: u64,
    ) -> io::Result<()> {
        for number in pages(from, to) {
            let bytes = read_page(live, number, len)?;
            if let Some(page) = self.pages.get_mut(&number) {
                page.push(at, false, bytes);
            }
        }
        self.set_len(at, len);
        Ok(())
    }

    /// Records a truncation from `before` to `len` bytes.
    pub(super) fn cut(&mut self, at: u64, live: &File, before: u64, len: u64) -> io::Result<()> {
        for number in pages(len, before) {
            let bytes = read_page(live, number, len)?;
            if let Some(page) = self.pages.get_mut(&number) {
                page.push(at, true, bytes);
            }
        }
        self.set_len(at, len);
        Ok(())
    }

    /// Records that the file now has `len` bytes.
    pub(super) fn set_len(&mut self, at: u64, len: u64) {
        if self
            .lengths
            .last()
            .map_or(self.durable_len, |last| last.len)
            != len
        {
            self.lengths.push(Length { at, len });
        }
    }

    /// Makes all changes up to `until` durable, except pages that an earlier sync has lost.
    pub(super) fn sync(&mut self, until: u64) {
        if let Some(last) = self.lengths.iter().rposition(|length| length.at <= until) {
            self.durable_len = self.lengths[last].len;
            self.lengths.drain(..=last);
        }
        self.pages.retain(|_, page| {
            if let Some(bytes) = page.take_until(until) {
                page.durable = bytes;
                page.is_stale = false;
            }
            page.is_stale || !page.versions.is_empty()
        });
    }

    /// Makes a sync fail: some of its pages are written, and the cache treats all of them as
    /// written. The journal will still write the lengths.
    pub(super) fn fail_sync(&mut self, until: u64, random: &mut Random) {
        self.pages.retain(|_, page| {
            let is_cut = |version: &Version| version.is_cut && version.at <= until;
            if page.versions.iter().any(is_cut) {
                return true;
            }
            if let Some(bytes) = page.take_until(until) {
                if random.chance(0.5) {
                    page.durable = bytes;
                    page.is_stale = false;
                } else {
                    page.is_stale = true;
                }
            }
            page.is_stale || !page.versions.is_empty()
        });
    }

    /// Returns `true` if there is nothing to lose.
    pub(super) fn is_clean(&self) -> bool {
        self.lengths.is_empty() && self.pages.is_empty()
    }

    /// Replaces the contents by those that a power failure leaves.
    pub(super) fn lose(
        self,
        live: &File,
        unsynced: Unsynced,
        random: &mut Random,
    ) -> io::Result<u64> {
        let extent = match unsynced {
            Unsynced::Lost => Extent::None,
            Unsynced::Kept => Extent::All,
            Unsynced::Random => match random.below(4) {
                0 => Extent::None,
                1 => Extent::All,
                2 => Extent::Pages,
                _ => Extent::Sectors,
            },
        };
        let (since, len) = match extent {
            Extent::None => (0, self.durable_len),
            Extent::All => self
                .lengths
                .last()
                .map_or((0, self.durable_len), |last| (last.at, last.len)),
            Extent::Pages | Extent::Sectors => match random.index(self.lengths.len() + 1) {
                0 => (0, self.durable_len),
                after => (self.lengths[after - 1].at, self.lengths[after - 1].len),
            },
        };
        live.set_len(len)?;
        for (number, page) in self.pages {
            let start = number * PAGE;
            if start >= len {
                continue;
            }
            let bytes = page.leave(since, extent, random);
            let end = usize::try_from((len - start).min(PAGE)).unwrap_or(PAGE as usize);
            live.write_all_at(&bytes[..end], start)?;
        }
        Ok(len)
    }
}

#[derive(Debug, Clone, Copy)]
enum Extent {
    None,
    All,
    Pages,
    Sectors,
}

impl Page {
    fn push(&mut self, at: u64, is_cut: bool, bytes: Bytes) {
        self.versions.push(Version { at, is_cut, bytes });
        if self.versions.len() > MOST_VERSIONS
            && let Some(middle) = self.versions.iter().position(|version| !version.is_cut)
            && middle + 1 < self.versions.len()
        {
            self.versions.remove(middle);
        }
    }

    /// Removes the versions up to `until`; returns the last.
    fn take_until(&mut self, until: u64) -> Option<Bytes> {
        let last = self
            .versions
            .iter()
            .rposition(|version| version.at <= until)?;
        self.versions
            .drain(..=last)
            .next_back()
            .map(|last| last.bytes)
    }

    /// Returns the part of the page that remains after the truncations up to `since`.
    fn leave(&self, since: u64, extent: Extent, random: &mut Random) -> Vec<u8> {
        let cut_at = |version: &Version| version.is_cut.then_some(version.at);
        // Number 0 is the durable version, and the others follow.
        let first = self
            .versions
            .iter()
            .rposition(|version| cut_at(version).is_some_and(|at| at <= since))
            .map_or(0, |index| index + 1);
        let end = self
            .versions
            .iter()
            .position(|version| cut_at(version).is_some_and(|at| at > since))
            .map_or(self.versions.len() + 1, |index| index + 1);
        let version = |number: usize| match number.checked_sub(1) {
            None => &self.durable,
            Some(index) => &self.versions[index].bytes,
        };
        let mut page = vec![0; PAGE as usize];
        let mut put = |number: usize, from: usize, to: usize| {
            if let Some(bytes) = version(number) {
                page[from..to].copy_from_slice(&bytes[from..to]);
            }
        };
        match extent {
            Extent::None => put(first, 0, PAGE as usize),
            Extent::All => put(end - 1, 0, PAGE as usize),
            Extent::Pages => put(first + random.index(end - first), 0, PAGE as usize),
            Extent::Sectors => {
                for from in (0..PAGE as usize).step_by(SECTOR) {
                    put(first + random.index(end - first), from, from + SECTOR);
                }
            }
        }
        page
    }
}

/// Returns the pages with a byte between `from` and `to`.
fn pages(from: u64, to: u64) -> std::ops::Range<u64> {
    if from >= to {
        return 0..0;
    }
    from / PAGE..to.div_ceil(PAGE)
}

fn read_page(live: &File, number: u64, len: u64) -> io::Result<Bytes> {
    let start = number * PAGE;
    if start >= len {
        return Ok(None);
    }
    let mut page = vec![0; PAGE as usize];
    let mut filled = 0;
    while filled < page.len() {
        match live.read_at(&mut page[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(page.iter().any(|byte| *byte != 0).then(|| page.into()))
}
