//! The contents of one file since they were last durable: what a power failure may leave of them.
//!
//! A page of the cache may be written back at any moment, so after a power failure each page of the disk is one of the
//! versions that it has had since the last sync. The length is written by the journal, whenever it likes, but a
//! truncation is one change: where it has happened, no byte from before comes back, and where it has not, no byte from
//! after it is there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::faults::Unsynced;
use crate::random::Random;

/// The unit of the page cache.
pub(super) const PAGE: u64 = 4096;
/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// More versions of a page are not kept. To forget one between the first and the last only makes outcomes rarer.
const MOST_VERSIONS: usize = 16;

/// A whole page; `None` is all zeros.
type Bytes = Option<Arc<[u8]>>;

#[derive(Debug)]
struct Version {
    at: u64,
    /// Made by a truncation.
    is_cut: bool,
    bytes: Bytes,
}

#[derive(Debug)]
struct Page {
    /// What is on the disk.
    durable: Bytes,
    versions: Vec<Version>,
    /// A sync has failed: the cache takes the page for written, which it is not.
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
    /// Of a file that is durable with that length.
    pub(super) fn new(durable_len: u64) -> Self {
        Self {
            durable_len,
            lengths: Vec::new(),
            pages: BTreeMap::new(),
        }
    }

    /// Keeps what the pages from `from` to `to` are before they change, in a file of `len` bytes.
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

    /// The bytes from `from` to `to` were written, and the file has `len` bytes now.
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

    /// The file was cut from `before` to `len` bytes.
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

    /// The file has `len` bytes now.
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

    /// All that was done up to `until` is durable, but for pages that an earlier sync has lost.
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

    /// A sync fails: of the pages that it was to write, some are written, and the cache takes all of them for written.
    /// Lengths are the journal's, and stay to be written.
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

    /// Nothing is left to lose.
    pub(super) fn is_clean(&self) -> bool {
        self.lengths.is_empty() && self.pages.is_empty()
    }

    /// Makes of the file what a power failure leaves of it.
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

    /// Takes the versions up to `until` out; gives the last.
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

    /// What is left of the page where the truncations up to `since` have happened.
    fn leave(&self, since: u64, extent: Extent, random: &mut Random) -> Vec<u8> {
        let cut_at = |version: &Version| version.is_cut.then_some(version.at);
        // Number 0 is what is durable, and the others follow.
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

/// The pages that have a byte between `from` and `to`.
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
